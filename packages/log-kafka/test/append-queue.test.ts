import type { ManualClock } from '@playhead/testkit';
import { manualClock, silentLogger } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import type { AppendLimits } from '../src/append-queue.ts';
import { APPEND_LIMITS, AppendQueue } from '../src/append-queue.ts';
import { KafkaFault } from '../src/kafka-client.ts';
import { FakeKafka } from './fake-kafka.ts';

interface Bench {
  readonly kafka: FakeKafka;
  readonly clock: ManualClock;
  readonly queue: AppendQueue;
  add(partition: number, text: string): Promise<number>;
  /** Lets `ms` pass, and what follows from it happen. */
  pass(ms: number): Promise<void>;
}

function bench(limits: Partial<AppendLimits> = {}, brokers = 1): Bench {
  const kafka = new FakeKafka(brokers);
  const clock = manualClock();
  const queue = new AppendQueue(kafka, clock, silentLogger, { ...APPEND_LIMITS, ...limits });
  return {
    kafka,
    clock,
    queue,
    add: (partition, text) => queue.add('topic', partition, 'key', Buffer.from(text)),
    async pass(ms) {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const moved = new KafkaFault('moved', 'not the leader');
const unreachable = new KafkaFault('unreachable', 'connection lost');
const unavailable = { code: 'log_unavailable' };

/** The texts of one request, by partition. */
function textsOf({ kafka }: Bench, request: number): Record<number, string[]> {
  const parts = kafka.produced[request]?.parts ?? [];
  return Object.fromEntries(parts.map(({ partition, records }) => [partition, records.map(({ value }) => Buffer.from(value).toString())]));
}

describe('AppendQueue', () => {
  test('what is added within the linger time goes in one request, in order, and each hears its offset', async () => {
    const b = bench();
    const offsets = Promise.all([b.add(0, 'a'), b.add(1, 'b'), b.add(0, 'c')]);
    await b.pass(1);
    expect(b.kafka.produced).toHaveLength(0);
    const late = b.add(0, 'd');
    await b.pass(1);
    expect(await offsets).toEqual([0, 0, 1]);
    expect(await late).toBe(2);
    expect(b.kafka.produced).toHaveLength(1);
    expect(textsOf(b, 0)).toEqual({ 0: ['a', 'c', 'd'], 1: ['b'] });
  });

  test('each broker gets its own request', async () => {
    const b = bench({}, 2);
    const all = Promise.all([b.add(0, 'a'), b.add(1, 'b'), b.add(2, 'c')]);
    await b.pass(2);
    await all;
    expect(b.kafka.produced.map(({ broker }) => broker)).toEqual([0, 1]);
    expect(textsOf(b, 0)).toEqual({ 0: ['a'], 2: ['c'] });
  });

  test('beyond the bytes that may wait an append is refused at once; it is taken again when there is room', async () => {
    const b = bench({ waitingBytesMax: 1_000 });
    b.kafka.holds = true;
    const first = b.add(0, 'x'.repeat(500));
    await b.pass(2);
    await expect(b.add(0, 'y'.repeat(500))).rejects.toMatchObject(unavailable);
    b.kafka.produced[0]?.accept();
    await first;
    expect(b.queue.bytes).toBe(0);
    b.kafka.holds = false;
    const second = b.add(0, 'y'.repeat(500));
    await b.pass(2);
    expect(await second).toBe(1);
  });

  test('a record larger than all bounds is taken when nothing else waits, alone', async () => {
    const b = bench({ waitingBytesMax: 100, requestBytesMax: 100, batchBytesMax: 100 });
    const offset = b.add(0, 'x'.repeat(500));
    await b.pass(2);
    expect(await offset).toBe(0);
  });

  test('requests and batches are bounded by bytes, and a partition keeps its order over them', async () => {
    const bytesOf = (texts: number): number => texts * (1 + 3 + 64);
    const b = bench({ requestBytesMax: bytesOf(3), batchBytesMax: bytesOf(2), requestsMax: 1 });
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => b.add(0, text)));
    await b.pass(2);
    for (let i = 0; i < 5; i++) await b.pass(2);
    expect(await all).toEqual([0, 1, 2, 3, 4]);
    expect([0, 1, 2].map((request) => textsOf(b, request))).toEqual([{ 0: ['a', 'b'] }, { 0: ['c', 'd'] }, { 0: ['e'] }]);
  });

  test('so many requests are under way and not more; what comes meanwhile gathers', async () => {
    const b = bench({ requestsMax: 2 });
    b.kafka.holds = true;
    const all: Promise<number>[] = [];
    for (let i = 0; i < 6; i++) {
      all.push(b.add(0, `${i}`));
      await b.pass(2);
    }
    expect(b.kafka.produced).toHaveLength(2);
    b.kafka.holds = false;
    b.kafka.produced[0]?.accept();
    b.kafka.produced[1]?.accept();
    await b.pass(0);
    await b.pass(2);
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(textsOf(b, 2)).toEqual({ 0: ['2', '3', '4', '5'] });
  });

  test.each([moved, unreachable])('what failed for a reason that passes ($kind) is sent again, after asking who leads', async (fault) => {
    const b = bench();
    b.kafka.holds = true;
    const offset = b.add(0, 'a');
    await b.pass(2);
    b.kafka.produced[0]?.fail(fault);
    await b.pass(0);
    expect(b.kafka.refreshes).toBe(1);
    expect(b.kafka.produced).toHaveLength(1);
    await b.pass(APPEND_LIMITS.retryPauseMs);
    b.kafka.produced[1]?.accept();
    expect(await offset).toBe(0);
  });

  test('of a request that failed in part only that part is sent again', async () => {
    const b = bench();
    b.kafka.holds = true;
    const all = Promise.all([b.add(0, 'a'), b.add(1, 'b')]);
    await b.pass(2);
    b.kafka.produced[0]?.answer(({ partition }) => (partition === 1 ? moved : undefined));
    await b.pass(0);
    await b.pass(APPEND_LIMITS.retryPauseMs);
    expect(textsOf(b, 1)).toEqual({ 1: ['b'] });
    b.kafka.produced[1]?.accept();
    expect(await all).toEqual([0, 0]);
  });

  test('what the broker refuses fails at once', async () => {
    const b = bench();
    b.kafka.holds = true;
    const refused = b.add(0, 'a');
    await b.pass(2);
    b.kafka.produced[0]?.answer(() => new KafkaFault('refused', 'TOPIC_AUTHORIZATION_FAILED'));
    await expect(refused).rejects.toMatchObject({ ...unavailable, message: expect.stringContaining('TOPIC_AUTHORIZATION_FAILED') });
    expect(b.queue.bytes).toBe(0);
  });

  test('an append without an answer is given up in time; its bytes count until the request has ended', async () => {
    const b = bench({ timeoutMs: 1_000 });
    b.kafka.holds = true;
    const lost = b.add(0, 'a').catch((error: unknown) => error);
    await b.pass(2);
    await b.pass(1_000);
    expect(await lost).toMatchObject({ ...unavailable, message: expect.stringContaining('within 1000 ms') });
    expect(b.queue.bytes).toBeGreaterThan(0);
    b.kafka.produced[0]?.fail(unreachable);
    await b.pass(0);
    expect(b.queue.bytes).toBe(0);
    await b.pass(APPEND_LIMITS.retryPauseMs);
    expect(b.kafka.produced).toHaveLength(1);
  });

  test('a partition without a leader waits for one, until the time is up', async () => {
    const b = bench({ timeoutMs: 1_000 });
    b.kafka.leaderless = true;
    const early = b.add(0, 'a');
    await b.pass(2);
    expect(b.kafka.produced).toHaveLength(0);
    b.kafka.leaderless = false;
    await b.pass(APPEND_LIMITS.retryPauseMs);
    expect(await early).toBe(0);
    b.kafka.leaderless = true;
    const late = b.add(0, 'b').catch((error: unknown) => error);
    await b.pass(2);
    await b.pass(1_000);
    expect(await late).toMatchObject(unavailable);
    expect(b.queue.bytes).toBe(0);
  });

  test('closing sends what waits and resolves when all is settled; then nothing is taken', async () => {
    const b = bench();
    b.kafka.holds = true;
    const last = b.add(0, 'a');
    let closed = false;
    const closing = b.queue.close().then(() => {
      closed = true;
    });
    await b.pass(0);
    expect(closed).toBe(false);
    b.kafka.produced[0]?.accept();
    await closing;
    expect(await last).toBe(0);
    await expect(b.add(0, 'b')).rejects.toMatchObject(unavailable);
  });
});
