export type { DiskBlocksOptions } from './disk-blocks.ts';
export { openDiskBlocks } from './disk-blocks.ts';
