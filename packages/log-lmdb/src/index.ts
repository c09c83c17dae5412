export type { LmdbLogOptions } from './lmdb-log.ts';
export { openLmdbLog } from './lmdb-log.ts';
