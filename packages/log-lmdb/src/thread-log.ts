import type { MessagePort } from 'node:worker_threads';
import type { EventLog, LogBatch, LogBounds, Membership, PartitionWork, ReadOptions, RecordCodec } from '@playhead/ports';
import { ThreadCalls } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { nextOffset } from '@playhead/schemas';
import type { LmdbReads } from './lmdb-store.ts';
import { openLmdbReads } from './lmdb-store.ts';
import { LogReads } from './log-reads.ts';
import { encodeValue } from './record-layout.ts';
import type { LogNews, LogQuestion } from './thread-port.ts';

export interface ThreadLogOptions {
  /** What `share` of the log gave. */
  readonly port: MessagePort;
  /** The directory and the number of partitions with which the log was opened. */
  readonly path: string;
  readonly partitions: number;
  readonly codec: RecordCodec;
  /** Unix ms: the append time that retention counts from. */
  readonly now?: () => number;
}

/**
 * Opens the log that another thread of this process has open. Records are encoded, read and decoded in this thread; the other
 * one gives the offsets, writes, and tells what has become durable.
 *
 * Groups are those of this thread: members of one group join in one thread. To be closed before the log itself.
 *
 * @throws {PlayheadError} `log_unavailable`
 */
export async function openThreadLog(options: ThreadLogOptions): Promise<EventLog> {
  return new ThreadLog(await openLmdbReads(options.path), options);
}

class ThreadLog implements EventLog {
  readonly partitions: number;
  readonly #store: LmdbReads;
  readonly #codec: RecordCodec;
  readonly #now: () => number;
  readonly #reads: LogReads;
  readonly #writer: ThreadCalls<LogQuestion, LogNews>;
  #closed: Promise<void> | undefined;

  constructor(store: LmdbReads, { port, partitions, codec, now = Date.now }: ThreadLogOptions) {
    this.partitions = partitions;
    this.#store = store;
    this.#codec = codec;
    this.#now = now;
    this.#reads = new LogReads(store, partitions, codec);
    this.#writer = new ThreadCalls(port, 'log_unavailable', (news) => {
      for (const { topic, partition, next } of news) this.#grow(topic, partition, next);
    });
  }

  async append<T extends Topic>(topic: T, partition: Partition, key: string, record: TopicRecords[T]): Promise<Offset> {
    this.#reads.checkOpen();
    const value = encodeValue(this.#now(), key, (roomBytes) => this.#codec.encode(topic, record, roomBytes));
    // A buffer that Node shares among small ones cannot be handed over, and would be copied whole.
    const alone = value.length === value.buffer.byteLength ? value : new Uint8Array(value);
    const offset = (await this.#writer.ask({ kind: 'append', topic, partition, value: alone }, [alone.buffer as ArrayBuffer])) as Offset;
    // Before the news of it comes.
    this.#grow(topic, partition, nextOffset(offset));
    return offset;
  }

  #grow(topic: Topic, partition: Partition, next: Offset): void {
    // What is durable is in the store, and has to be found there.
    this.#store.renew();
    this.#reads.grow(topic, partition, next);
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
    await this.#writer.ask({ kind: 'trim', nowMs });
    this.#store.renew();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#reads.close();
    await this.#writer.close();
    await this.#store.close();
  }
}
