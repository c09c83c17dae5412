/**
 * What the log needs of a Kafka client, in our words. Two bindings: `kafkajs/` and `platformatic/`. Everything else of this
 * package is over these interfaces and is tested with fakes of them.
 *
 * Nothing here retries, gathers or waits by itself: a call is one request (and what it takes to be connected), its failure
 * is a {@link KafkaFault}. The log decides what to do about it.
 */
export interface KafkaClient {
  /** The partition count of those of `topics` that exist. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The settings in force of topics that exist, by topic and name. */
  topicSettings(topics: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;
  /** Creates those that do not exist. Until brokers know of them they answer `moved`. */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  /** The broker that leads a partition, as last told by the cluster; undefined before it was told, or when there is none. */
  leaderOf(topic: string, partition: number): number | undefined;
  /** Asks the cluster who leads what. `topics` are remembered. */
  refresh(topics: readonly string[]): Promise<void>;
  bounds(topic: string, partition: number): Promise<PartitionBounds>;
  /**
   * One produce request to one broker, acknowledged by all replicas in sync (acks -1). A partition may be in it once. Resolves
   * with what became of each part, in their order: the offset of its first record, the others' follow in a row, or a fault.
   *
   * @throws {KafkaFault} when there was no answer
   */
  produce(broker: number, parts: readonly ProducePart[]): Promise<readonly (number | KafkaFault)[]>;
  /** A connection of its own for requests that wait at the broker. Connects with the first one. */
  openFetchLane(): FetchLane;
  /** A connection of its own for one member of one group. Connects with the first request. */
  openGroupLink(group: string): GroupLink;
  /** Resolves when what was asked has been answered, or has failed. */
  close(): Promise<void>;
}

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  readonly settings: Readonly<Record<string, string>>;
}

export interface PartitionBounds {
  readonly first: number;
  /** Behind the last record that is held by all replicas in sync. */
  readonly next: number;
}

export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly { readonly key: string; readonly value: Uint8Array }[];
}

/** Bytes of one answer to a fetch; one batch still comes whole. */
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

export interface FetchLane {
  /**
   * One fetch request to one broker: answers when any part has a record, or after `maxWaitMs`. A topic's partition may be in
   * it once. Answers are in the order of `parts`.
   *
   * @throws {KafkaFault} when there was no answer
   */
  fetch(broker: number, parts: readonly FetchPart[], maxWaitMs: number): Promise<readonly FetchedPart[]>;
  close(): void;
}

export interface FetchPart {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Soft: what the broker wrote as one batch comes whole. */
  readonly bytesMax: number;
}

export interface FetchedPart {
  /** Why there are no records, where it is not that there were none in time. */
  readonly fault?: KafkaFault | undefined;
  /** May begin before the offset that was asked for: the broker gives whole batches. */
  readonly records: readonly FetchedRecord[];
}

export interface FetchedRecord {
  readonly offset: number;
  readonly key: string;
  /** A view into the whole answer: copy what is kept. Null is a tombstone. */
  readonly value: Uint8Array | null;
}

/** The protocol of consumer groups, step by step. `userData` is what members tell each other. */
export interface GroupLink {
  /** Waits until all members have joined, or the rebalance time-out has passed for those that did not. */
  join(request: JoinRequest): Promise<JoinedGroup>;
  /** @param assignments by the leader, of every member; the others give none */
  sync(member: GroupMembership, topic: string, assignments: ReadonlyMap<string, readonly number[]>): Promise<readonly number[]>;
  heartbeat(member: GroupMembership): Promise<void>;
  /** Goes over another connection than `join`, and so does not wait for it. */
  leave(memberId: string): Promise<void>;
  close(): void;
}

export interface JoinRequest {
  /** '' at first. */
  readonly memberId: string;
  readonly topic: string;
  readonly userData: Uint8Array;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

export interface GroupMembership {
  readonly memberId: string;
  readonly generation: number;
}

export interface JoinedGroup extends GroupMembership {
  /** Of the leader only: everybody. */
  readonly members: readonly { readonly memberId: string; readonly userData: Uint8Array }[] | null;
}

/**
 * - `unreachable`: no connection, or no answer in time. What was asked may have happened.
 * - `moved`: another broker is asked in vain for now: ask who leads, then again.
 * - `out_of_range`: the offset is before the first or behind the last one held.
 * - `rejoin`: the group is being rebalanced.
 * - `expelled`: the group does not know this member any more.
 * - `refused`: repeating it does not help.
 */
export type KafkaFaultKind = 'unreachable' | 'moved' | 'out_of_range' | 'rejoin' | 'expelled' | 'refused';

export class KafkaFault extends Error {
  override readonly name = 'KafkaFault';
  readonly kind: KafkaFaultKind;

  constructor(kind: KafkaFaultKind, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
  }
}

/** True where it is worth to ask again: the cluster is there, or will be. */
export function isPassing(error: unknown): error is KafkaFault {
  return error instanceof KafkaFault && (error.kind === 'unreachable' || error.kind === 'moved');
}
