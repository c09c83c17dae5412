export type { KafkaLogOptions, KafkaLogSettings } from './kafka-log.ts';
export { openKafkaLog } from './kafka-log.ts';
