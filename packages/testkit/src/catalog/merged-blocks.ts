import type { StoredBlock } from '@playhead/ports';
import type { Offset, Partition } from '@playhead/schemas';

/** A block as the catalog has it, and the partition that it is of. */
export type PartitionBlock = StoredBlock & { readonly partition: Partition };

/** A merged block, the first block that it replaces, and when its merge was made. */
export interface ReplacingBlock extends PartitionBlock {
  readonly firstFlush: Offset;
  readonly mergedAtMs: number;
}

/** Whether the block is one of those that the merged block of the same session replaces. */
export function isReplacedBy(block: PartitionBlock, by: ReplacingBlock): boolean {
  return block.partition === by.partition && by.firstFlush <= block.flushLastOffset && block.flushLastOffset <= by.flushLastOffset;
}

/**
 * What readers get of a session's blocks (CA15): merged ones in the place of those that they replace, as soon as the chain
 * reaches the last of these; in order of position.
 */
export function inPlaceOfReplaced(
  blocks: Iterable<PartitionBlock>,
  merged: Iterable<ReplacingBlock>,
  partition: Partition,
  chainEnd: Offset,
): readonly StoredBlock[] {
  const isSeen = (block: PartitionBlock): boolean => block.partition === partition && block.flushLastOffset <= chainEnd;
  const replacing = [...merged].filter(isSeen);
  const left = [...blocks].filter((block) => isSeen(block) && !replacing.some((by) => isReplacedBy(block, by)));
  return [
    ...left.map(({ partition: _partition, ...block }): StoredBlock => block),
    ...replacing.map(({ partition: _partition, firstFlush: _first, mergedAtMs: _made, ...block }): StoredBlock => block),
  ].toSorted((a, b) => a.flushLastOffset - b.flushLastOffset);
}
