import type { EventLog, LogBatch, LogBounds, LogRecord, Membership, PartitionWork, ReadOptions, RecordCodec } from '@playhead/ports';
import { Latch, PartitionGroups, systemClock } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { LIMITS, nextOffset, PlayheadError, TOPIC_NAMES, TOPICS, toOffset } from '@playhead/schemas';
import { CommitQueue } from './commit-queue.ts';
import type { LmdbStore } from './lmdb-store.ts';
import { messageOf, openLmdbStore } from './lmdb-store.ts';
import { boundsOfKeys, decodeValue, encodeValue, keyOf, LAYOUT_VERSION, offsetOf } from './record-layout.ts';
import { isTrimmed, newestOffsets, nextStep } from './trim.ts';

export interface LmdbLogOptions {
  /** A directory; made when it is not there. */
  readonly path: string;
  /** Fixed when the log is created. Bounds: 1 .. LIMITS.partitionsMax. */
  readonly partitions: number;
  readonly codec: RecordCodec;
  /** Unix ms: the append time that retention counts from. */
  readonly now?: () => number;
  /** After this time without an answer of the disk appends fail, and so do all later ones. Default 30 s. */
  readonly commitTimeoutMs?: number;
}

const BATCH_BYTES_MAX = 1024 * 1024;
const COMMIT_TIMEOUT_MS = 30_000;

/**
 * Opens or creates the event log of one process, in a directory.
 *
 * One process at a time: offsets are given here and readers are woken here.
 *
 * @throws {PlayheadError} `invalid_request` when the log was created with another number of partitions;
 *   `log_unavailable` when it is open already or cannot be read
 */
