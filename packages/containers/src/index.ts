export * from './clickhouse.ts';
export * from './haproxy.ts';
export * from './images.ts';
export * from './kafka.ts';
export * from './runtime.ts';
export * from './s3.ts';
export * from './schema-registry.ts';
