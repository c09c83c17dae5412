export * from './images.ts';
export * from './runtime.ts';