export async function openLmdbLog(options: LmdbLogOptions): Promise<EventLog> {
  const { path, partitions } = options;
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= LIMITS.partitionsMax)) {
    throw new PlayheadError('invalid_request', `a log has 1 to ${LIMITS.partitionsMax} partitions, not ${partitions}`);
  }
  const store = await openLmdbStore(path);
  try {
    await agreeOnLayout(store, path, partitions);
    return new LmdbLog(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Layout {
  readonly version: number;
  readonly partitions: number;
}

async function agreeOnLayout(store: LmdbStore, path: string, partitions: number): Promise<void> {
  const layout = store.note('layout') as Layout | undefined;
  if (!layout) {
    await store.commit({ notes: [{ name: 'layout', value: { version: LAYOUT_VERSION, partitions } satisfies Layout }] });
    return;
  }
  if (layout.version !== LAYOUT_VERSION) {
    throw new PlayheadError('invalid_request', `the log at ${path} has layout ${layout.version}; this program knows ${LAYOUT_VERSION}`);
  }
  if (layout.partitions !== partitions) {
    throw new PlayheadError(
      'invalid_request',
      `the log at ${path} was created with ${layout.partitions} partitions and cannot be opened with ${partitions}`,
      { details: { partitions: layout.partitions } },
    );
  }
}

/** One partition of one topic. */
interface PartitionState {
  readonly topic: Topic;
  readonly partition: Partition;
  first: Offset;
  /** Behind the last durable record: readers go up to here. */
  next: Offset;
  /** What the next append gets. A failed append leaves a hole. */
  unassigned: Offset;
  readonly latch: Latch;
}

class LmdbLog implements EventLog {
  readonly partitions: number;
  readonly #store: LmdbStore;
  readonly #codec: RecordCodec;
  readonly #now: () => number;
  readonly #states: ReadonlyMap<Topic, readonly PartitionState[]>;
  readonly #queue: CommitQueue;
  readonly #groups: PartitionGroups;
  readonly #closing = new AbortController();
  #trimming: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(store: LmdbStore, { partitions, codec, now = Date.now, commitTimeoutMs = COMMIT_TIMEOUT_MS }: LmdbLogOptions) {
    this.partitions = partitions;
    this.#store = store;
    this.#codec = codec;
    this.#now = now;
    this.#queue = new CommitQueue((puts) => store.commit({ puts }), commitTimeoutMs);
    this.#groups = new PartitionGroups(partitions, (ms, run) => systemClock.setTimer(ms, run));
    this.#states = new Map(
      TOPIC_NAMES.map((topic) => [topic, Array.from({ length: partitions }, (_, partition) => stateOf(store, topic, partition))]),
    );
  }

  async append<T extends Topic>(topic: T, partition: Partition, key: string, record: TopicRecords[T]): Promise<Offset> {
    this.#checkOpen();
    const state = this.#state(topic, partition);
    const value = encodeValue(this.#now(), key, this.#codec.encode(topic, record));
    const offset = state.unassigned;
    state.unassigned = nextOffset(offset);
    await this.#queue.add({ key: keyOf(topic, partition, offset), value });
    if (offset >= state.next) state.next = nextOffset(offset);
    state.latch.open();
    return offset;
  }

  async bounds(topic: Topic, partition: Partition): Promise<LogBounds> {
    this.#checkOpen();
    const { first, next } = this.#state(topic, partition);
    return { first, next };
  }

  async *read<T extends Topic>(topic: T, partition: Partition, from: Offset, options: ReadOptions): AsyncGenerator<LogBatch<T>> {
    this.#checkOpen();
    const { signal, batchBytesMax = BATCH_BYTES_MAX } = options;
    const state = this.#state(topic, partition);
    const ends = AbortSignal.any([signal, this.#closing.signal]);
    let position = from;
    while (!ends.aborted) {
      const { first } = state;
      if (position < first) {
        throw new PlayheadError('position_gone', `the log begins at ${first}, asked for ${position}`, { details: { first } });
      }
      const batch = position < state.next ? this.#batch(topic, state, position, batchBytesMax) : undefined;
      if (batch) {
        position = batch.next;
        yield batch;
      } else await state.latch.wait(ends);
    }
  }

  /** Reads in one go: no snapshot of LMDB outlives it, and the values are copies. Undefined when there is no record. */
  #batch<T extends Topic>(topic: T, state: PartitionState, from: Offset, batchBytesMax: number): LogBatch<T> | undefined {
    const records: LogRecord<T>[] = [];
    let next = from;
    let bytes = 0;
    try {
      const end = keyOf(topic, state.partition, state.next);
      for (const { key, value } of this.#store.scan(keyOf(topic, state.partition, from), end)) {
        if (records.length > 0 && bytes + value.length > batchBytesMax) break;
        const offset = offsetOf(key);
        records.push(this.#decoded(topic, offset, value));
        next = nextOffset(offset);
        bytes += value.length;
        if (bytes >= batchBytesMax) break;
      }
    } catch (error) {
      throw new PlayheadError('log_unavailable', `the log cannot be read: ${messageOf(error)}`, { cause: error });
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

  async join(group: string, work: PartitionWork): Promise<Membership> {
    this.#checkOpen();
    return this.#groups.join(group, work);
  }

  async trim(nowMs: number): Promise<void> {
    this.#checkOpen();
    // One trim at a time: two would remove the same records.
    const trimmed = this.#trimming.then(() => this.#trimAll(nowMs));
    this.#trimming = trimmed.catch(() => undefined);
    await trimmed;
  }

  async #trimAll(nowMs: number): Promise<void> {
    for (const topic of TOPIC_NAMES.filter(isTrimmed)) {
      for (const state of this.#states.get(topic) ?? []) {
        if (state.first < state.next) await this.#trimPartition(state, nowMs);
      }
    }
  }

  async #trimPartition(state: PartitionState, nowMs: number): Promise<void> {
    const { topic, partition } = state;
    const newest = TOPICS[topic].compacted ? await newestOffsets(this.#store, topic, partition) : undefined;
    while (!this.#closing.signal.aborted) {
      const step = nextStep(this.#store, topic, partition, state.next, nowMs, newest);
      if (!step) return;
      // Before the records go: a reader that is still before them hears position_gone instead of missing them.
      state.first = step.first;
      try {
        await this.#store.commit({ removes: step.keys, notes: [{ name: firstNote(topic, partition), value: step.first }] });
      } catch (error) {
        throw new PlayheadError('log_unavailable', `the log cannot be trimmed: ${messageOf(error)}`, { cause: error });
      }
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#groups.close();
    await this.#queue.drained();
    await this.#trimming;
    await this.#store.close();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new PlayheadError('log_unavailable', 'the log is closed');
  }

  #state(topic: Topic, partition: Partition): PartitionState {
    const state = this.#states.get(topic)?.[partition];
    if (!state) throw new RangeError(`no partition ${partition} of ${this.partitions} of ${topic}`);
    return state;
  }
}

function stateOf(store: LmdbStore, topic: Topic, partition: Partition): PartitionState {
  const { before, behind } = boundsOfKeys(topic, partition);
  const last = store.lastKey(before, behind);
  const first = toOffset((store.note(firstNote(topic, partition)) as number | undefined) ?? 0);
  const next = toOffset(Math.max(first, last ? offsetOf(last) + 1 : 0));
  return { topic, partition, first, next, unassigned: next, latch: new Latch() };
}

function firstNote(topic: Topic, partition: Partition): string {
  return `first/${topic}/${partition}`;
}
