import type { Offset, Partition, Topic } from '@playhead/schemas';
import { nextOffset, TOPICS } from '@playhead/schemas';
import type { LmdbStore } from './lmdb-store.ts';
import { boundsOfKeys, decodeValue, keyOf, offsetOf } from './record-layout.ts';

/** One transaction of a trim removes at most so much, so that appends are not held up. */
const STEP_RECORDS_MAX = 512;
const STEP_BYTES_MAX = 8 * 1024 * 1024;

export interface TrimStep {
  readonly keys: readonly Buffer[];
  /** The partition's first offset when the step is done. */
  readonly first: Offset;
}

/** True for topics of which something may go. */
export function isTrimmed(topic: Topic): boolean {
  return TOPICS[topic].retentionMs !== null || TOPICS[topic].compacted;
}

/** The newest offset of each key of a partition. Memory: one entry per key. */
export async function newestOffsets(store: LmdbStore, topic: Topic, partition: Partition): Promise<Map<string, Offset>> {
  const newest = new Map<string, Offset>();
  let { before: from, behind } = boundsOfKeys(topic, partition);
  for (;;) {
    let seen = 0;
    for (const { key, value } of store.scan(from, behind)) {
      newest.set(keyIn(value), offsetOf(key));
      from = keyOf(topic, partition, nextOffset(offsetOf(key)));
      seen += 1;
      if (seen === STEP_RECORDS_MAX) break;
    }
    if (seen < STEP_RECORDS_MAX) return newest;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * The next records to go: a prefix of the partition, of which each is older than the retention or has a newer record of
 * its key. Undefined when the first one stays.
 *
 * @param next the partition's end: its first offset when nothing stays
 */
export function nextStep(
  store: LmdbStore,
  topic: Topic,
  partition: Partition,
  next: Offset,
  nowMs: number,
  newest: ReadonlyMap<string, Offset> | undefined,
): TrimStep | undefined {
  const { retentionMs } = TOPICS[topic];
  const { before } = boundsOfKeys(topic, partition);
  const keys: Buffer[] = [];
  let bytes = 0;
  let first: Offset = next;
  for (const { key, value } of store.scan(before, keyOf(topic, partition, next))) {
    const offset = offsetOf(key);
    const full = keys.length === STEP_RECORDS_MAX || bytes > STEP_BYTES_MAX;
    if (full || !mayGo(offset, value, nowMs, retentionMs, newest)) {
      const last = keys.at(-1);
      first = last ? nextOffset(offsetOf(last)) : offset;
      break;
    }
    keys.push(key);
    bytes += value.length;
  }
  return keys.length === 0 ? undefined : { keys, first };
}

function mayGo(
  offset: Offset,
  value: Uint8Array,
  nowMs: number,
  retentionMs: number | null,
  newest: ReadonlyMap<string, Offset> | undefined,
): boolean {
  const { appendedAtMs, key } = decodeValue(value);
  const expired = retentionMs !== null && appendedAtMs < nowMs - retentionMs;
  return expired || (newest?.get(key) ?? offset) > offset;
}

function keyIn(value: Uint8Array): string {
  return decodeValue(value).key;
}
