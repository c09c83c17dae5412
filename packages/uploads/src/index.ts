export * from './inflate-body.ts';
export * from './pieces.ts';
export * from './read-upload.ts';
