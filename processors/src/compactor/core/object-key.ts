import type { Offset, Partition } from '@playhead/schemas';

/** Digits of an offset in a key: 2^53 has 16, so that the order of keys is the order of offsets. */
const OFFSET_DIGITS = 16;
const PARTITION_DIGITS = 4;

function padded(offset: number): string {
  return String(offset).padStart(OFFSET_DIGITS, '0');
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

/** All checkpoints of a partition begin with this. */
export function checkpointPrefix(partition: Partition): string {
  return `checkpoints/${partitionFolder(partition)}/`;
}

/** The checkpoint of the chain that ends with the flush at `flushesOffset` of `playhead.flushes`. */
export function checkpointKey(partition: Partition, flushesOffset: Offset): string {
  return `${checkpointPrefix(partition)}${padded(flushesOffset)}`;
}
