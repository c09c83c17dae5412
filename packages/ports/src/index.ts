export type * from './block-store.ts';
export type * from './catalog.ts';
export type * from './event-log.ts';
export * from './runtime.ts';
