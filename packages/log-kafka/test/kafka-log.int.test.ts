import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { KafkaContainer } from '@playhead/containers';
import { noContainers, startKafka } from '@playhead/containers';
import type { EventLog } from '@playhead/ports';
import { LIMITS, NO_OFFSET, PlayheadError, toOffset } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { anUpload, eventLogContract, silentLogger } from '@playhead/testkit';
import type { Admin } from 'kafkajs';
import { ConfigResourceTypes, Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { KafkaClientName, KafkaLogOptions } from '../src/index.ts';
import { openKafkaLog } from '../src/index.ts';

const UPLOADS = 'playhead.uploads';
const WAIT = { timeout: 30_000, interval: 20 };

/** What one binding does, the other has to do. */
const OTHER: Readonly<Record<KafkaClientName, KafkaClientName>> = { kafkajs: 'platformatic', platformatic: 'kafkajs' };
const CLIENTS = Object.keys(OTHER) as KafkaClientName[];

describe.runIf(noContainers === '').each(CLIENTS)(`Kafka over %s${noContainers && ` (left out: ${noContainers})`}`, (client) => {
  let kafka: KafkaContainer;
  let prefixes = 0;
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  beforeAll(async () => {
    process.on('warning', onWarning);
    kafka = await startKafka();
  }, 120_000);
  afterAll(async () => {
    process.off('warning', onWarning);
    await kafka.stop();
  });

  function freshPrefix(): string {
    prefixes += 1;
    return `log-${prefixes}.`;
  }

  async function open(options: Partial<KafkaLogOptions> = {}): Promise<EventLog> {
    const log = await openKafkaLog({
      client,
      brokers: kafka.brokers,
      clientId: 'test',
      partitions: 4,
      replication: 1,
      codec: avroCodec,
      topicPrefix: freshPrefix(),
      logger: silentLogger,
      ...options,
    });
    onTestFinished(() => log.close());
    return log;
  }

  async function administer<T>(run: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Kafka({ brokers: [...kafka.brokers] }).admin();
    await admin.connect();
    try {
      return await run(admin);
    } finally {
      await admin.disconnect();
    }
  }

  eventLogContract(
    `openKafkaLog over ${client}`,
    async ({ partitions, codec }) => {
      const topicPrefix = freshPrefix();
      const reopen = () =>
        openKafkaLog({
          client,
          brokers: kafka.brokers,
          clientId: 'contract',
          partitions,
          replication: 1,
          codec,
          topicPrefix,
          logger: silentLogger,
        });
      return { log: await reopen(), reopen };
    },
    { trims: false },
  );

  describe('topics', () => {
    test('are created with their retention, and take a record larger than the largest upload', async () => {
      const topicPrefix = freshPrefix();
      await open({ topicPrefix });
      const names = ['playhead.uploads', 'playhead.flushes', 'playhead.watches'];
      const { resources } = await administer((admin) =>
        admin.describeConfigs({
          includeSynonyms: false,
          resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name: topicPrefix + name })),
        }),
      );
      const settings = resources.map(({ configEntries }) => new Map(configEntries.map((entry) => [entry.configName, entry.configValue])));
      expect(settings.map((of) => of.get('retention.ms'))).toEqual([String(72 * 3_600_000), '-1', '3600000']);
      expect(settings.map((of) => of.get('cleanup.policy'))).toEqual(['delete', 'delete', 'compact,delete']);
      for (const of of settings) expect(Number(of.get('max.message.bytes'))).toBeGreaterThan(LIMITS.uploadBytesMax + 1024 * 1024);
    });

    test('of another number of partitions are refused, and the number is told', async () => {
      const topicPrefix = freshPrefix();
      await open({ topicPrefix, partitions: 4 });
      await expect(open({ topicPrefix, partitions: 8 })).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('has 4 partitions'),
        details: { partitions: 4 },
      });
    });

    test('are created once by two processes that start at the same time', async () => {
      const topicPrefix = freshPrefix();
      const logs = await Promise.all([open({ topicPrefix }), open({ topicPrefix })]);
      const offsets = await Promise.all(logs.map((log) => log.append(UPLOADS, 1, 'session', anUpload())));
      expect(offsets.toSorted((a, b) => a - b)).toEqual([0, 1]);
    });
  });

  test('a cluster that does not answer is log_unavailable', async () => {
    await expect(open({ brokers: ['127.0.0.1:9'], connectTimeoutMs: 200 })).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  test('EL1 the largest upload comes back byte for byte', async () => {
    const log = await open();
    const upload = anUpload({ body: new Uint8Array(randomBytes(LIMITS.uploadBytesMax)) });
    const offset = await log.append(UPLOADS, 2, 'session', upload);
    const [record] = await takeFrom(log, 2, offset, 1);
    expect(Buffer.compare(record?.body ?? new Uint8Array(), upload.body)).toBe(0);
  });

  test('EL6 a read of what Kafka has removed fails with position_gone, also in mid-read', async () => {
    const topicPrefix = freshPrefix();
    const log = await open({ topicPrefix });
    for (let i = 0; i < 10; i++) await log.append(UPLOADS, 0, 'session', anUpload({ counter: i }));
    const reader = log.read(UPLOADS, 0, toOffset(0), { signal: new AbortController().signal })[Symbol.asyncIterator]();
    await reader.next();
    for (let i = 10; i < 20; i++) await log.append(UPLOADS, 0, 'session', anUpload({ counter: i }));
    await administer(async (admin) => {
      const topic = topicPrefix + UPLOADS;
      // Which loads what the next call needs.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '15' }] });
    });
    const fault = { code: 'position_gone', details: { first: 15 } };
    await expect(reader.next()).rejects.toMatchObject(fault);
    await expect(takeFrom(log, 0, 3, 1)).rejects.toMatchObject(fault);
    expect(await log.bounds(UPLOADS, 0)).toEqual({ first: 15, next: 20 });
    expect((await takeFrom(log, 0, 15, 5)).map((record) => record.counter)).toEqual([15, 16, 17, 18, 19]);
  });

  test('EL4 a reader ahead of the end waits until the log is there', async () => {
    const log = await open();
    const waiting = takeFrom(log, 0, 2, 1);
    for (let i = 0; i < 3; i++) await log.append(UPLOADS, 0, 'session', anUpload({ counter: i }));
    expect((await waiting).map((record) => record.counter)).toEqual([2]);
  });

  test('EL4 many readers tail many partitions at once, several of them the same one', async () => {
    const log = await open({ partitions: 32 });
    const tails = Array.from({ length: 96 }, (_, i) => takeFrom(log, i % 32, 0, 3));
    for (let counter = 0; counter < 3; counter++) {
      await Promise.all(Array.from({ length: 32 }, (_, partition) => log.append(UPLOADS, partition, 'session', anUpload({ counter }))));
    }
    for (const records of await Promise.all(tails)) expect(records.map((record) => record.counter)).toEqual([0, 1, 2]);
  });

  test('EL1 an append without an answer fails with log_unavailable in time; its repetition is taken', async () => {
    const log = await open({ append: { timeoutMs: 1_500 } });
    await log.append(UPLOADS, 0, 'session', anUpload({ counter: 0 }));
    await kafka.pause();
    try {
      await expect(log.append(UPLOADS, 0, 'session', anUpload({ counter: 1 }))).rejects.toMatchObject({ code: 'log_unavailable' });
    } finally {
      await kafka.unpause();
    }
    await vi.waitFor(() => log.append(UPLOADS, 0, 'session', anUpload({ counter: 1 })), WAIT);
    const { next } = await log.bounds(UPLOADS, 0);
    const counters = (await takeFrom(log, 0, 0, next)).map((record) => record.counter);
    expect(new Set(counters)).toEqual(new Set([0, 1]));
  }, 60_000);

  test('EL1 EL3 a broker that is killed and comes back loses nothing of what was acknowledged; readers and members go on', async () => {
    const log = await open();
    const read: (number | null)[] = [];
    const reading = new AbortController();
    let position = toOffset(0);
    const reader = (async () => {
      while (!reading.signal.aborted) {
        try {
          for await (const { records, next } of log.read(UPLOADS, 0, position, { signal: reading.signal })) {
            for (const { record } of records) if (record) read.push(record.counter);
            position = next;
          }
        } catch (error) {
          // A broker that is away for long is told; whoever reads begins again where it was.
          if (!(error instanceof PlayheadError) || error.code !== 'log_unavailable') throw error;
        }
      }
    })();
    const working = new Set<number>();
    const membership = await log.join('group', async (partition, signal) => {
      working.add(partition);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      working.delete(partition);
    });
    const acknowledged: number[] = [];
    let counter = 0;
    const appending = new AbortController();
    const appender = (async () => {
      while (!appending.signal.aborted) {
        const mine = counter++;
        await log.append(UPLOADS, 0, 'session', anUpload({ counter: mine })).then(
          () => acknowledged.push(mine),
          (error: unknown) => expect(error).toMatchObject({ code: 'log_unavailable' }),
        );
      }
    })();
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(20), WAIT);
    await kafka.restart();
    const before = acknowledged.length;
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 20), WAIT);
    appending.abort();
    await appender;
    await vi.waitFor(() => expect(new Set(read)).toEqual(new Set([...acknowledged, ...read])), WAIT);
    expect(acknowledged.filter((mine) => !read.includes(mine))).toEqual([]);
    await vi.waitFor(() => expect([...working].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]), WAIT);
    reading.abort();
    await reader;
    await membership.leave();
  }, 120_000);

  test('EL10 two processes share the partitions, also over different clients; what a killed one had is given to the other', async () => {
    const topicPrefix = freshPrefix();
    const sessionTimeoutMs = 6_000;
    const log = await open({ topicPrefix, groups: { sessionTimeoutMs } });
    const working = new Set<number>();
    const starts = [0, 0, 0, 0];
    const membership = await log.join('group', async (partition, signal) => {
      working.add(partition);
      starts[partition] = (starts[partition] ?? 0) + 1;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      working.delete(partition);
    });
    await vi.waitFor(() => expect(working.size).toBe(4), WAIT);
    const script = fileURLToPath(new URL('work-forever.ts', import.meta.url));
    const other = spawn(process.execPath, [script, kafka.brokers[0] ?? '', topicPrefix, '4', String(sessionTimeoutMs), OTHER[client]], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void other.kill('SIGKILL'));
    let said = '';
    other.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await vi.waitFor(() => expect(said.trim().split('\n')).toHaveLength(2), WAIT);
    const theirs = said.trim().split('\n').map(Number);
    expect([...working, ...theirs].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    // What stayed was not interrupted.
    for (const partition of working) expect(starts[partition]).toBe(1);

    other.kill('SIGKILL');
    await vi.waitFor(() => expect(working.size).toBe(4), WAIT);
    expect(starts.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2]);
    await membership.leave();
  }, 120_000);

  test('nothing of this made Node warn', () => {
    expect(warnings).toEqual([]);
  });
});

async function takeFrom(
  log: EventLog,
  partition: number,
  from: number,
  count: number,
): Promise<{ counter: number | null; body: Uint8Array }[]> {
  const taken: { counter: number | null; body: Uint8Array }[] = [];
  const { signal } = new AbortController();
  for await (const { records } of log.read(UPLOADS, partition, from < 0 ? NO_OFFSET : toOffset(from), { signal })) {
    for (const { record } of records) if (record) taken.push(record);
    if (taken.length >= count) break;
  }
  return taken.slice(0, count);
}
