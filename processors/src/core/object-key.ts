import type { Offset, Partition } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';

/** Digits of an offset or a number in a key: 2^53 has 16, so that the order of keys is that of offsets. */
const OFFSET_DIGITS = 16;
const PARTITION_DIGITS = 4;

function padded(value: number): string {
  return String(value).padStart(OFFSET_DIGITS, '0');
}

function partitionFolder(partition: Partition): string {
  return `p${String(partition).padStart(PARTITION_DIGITS, '0')}`;
}

/**
 * Where a flush puts its object: `uploads/p0003/<first>-<last>-<hash>`. Equal names are equal bytes, so writing an
 * object again, by anybody, is harmless.
 *
 * @param sha256Hex of the object's bytes; the first 16 digits are used
 */
export function objectKeyOf(partition: Partition, firstOffset: Offset, lastOffset: Offset, sha256Hex: string): string {
  return `uploads/${partitionFolder(partition)}/${padded(firstOffset)}-${padded(lastOffset)}-${sha256Hex.slice(0, 16)}`;
}

/**
 * Where a merge puts its object: `merged/p0003/<number>-<hash>`. Equal names are equal bytes here as well.
 *
 * @param sha256Hex of the object's bytes; the first 16 digits are used
 */
export function mergedKeyOf(partition: Partition, number: number, sha256Hex: string): string {
  return `merged/${partitionFolder(partition)}/${padded(number)}-${sha256Hex.slice(0, 16)}`;
}

/** All objects of a partition's flushes and merges begin with one of these. */
export function objectPrefixes(partition: Partition): readonly string[] {
  return [`uploads/${partitionFolder(partition)}/`, `merged/${partitionFolder(partition)}/`];
}

/** What wrote an object, as its key tells. */
export type ObjectOrigin =
  | { readonly kind: 'flush'; readonly firstOffset: Offset; readonly lastOffset: Offset }
  | { readonly kind: 'merge'; readonly number: number };

const FLUSH_KEY = /^uploads\/p\d{4}\/(\d{16})-(\d{16})-[0-9a-f]{16}$/;
const MERGE_KEY = /^merged\/p\d{4}\/(\d{16})-[0-9a-f]{16}$/;

/** Null for a key that neither {@link objectKeyOf} nor {@link mergedKeyOf} makes. */
export function originOf(key: string): ObjectOrigin | null {
  const [, first, last] = FLUSH_KEY.exec(key) ?? [];
  if (first !== undefined && last !== undefined)
    return { kind: 'flush', firstOffset: toOffset(Number(first)), lastOffset: toOffset(Number(last)) };
  const [, number] = MERGE_KEY.exec(key) ?? [];
  return number === undefined ? null : { kind: 'merge', number: Number(number) };
}

/** All checkpoints of a partition begin with this. */
export function checkpointPrefix(partition: Partition): string {
  return `checkpoints/${partitionFolder(partition)}/`;
}

/** The checkpoint of the chain that ends with the flush at `flushesOffset` of `playhead.flushes`. */
export function checkpointKey(partition: Partition, flushesOffset: Offset): string {
  return `${checkpointPrefix(partition)}${padded(flushesOffset)}`;
}
