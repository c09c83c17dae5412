import type { Clock, EventLog, LogBatch, LogBounds, LogRecord, ReadOptions, RecordCodec } from '@playhead/ports';
import { Latch, PartitionGroups, systemClock } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { PlayheadError, TOPICS, toOffset } from '@playhead/schemas';

export interface MemoryLogOptions {
  readonly partitions: number;
  /** Without a codec records are kept as deep copies; with one as bytes, so that a reader sees what the codec does to them. */
  readonly codec?: RecordCodec;
  /** Unix ms: the append time that retention counts from. */
  readonly now?: () => number;
  /** Leaves a hole behind every n-th record of a partition, like the markers in Kafka's offsets. Default: no holes. */
  readonly holeEvery?: number;
  /** For the pause before rejected `work` is called again. */
  readonly setTimer?: Clock['setTimer'];
}

interface StoredRecord {
  readonly offset: Offset;
  readonly key: string;
  readonly appendedAtMs: number;
  readonly size: number;
  readonly content: { readonly bytes: Uint8Array } | { readonly record: unknown };
}

/** One partition of one topic. */
class PartitionLog {
  /** Ascending by offset. */
  records: StoredRecord[] = [];
  first = toOffset(0);
  next = toOffset(0);
  appended = 0;
  readonly latch = new Latch();
}

const BATCH_BYTES_MAX = 1024 * 1024;
/** What a record weighs in a batch besides its body, where there is no codec to tell. */
const RECORD_BYTES = 256;

/** An event log in memory that keeps every rule of the port but durability: it dies with the process. */
export function memoryLog(options: MemoryLogOptions): EventLog {
  const { partitions, codec, now = Date.now, holeEvery = 0, setTimer = (ms, run) => systemClock.setTimer(ms, run) } = options;
  const logs = new Map<string, PartitionLog>();
  const groups = new PartitionGroups(partitions, setTimer);
  const closing = new AbortController();

  function logOf(topic: Topic, partition: Partition): PartitionLog {
    if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
      throw new RangeError(`partition ${partition} of ${partitions}`);
    }
    const name = `${topic}/${partition}`;
    let log = logs.get(name);
    if (!log) {
      log = new PartitionLog();
      logs.set(name, log);
    }
    return log;
  }

  function checkOpen(): void {
    if (closing.signal.aborted) throw new PlayheadError('log_unavailable', 'the log is closed');
  }

  function decoded<T extends Topic>(topic: T, stored: StoredRecord): LogRecord<T> {
    const { offset, key, content } = stored;
    if (!('bytes' in content)) return { offset, key, record: structuredClone(content.record) as TopicRecords[T] };
    if (!codec) throw new Error('bytes without a codec');
    try {
      return { offset, key, record: codec.decode(topic, content.bytes.slice()) };
    } catch (error) {
      return { offset, key, record: null, fault: error instanceof Error ? error.message : String(error) };
    }
  }

  async function* readFrom<T extends Topic>(
    topic: T,
    log: PartitionLog,
    from: Offset,
    { signal, batchBytesMax = BATCH_BYTES_MAX }: ReadOptions,
  ): AsyncGenerator<LogBatch<T>> {
    checkOpen();
    const ends = AbortSignal.any([signal, closing.signal]);
    let position = from;
    while (!ends.aborted) {
      if (position < log.first) {
        throw new PlayheadError('position_gone', `the log begins at ${log.first}, asked for ${position}`, {
          details: { first: log.first },
        });
      }
      const batch: LogRecord<T>[] = [];
      let bytes = 0;
      for (let i = indexFrom(log.records, position); i < log.records.length && bytes < batchBytesMax; i++) {
        const stored = log.records[i];
        if (!stored) break;
        if (batch.length > 0 && bytes + stored.size > batchBytesMax) break;
        batch.push(decoded(topic, stored));
        bytes += stored.size;
        position = toOffset(stored.offset + 1);
      }
      if (batch.length > 0) yield { records: batch, next: position };
      else await log.latch.wait(ends);
    }
  }

  return {
    partitions,

    async append(topic, partition, key, record) {
      checkOpen();
      const log = logOf(topic, partition);
      const content = codec ? { bytes: codec.encode(topic, record).slice() } : { record: structuredClone(record) };
      const size = 'bytes' in content ? content.bytes.length : RECORD_BYTES + bodyBytes(record);
      const offset = log.next;
      log.records.push({ offset, key, appendedAtMs: now(), size, content });
      log.appended += 1;
      const hole = holeEvery > 0 && log.appended % holeEvery === 0 ? 1 : 0;
      log.next = toOffset(offset + 1 + hole);
      log.latch.open();
      return offset;
    },

    async bounds(topic, partition): Promise<LogBounds> {
      checkOpen();
      const { first, next } = logOf(topic, partition);
      return { first, next };
    },

    read(topic, partition, from, readOptions) {
      return readFrom(topic, logOf(topic, partition), from, readOptions);
    },

    async join(group, work) {
      checkOpen();
      return groups.join(group, work);
    },

    async trim(nowMs) {
      checkOpen();
      for (const [name, log] of logs) {
        const topic = name.slice(0, name.lastIndexOf('/')) as Topic;
        const count = trimmable(topic, log.records, nowMs);
        if (count === 0) continue;
        const last = log.records[count - 1];
        log.records = log.records.slice(count);
        log.first = log.records.length === 0 ? log.next : toOffset((last?.offset ?? -1) + 1);
      }
    },

    async close() {
      closing.abort();
      await groups.close();
    },
  };
}

/** How many records at the beginning of a partition the topic's retention no longer keeps. */
function trimmable(topic: Topic, records: readonly StoredRecord[], nowMs: number): number {
  const { retentionMs, compacted } = TOPICS[topic];
  const newest = new Map(compacted ? records.map((record) => [record.key, record.offset]) : []);
  const kept = records.findIndex((record) => {
    const expired = retentionMs !== null && record.appendedAtMs < nowMs - retentionMs;
    const superseded = compacted && newest.get(record.key) !== record.offset;
    return !expired && !superseded;
  });
  return kept === -1 ? records.length : kept;
}

/** Index of the first record at or behind `offset`. */
function indexFrom(records: readonly StoredRecord[], offset: Offset): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.offset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bodyBytes(record: object): number {
  return 'body' in record && record.body instanceof Uint8Array ? record.body.length : 0;
}
