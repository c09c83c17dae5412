import type { Offset, Partition, Topic } from '@playhead/schemas';
import { BytesFault, toOffset } from '@playhead/schemas';

/**
 * How a record lies in LMDB. All integers are big-endian, so that the order of keys is the order of offsets.
 *
 *     key (11 bytes)
 *     ┌──────────┬───────────────┬────────────┐
 *     │ u8 topic │ u16 partition │ u64 offset │
 *     └──────────┴───────────────┴────────────┘
 *
 *     value v1
 *     ┌────────┬──────────────────────┬────────────────┬────────────┬───────────────────────────────┐
 *     │ u8 = 1 │ u48 append time (ms) │ u16 key length │ key, UTF-8 │ the record, as the codec says │
 *     └────────┴──────────────────────┴────────────────┴────────────┴───────────────────────────────┘
 */
export const LAYOUT_VERSION = 1;

const KEY_BYTES = 11;
const HEADER_BYTES = 9;
const RECORD_KEY_BYTES_MAX = 0xffff;

/** A code is never given to another topic. */
export const TOPIC_CODE: Readonly<Record<Topic, number>> = {
  'playhead.uploads': 1,
  'playhead.flushes': 2,
  'playhead.sessions': 3,
  'playhead.watches': 4,
  'playhead.rejected': 5,
  'playhead.merges': 6,
};

export function keyOf(topic: Topic, partition: Partition, offset: Offset): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeUInt8(TOPIC_CODE[topic], 0);
  key.writeUInt16BE(partition, 1);
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 3);
  key.writeUInt32BE(offset % 2 ** 32, 7);
  return key;
}

export function offsetOf(key: Uint8Array): Offset {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return toOffset(view.getUint32(3) * 2 ** 32 + view.getUint32(7));
}

/** A key before every record of the partition, and one behind them. */
export function boundsOfKeys(topic: Topic, partition: Partition): { before: Buffer; behind: Buffer } {
  const before = keyOf(topic, partition, toOffset(0)).subarray(0, 3);
  return { before, behind: Buffer.concat([before, Buffer.alloc(KEY_BYTES - before.length, 0xff)]) };
}

/**
 * @param appendedAtMs Unix ms
 * @param encode the record, behind as many bytes as it is told: a large one is not copied to get its header
 * @throws {RangeError} for a key of more than 65535 bytes
 */
export function encodeValue(appendedAtMs: number, key: string, encode: (roomBytes: number) => Uint8Array): Buffer {
  const keyBytes = Buffer.byteLength(key);
  if (keyBytes > RECORD_KEY_BYTES_MAX) throw new RangeError(`a record's key has ${keyBytes} bytes`);
  const { buffer, byteOffset, byteLength } = encode(HEADER_BYTES + keyBytes);
  const value = Buffer.from(buffer, byteOffset, byteLength);
  value.writeUInt8(LAYOUT_VERSION, 0);
  value.writeUIntBE(Math.min(Math.max(0, Math.floor(appendedAtMs)), 2 ** 48 - 1), 1, 6);
  value.writeUInt16BE(keyBytes, 7);
  value.write(key, HEADER_BYTES);
  return value;
}

export interface DecodedValue {
  readonly appendedAtMs: number;
  readonly key: string;
  /** A view. */
  readonly record: Uint8Array;
}

/** @throws {BytesFault} for bytes that `encodeValue` did not write */
export function decodeValue(value: Uint8Array): DecodedValue {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < HEADER_BYTES) throw new BytesFault(`a record of ${bytes.length} bytes in the log`, 0);
  const version = bytes.readUInt8(0);
  if (version !== LAYOUT_VERSION) throw new BytesFault(`a record of layout ${version} in the log`, 0);
  const keyEnd = HEADER_BYTES + bytes.readUInt16BE(7);
  if (keyEnd > bytes.length) throw new BytesFault('a record in the log ends in its key', HEADER_BYTES);
  return { appendedAtMs: bytes.readUIntBE(1, 6), key: bytes.toString('utf8', HEADER_BYTES, keyEnd), record: bytes.subarray(keyEnd) };
}
