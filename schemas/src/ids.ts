/**
 * Names and numbers that must not be mixed up.
 *
 * The brands cost nothing at run time; they keep an offset from being used as an index.
 */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Place of a record in one partition of one topic. Grows, may have holes (Kafka's do). Bounds: 0 .. 2^53-1. */
export type Offset = Branded<number, 'Offset'>;

/** "Before the first offset": the `prevLastOffset` of the first flush of a partition, and the chain end of an empty chain. */
export const NO_OFFSET = -1 as Offset;

export function toOffset(value: number): Offset {
  if (!Number.isSafeInteger(value) || value < -1) throw new RangeError(`not an offset: ${value}`);
  return value as Offset;
}

/** The offset right behind `offset`: where a reader that has seen it continues. */
export function nextOffset(offset: Offset): Offset {
  return (offset + 1) as Offset;
}

/** Number of a partition. Bounds: 0 .. LIMITS.partitionsMax-1. */
export type Partition = number;

const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$/;
const WINDOW_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Session ids are UUIDv7, or 8 to 64 characters of `[A-Za-z0-9_-]` where a foreign recorder brings its own. */
export function isSessionId(value: string): boolean {
  return SESSION_ID.test(value);
}

/** Window ids and upload ids: 1 to 64 characters of `[A-Za-z0-9_-]`. */
export function isWindowId(value: string): boolean {
  return WINDOW_ID.test(value);
}

/**
 * A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix ms, then randomness.
 *
 * @param nowMs Unix time in ms
 * @param random 10 random bytes
 */
export function uuidv7(nowMs: number, random: Uint8Array): string {
  if (random.length < 10) throw new RangeError('uuidv7 needs 10 random bytes');
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(nowMs / 2 ** 32));
  view.setUint32(2, nowMs % 2 ** 32);
  bytes.set(random.subarray(0, 10), 6);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * The partition that holds a session: FNV-1a (32 bit) over the id's UTF-16 code units, modulo the partition count.
 * The same on every topic, so that a session's uploads, flushes, facts and watches share one number.
 */
export function partitionOf(sessionId: string, partitions: number): Partition {
  let hash = 0x811c9dc5;
  for (let i = 0; i < sessionId.length; i++) {
    hash ^= sessionId.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
