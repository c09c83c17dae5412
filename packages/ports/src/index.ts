export type * from './block-store.ts';
export type * from './catalog.ts';
export type * from './event-log.ts';
export * from './latch.ts';
export * from './object-key.ts';
export * from './partition-groups.ts';
export * from './pause.ts';
export * from './runtime.ts';
