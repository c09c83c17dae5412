import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';
import type { EventLog, LogBatch, LogBounds, Membership, PartitionWork, ReadOptions, RecordCodec } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { LIMITS, nextOffset, PlayheadError, TOPIC_NAMES, TOPICS } from '@playhead/schemas';
import { CommitQueue } from './commit-queue.ts';
import type { LmdbStore } from './lmdb-store.ts';
import { messageOf, openLmdbStore } from './lmdb-store.ts';
import { firstNoteOf, LogReads } from './log-reads.ts';
import { encodeValue, keyOf, LAYOUT_VERSION } from './record-layout.ts';
import type { LogQuestion } from './thread-port.ts';
import { ThreadPort } from './thread-port.ts';
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

const COMMIT_TIMEOUT_MS = 30_000;

/** A log that other threads of the process may use, too. */
export interface SharedEventLog extends EventLog {
  /**
   * Lets one more thread in, which opens the log with `openThreadLog`.
   *
   * @returns what to hand over to it (it has to be transferred)
   */
  share(): MessagePort;
}

/**
 * Opens or creates the event log of one process, in a directory.
 *
 * One process at a time, and one thread of it: offsets are given here, and readers are woken from here. Other threads get it by `share`.
 *
 * @throws {PlayheadError} `invalid_request` when the log was created with another number of partitions;
 *   `log_unavailable` when it is open already or cannot be read
 */
export async function openLmdbLog(options: LmdbLogOptions): Promise<SharedEventLog> {
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

class LmdbLog implements SharedEventLog {
  readonly partitions: number;
  readonly #store: LmdbStore;
  readonly #codec: RecordCodec;
  readonly #now: () => number;
  readonly #reads: LogReads;
  /** What the next append to a partition gets. A failed append leaves a hole. */
  readonly #unassigned: ReadonlyMap<Topic, Offset[]>;
  readonly #queue: CommitQueue;
  readonly #threads = new Set<ThreadPort>();
  #trimming: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(store: LmdbStore, { partitions, codec, now = Date.now, commitTimeoutMs = COMMIT_TIMEOUT_MS }: LmdbLogOptions) {
    this.partitions = partitions;
    this.#store = store;
    this.#codec = codec;
    this.#now = now;
    this.#reads = new LogReads(store, partitions, codec);
    this.#queue = new CommitQueue((puts) => store.commit({ puts }), commitTimeoutMs);
    this.#unassigned = new Map(
      TOPIC_NAMES.map((topic) => [topic, Array.from({ length: partitions }, (_, partition) => this.#reads.bounds(topic, partition).next)]),
    );
  }

  async append<T extends Topic>(topic: T, partition: Partition, key: string, record: TopicRecords[T]): Promise<Offset> {
    const value = encodeValue(this.#now(), key, (roomBytes) => this.#codec.encode(topic, record, roomBytes));
    return this.#put(topic, partition, value);
  }

  /** @param value as {@link encodeValue} makes it */
  async #put(topic: Topic, partition: Partition, value: Buffer): Promise<Offset> {
    this.#reads.checkOpen();
    const offsets = this.#unassigned.get(topic) ?? [];
    const offset = offsets[partition];
    if (offset === undefined) throw new RangeError(`no partition ${partition} of ${this.partitions} of ${topic}`);
    offsets[partition] = nextOffset(offset);
    await this.#queue.add({ key: keyOf(topic, partition, offset), value });
    this.#reads.grow(topic, partition, nextOffset(offset));
    for (const thread of this.#threads) thread.grow(topic, partition, nextOffset(offset));
    return offset;
  }

  async bounds(topic: Topic, partition: Partition): Promise<LogBounds> {
    return this.#reads.bounds(topic, partition);
  }

  read<T extends Topic>(topic: T, partition: Partition, from: Offset, options: ReadOptions): AsyncIterable<LogBatch<T>> {
    return this.#reads.read(topic, partition, from, options);
  }

  async join(group: string, work: PartitionWork): Promise<Membership> {
    return this.#reads.join(group, work);
  }

  async trim(nowMs: number): Promise<void> {
    this.#reads.checkOpen();
    // One trim at a time: two would remove the same records.
    const trimmed = this.#trimming.then(() => this.#trimAll(nowMs));
    this.#trimming = trimmed.catch(() => undefined);
    await trimmed;
  }

  async #trimAll(nowMs: number): Promise<void> {
    for (const topic of TOPIC_NAMES.filter(isTrimmed)) {
      for (let partition = 0; partition < this.partitions; partition++) await this.#trimPartition(topic, partition, nowMs);
    }
  }

  async #trimPartition(topic: Topic, partition: Partition, nowMs: number): Promise<void> {
    if (this.#reads.closed) return;
    const { first, next } = this.#reads.bounds(topic, partition);
    if (first === next) return;
    const newest = TOPICS[topic].compacted ? await newestOffsets(this.#store, topic, partition) : undefined;
    while (!this.#reads.closed) {
      const step = nextStep(this.#store, topic, partition, this.#reads.bounds(topic, partition).next, nowMs, newest);
      if (!step) return;
      try {
        await this.#store.commit({ removes: step.keys, notes: [{ name: firstNoteOf(topic, partition), value: step.first }] });
      } catch (error) {
        throw new PlayheadError('log_unavailable', `the log cannot be trimmed: ${messageOf(error)}`, { cause: error });
      }
    }
  }

  share(): MessagePort {
    this.#reads.checkOpen();
    const { port1, port2 } = new MessageChannel();
    const answer = async (question: LogQuestion): Promise<unknown> => {
      if (question.kind === 'trim') return this.trim(question.nowMs);
      const { topic, partition, value } = question;
      return this.#put(topic, partition, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    };
    this.#threads.add(new ThreadPort(port1, answer, (thread) => this.#threads.delete(thread)));
    return port2;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#reads.close();
    await this.#queue.drained();
    await this.#trimming;
    for (const thread of this.#threads) thread.close();
    await this.#store.close();
  }
}
