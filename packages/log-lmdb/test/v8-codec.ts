import { deserialize, serialize } from 'node:v8';
import type { RecordCodec } from '@playhead/ports';
import type { Topic, TopicRecords } from '@playhead/schemas';

/** Records as V8 clones them: these tests are about the log, not about Avro. */
export const v8Codec: RecordCodec = {
  encode: (_topic, record, roomBytes = 0) => Buffer.concat([Buffer.alloc(roomBytes), serialize(record)]),
  decode: <T extends Topic>(_topic: T, bytes: Uint8Array) => deserialize(bytes) as TopicRecords[T],
};
