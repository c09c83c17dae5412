import { randomBytes } from 'node:crypto';
import type { KafkaContainer } from '@playhead/containers';
import { noContainers, startKafka } from '@playhead/containers';
import { silentLogger } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ConnectOptions } from '../src/connect-options.ts';
import type { KafkaClient } from '../src/kafka-client.ts';
import { kafkajsClient } from '../src/kafkajs/kafkajs-client.ts';
import { platformaticClient } from '../src/platformatic/platformatic-client.ts';

const WAIT = { timeout: 30_000, interval: 20 };
const BINDINGS = [
  ['kafkajs', kafkajsClient],
  ['platformatic', platformaticClient],
] as const;

/** What bindings promise and the log's own contract cannot see: it would repeat what failed. */
describe.runIf(noContainers === '')(`KafkaClient${noContainers && ` (left out: ${noContainers})`}`, () => {
  let kafka: KafkaContainer;
  let topics = 0;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka.stop());

  describe.each(BINDINGS)('over %s', (_, bind) => {
    function open(options: Partial<ConnectOptions> = {}): KafkaClient {
      const client = bind({ brokers: kafka.brokers, clientId: 'test', logger: silentLogger, ...options });
      onTestFinished(() => client.close());
      return client;
    }

    /** A topic of two partitions whose leader is known, to the leader too. */
    async function aTopic(client: KafkaClient): Promise<{ topic: string; broker: number }> {
      topics += 1;
      const topic = `topic-${topics}`;
      await client.createTopics([{ topic, partitions: 2, replication: 1, settings: { 'max.message.bytes': '10000' } }]);
      await vi.waitFor(async () => {
        await client.refresh([topic]);
        expect([client.leaderOf(topic, 0), client.leaderOf(topic, 1)]).not.toContain(undefined);
      }, WAIT);
      const lane = client.openFetchLane();
      await vi.waitFor(async () => {
        const parts = [0, 1].map((partition) => ({ topic, partition, offset: 0, bytesMax: 1000 }));
        const answers = await lane.fetch(client.leaderOf(topic, 0) ?? Number.NaN, parts, 10);
        expect(answers.map(({ fault }) => fault)).toEqual([undefined, undefined]);
      }, WAIT);
      lane.close();
      return { topic, broker: client.leaderOf(topic, 0) ?? Number.NaN };
    }

    const records = (...keys: string[]) => keys.map((key) => ({ key, value: Buffer.from(`value of ${key}`) }));

    test('the settings of a topic are told, those of the broker included', async () => {
      const client = open();
      const { topic } = await aTopic(client);
      const settings = (await client.topicSettings([topic])).get(topic);
      expect(settings?.get('max.message.bytes')).toBe('10000');
      expect(settings?.get('cleanup.policy')).toBe('delete');
    });

    test('what became of each part of a request is told, also where others failed', async () => {
      const client = open();
      const { topic, broker } = await aTopic(client);
      const outcomes = await client.produce(broker, [
        { topic, partition: 1, records: records('a', 'b') },
        { topic, partition: 7, records: records('c') },
        { topic, partition: 0, records: [{ key: 'too large', value: randomBytes(20_000) }] },
      ]);
      expect(outcomes).toMatchObject([0, { kind: 'moved' }, { kind: 'refused' }]);
      expect(await client.produce(broker, [{ topic, partition: 1, records: records('d') }])).toEqual([2]);
      expect(await client.bounds(topic, 1)).toEqual({ first: 0, next: 3 });
      expect(await client.bounds(topic, 0)).toEqual({ first: 0, next: 0 });
    });

    test('what is fetched is told for each part, and comes as it was', async () => {
      const client = open();
      const { topic, broker } = await aTopic(client);
      const value = randomBytes(5_000);
      const all = [...records('ü'), { key: '', value }, { key: 'empty', value: Buffer.alloc(0) }, ...records('last')];
      await client.produce(broker, [{ topic, partition: 0, records: all }]);
      const lane = client.openFetchLane();
      onTestFinished(() => lane.close());
      const part = { topic, bytesMax: 1_000_000 };
      const answers = await lane.fetch(
        broker,
        [
          { ...part, partition: 1, offset: 5 },
          { ...part, partition: 7, offset: 0 },
          { ...part, partition: 0, offset: 1 },
        ],
        500,
      );
      expect(answers.map(({ fault }) => fault?.kind)).toEqual(['out_of_range', 'moved', undefined]);
      const read = answers[2]?.records.filter(({ offset }) => offset >= 1) ?? [];
      expect(read.map(({ offset, key, value: bytes }) => [offset, key, Buffer.from(bytes ?? [])])).toEqual(
        all.slice(1).map((record, i) => [1 + i, record.key, record.value]),
      );
      expect(await lane.fetch(broker, [{ ...part, partition: 1, offset: 0 }], 50)).toMatchObject([{ records: [] }]);
    });

    test('topics that exist are counted, and creating them again changes nothing', async () => {
      const client = open();
      const { topic } = await aTopic(client);
      await client.createTopics([{ topic, partitions: 5, replication: 1, settings: {} }]);
      expect(await client.partitionCounts([topic, 'none'])).toEqual(new Map([[topic, 2]]));
    });

    test('a cluster is found over any of its brokers', async () => {
      const client = open({ brokers: ['127.0.0.1:9', ...kafka.brokers], connectTimeoutMs: 500 });
      expect((await aTopic(client)).broker).toBeGreaterThanOrEqual(0);
    });

    test('a member that the group does not know is expelled', async () => {
      const link = open().openGroupLink('group');
      onTestFinished(() => link.close());
      await vi.waitFor(
        () => expect(link.heartbeat({ memberId: 'nobody', generation: 1 })).rejects.toMatchObject({ kind: 'expelled' }),
        WAIT,
      );
    });
  });
});
