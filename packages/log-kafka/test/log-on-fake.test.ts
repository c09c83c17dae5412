import type { EventLog, LogRecord, RecordCodec } from '@playhead/ports';
import { LIMITS, PlayheadError, TOPIC_NAMES, toOffset } from '@playhead/schemas';
import { AVRO_SCHEMAS, avroCodec } from '@playhead/schemas/records';
import { anUpload, silentLogger } from '@playhead/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KafkaFault } from '../src/kafka-client.ts';
import type { KafkaLogSettings } from '../src/kafka-log.ts';
import { openLogOn } from '../src/kafka-log.ts';
import { registryCodec } from '../src/registry-codec.ts';
import type { SchemaRegistry } from '../src/schema-registry.ts';
import { FakeKafka } from './fake-kafka.ts';

const UPLOADS = 'playhead.uploads';

async function open(kafka: FakeKafka, settings: Partial<KafkaLogSettings> = {}): Promise<EventLog> {
  const log = await openLogOn(kafka, {
    partitions: 2,
    replication: 3,
    codec: avroCodec,
    logger: silentLogger,
    fetch: { maxWaitMs: 20 },
    ...settings,
  });
  onTestFinished(() => log.close());
  return log;
}

async function take(log: EventLog, count: number): Promise<LogRecord<typeof UPLOADS>[]> {
  const taken: LogRecord<typeof UPLOADS>[] = [];
  const { signal } = new AbortController();
  for await (const { records } of log.read(UPLOADS, 0, toOffset(0), { signal })) {
    taken.push(...records);
    if (taken.length >= count) break;
  }
  return taken;
}

/** A registry of which a test says what it answers. */
function fakeRegistry(): SchemaRegistry & { answer: () => string | undefined; lookups: number } {
  let ids = 0;
  const registry = {
    lookups: 0,
    answer: (): string | undefined => undefined,
    register: async () => ++ids,
    schema: async () => {
      registry.lookups += 1;
      return registry.answer();
    },
  };
  return registry;
}

describe('openLogOn', () => {
  test('creates every topic with the settings that it needs; three replicas bear the loss of one', async () => {
    const kafka = new FakeKafka();
    await open(kafka, { topicPrefix: 'test.' });
    expect(kafka.created.map(({ topic }) => topic)).toEqual(TOPIC_NAMES.map((topic) => `test.${topic}`));
    for (const { partitions, replication, settings } of kafka.created) {
      expect({ partitions, replication }).toEqual({ partitions: 2, replication: 3 });
      expect(settings['min.insync.replicas']).toBe('2');
      expect(Number(settings['max.message.bytes'])).toBeGreaterThan(LIMITS.uploadBytesMax);
    }
    await open(kafka, { topicPrefix: 'test.' });
    expect(kafka.created).toHaveLength(TOPIC_NAMES.length);
  });

  test.each([
    ['playhead.flushes', 'retention.ms', '604800000', /playhead\.flushes cannot be used: retention\.ms is 604800000, and must be -1/],
    ['playhead.sessions', 'retention.bytes', '1000000', /retention\.bytes is 1000000, and must be -1/],
    ['playhead.uploads', 'max.message.bytes', '1048588', /max\.message\.bytes is 1048588, and must be at least/],
    ['playhead.uploads', 'retention.ms', '3600000', /must be -1 or at least 259200000/],
    ['playhead.uploads', 'cleanup.policy', 'compact', /cleanup\.policy is compact, and must be delete/],
  ])('refuses a topic %s that was made with %s=%s, and says what it must be', async (topic, name, value, reason) => {
    const kafka = new FakeKafka();
    const settings = { 'max.message.bytes': '100000000', 'retention.ms': '-1', [name]: value };
    await kafka.createTopics([{ topic, partitions: 2, replication: 3, settings }]);
    await expect(open(kafka)).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringMatching(reason) });
  });

  test('takes topics of which the settings may not be read', async () => {
    const kafka = new FakeKafka();
    await open(kafka);
    kafka.topicSettings = () => Promise.reject(new KafkaFault('refused', 'TOPIC_AUTHORIZATION_FAILED'));
    expect((await open(kafka)).partitions).toBe(2);
  });

  test('refuses a number of partitions that is none', async () => {
    for (const partitions of [0, 1.5, LIMITS.partitionsMax + 1]) {
      await expect(open(new FakeKafka(), { partitions })).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  test('a record that no broker would take is too_large, and nothing is sent', async () => {
    const kafka = new FakeKafka();
    const codec: RecordCodec = { ...avroCodec, encode: () => new Uint8Array(40 * 1024 * 1024) };
    const log = await open(kafka, { codec });
    await expect(log.append(UPLOADS, 0, 'session', anUpload())).rejects.toMatchObject({ code: 'too_large' });
    expect(kafka.produced).toEqual([]);
  });

  test('EL9 what has no value is yielded with a fault', async () => {
    const kafka = new FakeKafka();
    const log = await open(kafka);
    await kafka.produce(0, [{ topic: UPLOADS, partition: 0, records: [{ key: 'a', value: null as never }] }]);
    await log.append(UPLOADS, 0, 'b', anUpload());
    expect(await take(log, 2)).toMatchObject([
      { key: 'a', record: null, fault: expect.stringMatching(/./) },
      { key: 'b', record: { counter: 0 } },
    ]);
  });
});

describe('a log whose codec looks schemas up', () => {
  test('EL3 waits for the schema of another writer, and asks for it once', async () => {
    const kafka = new FakeKafka();
    const registry = fakeRegistry();
    const writer = await registryCodec(registry);
    const reader = await registryCodec(registry);
    const log = await open(kafka, { codec: reader });
    for (let counter = 0; counter < 3; counter++) {
      const value = writer.encode(UPLOADS, anUpload({ counter }));
      await kafka.produce(0, [{ topic: UPLOADS, partition: 0, records: [{ key: '', value }] }]);
    }
    registry.answer = () => JSON.stringify(AVRO_SCHEMAS[UPLOADS]);
    expect((await take(log, 3)).map(({ record }) => record)).toEqual([0, 1, 2].map((counter) => anUpload({ counter })));
    expect(registry.lookups).toBe(1);
  });

  test('EL9 yields a fault where nobody knows the schema', async () => {
    const kafka = new FakeKafka();
    const registry = fakeRegistry();
    const writer = await registryCodec(registry);
    const log = await open(kafka, { codec: await registryCodec(registry) });
    const value = writer.encode(UPLOADS, anUpload());
    await kafka.produce(0, [{ topic: UPLOADS, partition: 0, records: [{ key: '', value }] }]);
    expect(await take(log, 1)).toMatchObject([{ record: null, fault: expect.stringContaining('no schema') }]);
  });

  test('fails with log_unavailable while the registry does not answer: the record is not lost', async () => {
    const kafka = new FakeKafka();
    const registry = fakeRegistry();
    const writer = await registryCodec(registry);
    const log = await open(kafka, { codec: await registryCodec(registry) });
    const value = writer.encode(UPLOADS, anUpload());
    await kafka.produce(0, [{ topic: UPLOADS, partition: 0, records: [{ key: '', value }] }]);
    registry.answer = () => {
      throw new PlayheadError('unavailable', 'the registry is away');
    };
    await expect(take(log, 1)).rejects.toMatchObject({ code: 'log_unavailable' });
  });
});
