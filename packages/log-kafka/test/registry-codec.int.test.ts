import { AvroDeserializer, SchemaRegistryClient, SerdeType } from '@confluentinc/schemaregistry';
import type { SchemaRegistryContainer } from '@playhead/containers';
import { noContainers, startSchemaRegistry } from '@playhead/containers';
import type { Topic } from '@playhead/schemas';
import { TOPIC_NAMES } from '@playhead/schemas';
import { AVRO_SCHEMAS, avroCodec, avroReader, encodeAvro } from '@playhead/schemas/records';
import { anUpload, EXAMPLE_RECORDS } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRegistryCodec } from '../src/index.ts';

const UPLOADS = 'playhead.uploads';

interface RecordSchema {
  readonly fields: readonly { readonly name: string; readonly type: unknown; readonly default?: unknown }[];
}

/** The schema of uploads with other fields. */
function uploadSchemaWith(change: (fields: RecordSchema['fields']) => RecordSchema['fields']): string {
  const schema = AVRO_SCHEMAS[UPLOADS] as unknown as RecordSchema;
  return JSON.stringify({ ...schema, fields: change(schema.fields) });
}

describe.runIf(noContainers === '')(`openRegistryCodec${noContainers && ` (left out: ${noContainers})`}`, () => {
  let container: SchemaRegistryContainer;
  let registry: SchemaRegistryClient;
  beforeAll(async () => {
    container = await startSchemaRegistry();
    registry = new SchemaRegistryClient({ baseURLs: [container.url], createAxiosDefaults: { timeout: 5_000 } });
  }, 120_000);
  afterAll(() => container.stop());

  test('registers the schema of every topic under <topic>-value, with compatibility BACKWARD; again changes nothing', async () => {
    const topicPrefix = 'registered.';
    await openRegistryCodec({ url: container.url, topicPrefix });
    await openRegistryCodec({ url: container.url, topicPrefix });
    for (const topic of TOPIC_NAMES) {
      const subject = `${topicPrefix}${topic}-value`;
      expect(await registry.getAllVersions(subject)).toEqual([1]);
      expect(await registry.getCompatibility(subject)).toBe('BACKWARD');
      // The registry may write a schema differently; what counts is what it reads.
      const kept = JSON.parse((await registry.getLatestSchemaMetadata(subject)).schema) as Parameters<typeof avroReader>[1];
      const record = EXAMPLE_RECORDS[topic]();
      expect(avroReader(topic, kept)(encodeAvro(topic, record, 0), 0)).toEqual(record);
    }
  });

  test('every record comes back as it was', async () => {
    const codec = await openRegistryCodec({ url: container.url });
    const other = await openRegistryCodec({ url: container.url });
    for (const topic of TOPIC_NAMES) {
      const record = EXAMPLE_RECORDS[topic]();
      const bytes = codec.encode(topic, record);
      expect(other.ready?.(topic, bytes)).toBeUndefined();
      expect(other.decode(topic, bytes)).toEqual(record);
    }
  });

  test("Confluent's own deserializer reads what was written", async () => {
    const codec = await openRegistryCodec({ url: container.url });
    const deserializer = new AvroDeserializer(registry, SerdeType.VALUE, { subjectNameStrategyType: 'TOPIC' } as never);
    const read = async (topic: Topic): Promise<unknown> => {
      const bytes = codec.encode(topic, EXAMPLE_RECORDS[topic]());
      return deserializer.deserialize(topic, Buffer.from(bytes));
    };
    const upload = anUpload();
    expect(await read(UPLOADS)).toMatchObject({
      projectId: upload.projectId,
      sessionId: upload.sessionId,
      counter: 0,
      format: 'frames',
      facts: upload.facts,
      body: Buffer.from(upload.body),
    });
    expect(await read('playhead.watches')).toMatchObject(EXAMPLE_RECORDS['playhead.watches']());
    for (const topic of TOPIC_NAMES) expect(await read(topic)).toBeTypeOf('object');
  });

  test('a change that cannot read what was written before is refused, and opening fails', async () => {
    const topicPrefix = 'refused.';
    // What today's schema would need to read: a schema without one of its fields that has no default.
    const earlier = uploadSchemaWith((fields) => fields.filter(({ name }) => name !== 'sessionId'));
    await registry.register(`${topicPrefix}${UPLOADS}-value`, { schema: earlier, schemaType: 'AVRO' });
    const refused = openRegistryCodec({ url: container.url, topicPrefix });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(`refuses today's schema of ${topicPrefix}${UPLOADS}-value`),
    });
    expect(await registry.getAllVersions(`${topicPrefix}${UPLOADS}-value`)).toEqual([1]);
  });

  test('a record of another writer is read with the schema that it names, which is asked for once', async () => {
    const codec = await openRegistryCodec({ url: container.url });
    // A later program: a field more, behind all others.
    const later = uploadSchemaWith((fields) => [...fields, { name: 'added', type: 'string', default: '' }]);
    const id = await registry.register(`${UPLOADS}-value`, { schema: later, schemaType: 'AVRO' });
    const upload = anUpload({ counter: 7 });
    const bytes = framed(id, Buffer.concat([avroCodec.encode(UPLOADS, upload).subarray(1), Buffer.from([4]), Buffer.from('hi')]));

    expect(() => codec.decode(UPLOADS, bytes)).toThrow(/no schema/);
    const first = codec.ready?.(UPLOADS, bytes);
    expect(codec.ready?.(UPLOADS, bytes)).toBe(first);
    await first;
    expect(codec.ready?.(UPLOADS, bytes)).toBeUndefined();
    expect(codec.decode(UPLOADS, bytes)).toEqual(upload);
  });

  test('a record of a schema that nobody registered is a fault; what is not framed too', async () => {
    const codec = await openRegistryCodec({ url: container.url });
    const bytes = framed(123_456_789, Buffer.from('?'));
    await codec.ready?.(UPLOADS, bytes);
    expect(() => codec.decode(UPLOADS, bytes)).toThrow(/no schema 123456789/);
    for (const junk of [new Uint8Array(), Uint8Array.of(1, 2, 3, 4, 5, 6)]) {
      expect(codec.ready?.(UPLOADS, junk)).toBeUndefined();
      expect(() => codec.decode(UPLOADS, junk)).toThrow(/not a record/);
    }
  });

  test('opening fails clearly when the registry does not answer', async () => {
    await expect(openRegistryCodec({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'unavailable' });
  });
});

function framed(id: number, body: Uint8Array): Uint8Array {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return new Uint8Array(Buffer.concat([header, body]));
}
