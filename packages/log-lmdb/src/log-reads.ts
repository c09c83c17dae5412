import type { LogBatch, LogBounds, LogRecord, Membership, PartitionWork, ReadOptions, RecordCodec } from '@playhead/ports';
import { Latch, PartitionGroups, systemClock } from '@playhead/ports';
import type { Offset, Partition, Topic } from '@playhead/schemas';
import { nextOffset, PlayheadError, TOPIC_NAMES, toOffset } from '@playhead/schemas';
import type { LmdbReads } from './lmdb-store.ts';
import { messageOf } from './lmdb-store.ts';
import { boundsOfKeys, decodeValue, keyOf, offsetOf } from './record-layout.ts';

const BATCH_BYTES_MAX = 1024 * 1024;

/** One partition of one topic. */
interface PartitionState {
  readonly topic: Topic;
  readonly partition: Partition;
  /** Name of the note that holds the first offset. */
  readonly firstNote: string;
  /** Behind the last durable record that this thread was told of: readers go up to here. */
  next: Offset;
  readonly latch: Latch;
}

/**
 * The reading half of a log, in the thread that writes it as in others: each is told by `grow` what has become durable, and has groups of its
 * own.
 */
export class LogReads {
  readonly #store: LmdbReads;
  readonly #codec: RecordCodec;
  readonly #states: ReadonlyMap<Topic, readonly PartitionState[]>;
  readonly #groups: PartitionGroups;
  readonly #closing = new AbortController();

  constructor(store: LmdbReads, partitions: number, codec: RecordCodec) {
    this.#store = store;
    this.#codec = codec;
    this.#groups = new PartitionGroups(partitions, (ms, run) => systemClock.setTimer(ms, run));
    this.#states = new Map(
      TOPIC_NAMES.map((topic) => [topic, Array.from({ length: partitions }, (_, partition) => stateOf(store, topic, partition))]),
    );
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** @throws {PlayheadError} `log_unavailable` after `close` */
  checkOpen(): void {
    if (this.closed) throw new PlayheadError('log_unavailable', 'the log is closed');
  }

  /** Ends all readers and memberships. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#groups.close();
  }

  join(group: string, work: PartitionWork): Membership {
    this.checkOpen();
    return this.#groups.join(group, work);
  }

  bounds(topic: Topic, partition: Partition): LogBounds {
    this.checkOpen();
    const state = this.#state(topic, partition);
    return { first: this.#first(state), next: state.next };
  }

  /** Records up to `next` (exclusive) are durable: wakes who waits for them. */
  grow(topic: Topic, partition: Partition, next: Offset): void {
    const state = this.#state(topic, partition);
    if (next > state.next) state.next = next;
    state.latch.open();
  }

  async *read<T extends Topic>(topic: T, partition: Partition, from: Offset, options: ReadOptions): AsyncGenerator<LogBatch<T>> {
    this.checkOpen();
    const { signal, batchBytesMax = BATCH_BYTES_MAX } = options;
    const state = this.#state(topic, partition);
    const ends = AbortSignal.any([signal, this.#closing.signal]);
    let position = from;
    while (!ends.aborted) {
      const batch = position < state.next ? this.#batch(topic, state, position, batchBytesMax) : undefined;
      if (batch) {
        position = batch.next;
        yield batch;
      } else await state.latch.wait(ends);
    }
  }

  /**
   * Reads in one go: no snapshot of LMDB outlives it, and the values are copies. Undefined when there is no record.
   *
   * @throws {PlayheadError} `position_gone`, `log_unavailable`
   */
  #batch<T extends Topic>(topic: T, state: PartitionState, from: Offset, batchBytesMax: number): LogBatch<T> | undefined {
    try {
      // Of the snapshot that is read: a reader who stands before what a trim removed hears of it instead of missing it.
      const first = this.#first(state);
      if (from < first) throw new PlayheadError('position_gone', `the log begins at ${first}, asked for ${from}`, { details: { first } });
      return this.#scanned(topic, state, from, batchBytesMax);
    } catch (error) {
      if (error instanceof PlayheadError) throw error;
      throw new PlayheadError('log_unavailable', `the log cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  #scanned<T extends Topic>(topic: T, state: PartitionState, from: Offset, batchBytesMax: number): LogBatch<T> | undefined {
    const records: LogRecord<T>[] = [];
    let next = from;
    let bytes = 0;
    const end = keyOf(topic, state.partition, state.next);
    for (const { key, value } of this.#store.scan(keyOf(topic, state.partition, from), end)) {
      if (records.length > 0 && bytes + value.length > batchBytesMax) break;
      const offset = offsetOf(key);
      records.push(this.#decoded(topic, offset, value));
      next = nextOffset(offset);
      bytes += value.length;
      if (bytes >= batchBytesMax) break;
    }
    return records.length > 0 ? { records, next } : undefined;
  }

  #decoded<T extends Topic>(topic: T, offset: Offset, value: Uint8Array): LogRecord<T> {
    let key = '';
    try {
      const stored = decodeValue(value);
      key = stored.key;
      return { offset, key, record: this.#codec.decode(topic, stored.record) };
    } catch (error) {
      return { offset, key, record: null, fault: messageOf(error) };
    }
  }

  #first({ firstNote }: PartitionState): Offset {
    return firstIn(this.#store, firstNote);
  }

  #state(topic: Topic, partition: Partition): PartitionState {
    const states = this.#states.get(topic) ?? [];
    const state = states[partition];
    if (!state) throw new RangeError(`no partition ${partition} of ${states.length} of ${topic}`);
    return state;
  }
}

function stateOf(store: LmdbReads, topic: Topic, partition: Partition): PartitionState {
  const { before, behind } = boundsOfKeys(topic, partition);
  const last = store.lastKey(before, behind);
  const firstNote = firstNoteOf(topic, partition);
  const first = firstIn(store, firstNote);
  const next = toOffset(Math.max(first, last ? offsetOf(last) + 1 : 0));
  return { topic, partition, firstNote, next, latch: new Latch() };
}

function firstIn(store: LmdbReads, firstNote: string): Offset {
  return toOffset((store.note(firstNote) as number | undefined) ?? 0);
}

/** Name of the note that holds a partition's first offset: written in the transaction that removes what was before it. */
export function firstNoteOf(topic: Topic, partition: Partition): string {
  return `first/${topic}/${partition}`;
}
