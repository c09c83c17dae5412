import { createTopicsV5, describeConfigsV2, ListOffsetTimestamps, listOffsetsV5 } from '@platformatic/kafka';
import type { ConnectOptions } from '../connect-options.ts';
import { REQUEST_TIMEOUT_MS } from '../connect-options.ts';
import type { KafkaClient, NewTopic } from '../kafka-client.ts';
import { KafkaFault } from '../kafka-client.ts';
import { Links } from './broker-link.ts';
import { Cluster } from './cluster.ts';
import { faultOfCode, wholeAnswer } from './faults.ts';
import { openFetchLane } from './platformatic-fetch.ts';
import { openGroupLink } from './platformatic-group.ts';
import { produceTo } from './platformatic-produce.ts';

/** Kafka: the kind of a resource that is a topic. */
const TOPIC = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const TOPIC_ALREADY_EXISTS = 36;
/** Kafka: READ_UNCOMMITTED. Nothing here is transactional. */
const ISOLATION = 0;
/** Who asks for offsets: not a replica, and not one that knows the leader's epoch. */
const NOBODY = -1;

/**
 * The binding of @platformatic/kafka 2.12: its connections and the encoding of requests, without its clients. The versions of the
 * requests are fixed: brokers from Kafka 2.4 to 4.4 take them.
 */
export function platformaticClient(options: ConnectOptions): KafkaClient {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const links = new Links(options);
  const control = links.open(requestTimeoutMs);
  const producing = links.open(requestTimeoutMs);
  const cluster = new Cluster(options.brokers, control);

  async function boundOf(topic: string, partition: number, timestamp: bigint): Promise<number> {
    const leader = cluster.leaderOf(topic, partition);
    if (leader === undefined) throw new KafkaFault('moved', `nobody leads ${topic}/${partition}`);
    const asked = [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: NOBODY, timestamp }] }];
    const answer = await control.use(cluster.addressOf(leader), (connection) =>
      listOffsetsV5.api.async(connection, NOBODY, ISOLATION, asked),
    );
    const offset = answer.topics[0]?.partitions[0]?.offset;
    if (offset === undefined) throw new KafkaFault('moved', `the broker did not say the bounds of ${topic}/${partition}`);
    return Number(offset);
  }

  return {
    async partitionCounts(topics) {
      const { topics: described } = await cluster.describe(topics);
      const existing = described.filter(({ errorCode }) => errorCode !== UNKNOWN_TOPIC_OR_PARTITION);
      for (const { name, errorCode } of existing) {
        const fault = errorCode === LEADER_NOT_AVAILABLE ? undefined : faultOfCode(errorCode, `asking for ${name}`);
        if (fault) throw fault;
      }
      return new Map(existing.map(({ name, partitions }) => [name, partitions.length]));
    },

    async topicSettings(topics) {
      const { controllerId } = await cluster.describe([]);
      const asked = topics.map((resourceName) => ({ resourceType: TOPIC, resourceName, configurationKeys: null })) as Parameters<
        typeof describeConfigsV2.createRequest
      >[0];
      const { results } = await control.use(cluster.addressOf(controllerId), (connection) =>
        describeConfigsV2.api.async(connection, asked, false),
      );
      return new Map(
        results.map(({ resourceName, configs }) => [resourceName, new Map(configs.map(({ name, value }) => [name, value ?? '']))]),
      );
    },

    async createTopics(topics: readonly NewTopic[]) {
      const { controllerId } = await cluster.describe([]);
      const wanted = topics.map(({ topic, partitions, replication, settings }) => ({
        name: topic,
        numPartitions: partitions,
        replicationFactor: replication,
        assignments: [],
        configs: Object.entries(settings).map(([name, value]) => ({ name, value })),
      }));
      const answer = await control.use(cluster.addressOf(controllerId), (connection) =>
        wholeAnswer(createTopicsV5.api.async(connection, wanted, requestTimeoutMs, false)),
      );
      for (const { name, errorCode } of answer.topics) {
        const fault = errorCode === TOPIC_ALREADY_EXISTS ? undefined : faultOfCode(errorCode, `creating ${name}`);
        if (fault) throw fault;
      }
    },

    leaderOf: (topic, partition) => cluster.leaderOf(topic, partition),

    refresh: (topics) => cluster.learnLeaders(topics),

    async bounds(topic, partition) {
      const [first, next] = await Promise.all([
        boundOf(topic, partition, ListOffsetTimestamps.EARLIEST),
        boundOf(topic, partition, ListOffsetTimestamps.LATEST),
      ]);
      return { first, next };
    },

    async produce(broker, parts) {
      return producing.use(cluster.addressOf(broker), (connection) => produceTo(connection, parts, requestTimeoutMs));
    },

    openFetchLane: () => openFetchLane({ cluster, links, requestTimeoutMs }),

    openGroupLink: (group) => openGroupLink({ group, cluster, links, requestTimeoutMs }),

    close: () => links.close(),
  };
}
