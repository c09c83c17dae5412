export type { LmdbLogOptions, SharedEventLog } from './lmdb-log.ts';
export { openLmdbLog } from './lmdb-log.ts';
export type { ThreadLogOptions } from './thread-log.ts';
export { openThreadLog } from './thread-log.ts';
