import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';

/**
 * The log: topics of ordered, durable partitions. The only source of truth. Rules: SPEC.md (EL...).
 *
 * Written so that Kafka can keep every promise: offsets grow but may have holes, nothing is read by key, nothing spans
 * two appends.
 */
export interface EventLog {
  /** The same for every topic, fixed when the log is created. Bounds: 1 .. LIMITS.partitionsMax. */
  readonly partitions: number;

  /**
   * Appends one record; resolves with its offset once it is durable. Concurrent appends may be gathered into one
   * commit; two appends to one partition of which the second was called after the first resolved keep that order.
   *
   * @throws {PlayheadError} `log_unavailable` when the record is not known to be durable. It may still be in the log:
   *   repeat it, readers recognise the duplicate.
   */
  append<T extends Topic>(topic: T, partition: Partition, key: string, record: TopicRecords[T]): Promise<Offset>;

  /** The first offset still held and the one that the next append gets at the earliest. Equal when the partition is empty. */
  bounds(topic: Topic, partition: Partition): Promise<LogBounds>;

  /**
   * Reads from `from` on, in order, and tails: at the end it waits for appends. Ends when `signal` aborts, without an error.
   * The reader's pace is the pace: at most one batch is fetched ahead.
   *
   * @throws {PlayheadError} `position_gone` with `details.first` (an Offset) when `from` was trimmed, also in mid-read
   * @throws {PlayheadError} `log_unavailable`
   */
  read<T extends Topic>(topic: T, partition: Partition, from: Offset, options: ReadOptions): AsyncIterable<LogBatch<T>>;

  /**
   * Shares the partitions of the log among all processes that join `group`: calls `work` for each partition that falls to
   * this process. `signal` aborts when the partition is taken away or `leave` is called; the partition is given on when the
   * promise of `work` has settled, or after a time limit (a zombie is possible; the flush chain is made for it).
   * A `work` that rejects is called again after a pause.
   */
  join(group: string, work: (partition: Partition, signal: AbortSignal) => Promise<void>): Promise<Membership>;

  /** Removes records that a topic's retention no longer keeps (TOPICS). Does nothing where the log does so by itself. */
  trim(nowMs: number): Promise<void>;

  /** Waits for appends under way, ends readers and memberships. */
  close(): Promise<void>;
}

export interface LogBounds {
  readonly first: Offset;
  readonly next: Offset;
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** A batch ends when its records pass this many bytes; one larger record still comes whole. Default 1 MiB. */
  readonly batchBytesMax?: number;
}

export interface LogBatch<T extends Topic> {
  /** Never empty. */
  readonly records: readonly LogRecord<T>[];
  /** Where to read on after this batch. */
  readonly next: Offset;
}

/** A record, or, where its bytes cannot be decoded, the fault: one bad record does not stop a reader. */
export type LogRecord<T extends Topic> =
  | { readonly offset: Offset; readonly key: string; readonly record: TopicRecords[T] }
  | { readonly offset: Offset; readonly key: string; readonly record: null; readonly fault: string };

export interface Membership {
  /** Aborts all work of this membership and waits for it. */
  leave(): Promise<void>;
}

/** Bytes of a record. One process uses plain Avro, a cluster the Confluent wire format; adapters do not care. */
export interface RecordCodec {
  /** @param roomBytes the record's bytes follow as many that are the caller's. Default 0. */
  encode<T extends Topic>(topic: T, record: TopicRecords[T], roomBytes?: number): Uint8Array;
  /** @throws for bytes that are not a record of the topic. `body`-like fields may be views into `bytes`. */
  decode<T extends Topic>(topic: T, bytes: Uint8Array): TopicRecords[T];

  /**
   * For codecs that must look something up before they can decode: where it is there, a log awaits it before `decode`.
   * Undefined when nothing has to be waited for. What nobody knows is a fault of `decode`.
   *
   * @throws {PlayheadError} `log_unavailable` when it cannot be looked up now: the read fails, and may be repeated
   */
  ready?(topic: Topic, bytes: Uint8Array): Promise<void> | undefined;
}
