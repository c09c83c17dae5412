export type { KafkaClientName, KafkaLogOptions, KafkaLogSettings } from './kafka-log.ts';
export { openKafkaLog } from './kafka-log.ts';
export type { RegistryCodecOptions } from './registry-codec.ts';
export { openRegistryCodec } from './registry-codec.ts';
