import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { EventLog, LogBatch, LogRecord, RecordCodec } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { anUpload } from '../builders.ts';

/** The upload id of a record that {@link contractCodec} writes as bytes that nobody can decode. */
export const UNDECODABLE = 'undecodable';

export interface ContractCodec extends RecordCodec {
  /** How many records were decoded so far. */
  readonly decoded: number;
}

/**
 * A codec for the contract alone: knows every topic, marks records with their topic so that a mix-up is seen, and can
 * write undecodable bytes.
 */
export function contractCodec(): ContractCodec {
  let decoded = 0;
  return {
    get decoded() {
      return decoded;
    },
    encode(topic, record, roomBytes = 0) {
      const undecodable = 'uploadId' in record && record.uploadId === UNDECODABLE;
      return Buffer.concat([Buffer.alloc(roomBytes), undecodable ? Uint8Array.of(0xba, 0xad) : serialize({ topic, record })]);
    },
    decode<T extends Topic>(topic: T, bytes: Uint8Array): TopicRecords[T] {
      decoded += 1;
      const content = deserialize(bytes) as { topic: Topic; record: TopicRecords[T] };
      if (content.topic !== topic) throw new Error(`a record of ${content.topic} in ${topic}`);
      return content.record;
    },
  };
}

/** An upload that is known by its counter; the body depends on it. */
export function numbered(counter: number, bodyBytes = 32): TopicRecords['playhead.uploads'] {
  return anUpload({ counter, uploadId: `upload-${counter}`, body: new Uint8Array(bodyBytes).fill(counter % 251) });
}

export interface TakeOptions {
  readonly batchBytesMax?: number;
}

/** Reads until `count` records have come. */
export async function take<T extends Topic>(
  log: EventLog,
  topic: T,
  partition: Partition,
  from: Offset,
  count: number,
  options: TakeOptions = {},
): Promise<LogRecord<T>[]> {
  const batches = await takeBatches(log, topic, partition, from, count, options);
  return batches.flatMap((batch) => batch.records);
}

/** Reads until at least `count` records have come. */
export async function takeBatches<T extends Topic>(
  log: EventLog,
  topic: T,
  partition: Partition,
  from: Offset,
  count: number,
  options: TakeOptions = {},
): Promise<LogBatch<T>[]> {
  const stop = new AbortController();
  const batches: LogBatch<T>[] = [];
  let records = 0;
  try {
    for await (const batch of log.read(topic, partition, from, { signal: stop.signal, ...options })) {
      batches.push(batch);
      records += batch.records.length;
      if (records >= count) break;
    }
  } finally {
    stop.abort();
  }
  return batches;
}

/** The counters of uploads. */
export function countersOf(records: readonly LogRecord<'playhead.uploads'>[]): (number | null | undefined)[] {
  return records.map((record) => record.record?.counter);
}

/** The same record with a digest in place of its body: comparing long bodies byte by byte takes seconds. */
export function digested(entry: { readonly record: TopicRecords['playhead.uploads'] | null | undefined }): object {
  if (!entry.record) return entry;
  return { ...entry, record: { ...entry.record, body: createHash('sha256').update(entry.record.body).digest('hex') } };
}

export interface OpenedEventLog {
  readonly log: EventLog;
  /** Where the adapter persists: opens the same log again, after the first was closed. */
  readonly reopen?: () => Promise<EventLog>;
}
