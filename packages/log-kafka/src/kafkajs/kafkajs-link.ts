import type { Broker, Cluster, Kafka } from 'kafkajs';
import { faultOf } from './faults.ts';

/** What a broker of kafkajs does beyond its published types. */
export interface GroupBroker {
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    members: readonly { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

/** A connected cluster; `discarded` when something went wrong that a new connection is the way out of. */
interface Connection {
  readonly cluster: Cluster;
  readonly ready: Promise<void>;
}

/**
 * Connections of its own to the brokers of a cluster, made when they are needed and made anew after a failure: kafkajs keeps
 * using a connection whose requests time out.
 */
export class KafkajsLink {
  readonly #kafka: Kafka;
  readonly #topics = new Set<string>();
  readonly #ending = new Set<Promise<void>>();
  #connection: Connection | undefined;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** Topics that the cluster's metadata is to tell of, from the next refresh on. */
  addTopics(topics: readonly string[]): void {
    for (const topic of topics) this.#topics.add(topic);
  }

  /** @throws {KafkaFault} */
  async use<T>(run: (cluster: Cluster) => Promise<T>): Promise<T> {
    this.#connection ??= this.#connect();
    const connection = this.#connection;
    try {
      await connection.ready;
      return await run(connection.cluster);
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === 'unreachable') this.#discard(connection);
      throw fault;
    }
  }

  useBroker<T>(nodeId: number, run: (broker: Broker) => Promise<T>): Promise<T> {
    return this.use(async (cluster) => run(await cluster.findBroker({ nodeId: String(nodeId) })));
  }

  useCoordinator<T>(groupId: string, run: (broker: GroupBroker) => Promise<T>): Promise<T> {
    return this.use(async (cluster) => run((await cluster.findGroupCoordinator({ groupId })) as unknown as GroupBroker));
  }

  /** Resolves when what was asked has been answered, or has failed. */
  async close(): Promise<void> {
    if (this.#connection) this.#discard(this.#connection);
    await Promise.all(this.#ending);
  }

  #connect(): Connection {
    const cluster = clusterOf(this.#kafka);
    const topics = [...this.#topics];
    const ready = (async () => {
      await cluster.connect();
      await cluster.addMultipleTargetTopics(topics);
    })();
    const connection = { cluster, ready };
    // Who uses it hears why.
    ready.catch(() => this.#discard(connection));
    return connection;
  }

  #discard(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    const ending = connection.ready
      .catch(() => undefined)
      .then(() => connection.cluster.disconnect())
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

/**
 * kafkajs hands its cluster to the functions that make partition assigners, when a consumer is constructed. That consumer
 * itself does nothing and is never connected.
 */
function clusterOf(kafka: Kafka): Cluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: 'unused',
    readUncommitted: true,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return { name: 'unused', version: 0, assign: async () => [], protocol: () => ({ name: 'unused', metadata: Buffer.alloc(0) }) };
      },
    ],
  });
  if (!found) throw new Error('kafkajs made a consumer without its assigners');
  return found;
}
