import type { BlockStore } from '@playhead/ports';
import type { Partition } from '@playhead/schemas';
import { checkpointKey, checkpointPrefix } from '../core/object-key.ts';
import type { Checkpoint } from './core/checkpoint.ts';
import { encodeCheckpoint } from './core/checkpoint.ts';

/** One to use, one to fall back to. */
const CHECKPOINTS_KEPT = 2;

/** Writes a checkpoint and removes those that it makes superfluous. One that is there already stands on the same flush and stays. */
export async function writeCheckpoint(blocks: BlockStore, checkpoint: Checkpoint): Promise<void> {
  await blocks.put(checkpointKey(checkpoint.partition, checkpoint.flushesOffset), [encodeCheckpoint(checkpoint)]);
  await removeOld(blocks, checkpoint.partition);
}

async function removeOld(blocks: BlockStore, partition: Partition): Promise<void> {
  const keys: string[] = [];
  for await (const object of blocks.list(checkpointPrefix(partition))) keys.push(object.key);
  for (const key of keys.slice(0, -CHECKPOINTS_KEPT)) await blocks.delete(key);
}
