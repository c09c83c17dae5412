export * from './blocks/memory-blocks.ts';
export * from './builders.ts';
export * from './catalog/index.ts';
export * from './clock.ts';
export * from './jpeg.ts';
export * from './log/memory-log.ts';
export * from './logger.ts';
