import { FindCoordinatorKeyTypes, findCoordinatorV3, metadataV9 } from '@platformatic/kafka';
import { KafkaFault } from '../kafka-client.ts';
import type { Address, BrokerLink } from './broker-link.ts';
import { wholeAnswer } from './faults.ts';

export interface DescribedTopic {
  readonly name: string;
  readonly errorCode: number;
  readonly partitions: readonly { readonly partitionIndex: number; readonly leaderId: number }[];
}

/** What the cluster tells of itself: which brokers there are and who leads what. */
export class Cluster {
  readonly #link: BrokerLink;
  /** Some brokers to ask, the ones first that are more likely to answer. */
  #toAsk: readonly Address[];
  readonly #bootstrap: readonly Address[];
  #nodes: ReadonlyMap<number, Address> = new Map();
  readonly #leaders = new Map<string, ReadonlyMap<number, number>>();

  /** @param brokers `host:port` */
  constructor(brokers: readonly string[], link: BrokerLink) {
    this.#bootstrap = brokers.map(addressOf);
    this.#toAsk = this.#bootstrap;
    this.#link = link;
  }

  leaderOf(topic: string, partition: number): number | undefined {
    return this.#leaders.get(topic)?.get(partition);
  }

  /** @throws {KafkaFault} `moved`, for a broker that the cluster has not told of */
  addressOf(node: number): Address {
    const address = this.#nodes.get(node);
    if (!address) throw new KafkaFault('moved', `the cluster has not told of a broker ${node}`);
    return address;
  }

  async learnLeaders(topics: readonly string[]): Promise<void> {
    for (const { name, partitions } of (await this.describe(topics)).topics) {
      const led = partitions.filter(({ leaderId }) => leaderId >= 0);
      this.#leaders.set(name, new Map(led.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId])));
    }
  }

  /** Topics that do not exist have an error code. */
  async describe(topics: readonly string[]): Promise<{ readonly topics: readonly DescribedTopic[]; readonly controllerId: number }> {
    const answer = await this.#ask((address) =>
      this.#link.use(address, (connection) => wholeAnswer(metadataV9.api.async(connection, [...topics], false))),
    );
    if (answer.brokers.length > 0) {
      this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
      const [asked] = this.#toAsk;
      const all = [...(asked ? [asked] : []), ...this.#nodes.values(), ...this.#bootstrap];
      this.#toAsk = [...new Map(all.map((address) => [`${address.host}:${address.port}`, address])).values()];
    }
    return answer;
  }

  async coordinatorOf(group: string): Promise<Address> {
    const { coordinators } = await this.#ask((address) =>
      this.#link.use(address, (connection) => findCoordinatorV3.api.async(connection, FindCoordinatorKeyTypes.GROUP, [group])),
    );
    const [found] = coordinators;
    if (!found) throw new KafkaFault('moved', `nobody coordinates the group ${group}`);
    return { host: found.host, port: found.port };
  }

  /** Asks one broker after the other until one answers; who does not is asked last from now on. */
  async #ask<T>(question: (address: Address) => Promise<T>): Promise<T> {
    let failure: unknown = new KafkaFault('unreachable', 'there is no broker to ask');
    for (const address of this.#toAsk) {
      try {
        return await question(address);
      } catch (error) {
        if (!(error instanceof KafkaFault) || error.kind !== 'unreachable') throw error;
        failure = error;
        this.#toAsk = [...this.#toAsk.filter((other) => other !== address), address];
      }
    }
    throw failure;
  }
}

/** @param broker `host:port`, the host of an IPv6 address in brackets */
function addressOf(broker: string): Address {
  const at = broker.lastIndexOf(':');
  return { host: broker.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(broker.slice(at + 1)) };
}
