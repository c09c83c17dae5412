import { systemClock } from '@playhead/ports';
import { silentLogger } from '@playhead/testkit';
import { describe, expect, test, vi } from 'vitest';
import type { FetchLimits } from '../src/fetch-lanes.ts';
import { FETCH_LIMITS, FetchLanes } from '../src/fetch-lanes.ts';
import type { FetchedPart } from '../src/kafka-client.ts';
import { KafkaFault } from '../src/kafka-client.ts';
import { FakeKafka } from './fake-kafka.ts';

const NEVER = new AbortController().signal;

function bench(limits: Partial<FetchLimits> = {}, brokers = 1) {
  const kafka = new FakeKafka(brokers);
  const lanes = new FetchLanes(kafka, systemClock, silentLogger, { ...FETCH_LIMITS, maxWaitMs: 50, retryPauseMs: 1, ...limits });
  return {
    kafka,
    lanes,
    want: (partition: number, offset = 0, signal = NEVER): Promise<FetchedPart | undefined> =>
      lanes.fetch({ topic: 'topic', partition, offset, bytesMax: 1_000 }, signal),
    put: async (partition: number, ...texts: string[]): Promise<void> => {
      await kafka.produce(0, [{ topic: 'topic', partition, records: texts.map((text) => ({ key: '', value: Buffer.from(text) })) }]);
    },
  };
}

const offsetsOf = (part: FetchedPart | undefined): readonly number[] | undefined => part?.records.map(({ offset }) => offset);

describe('FetchLanes', () => {
  test('readers of different partitions share a request and a connection', async () => {
    const { kafka, lanes, want, put } = bench();
    for (const partition of [0, 1, 2]) await put(partition, 'a', 'b');
    const answers = await Promise.all([want(0), want(1, 1), want(2)]);
    expect(answers.map(offsetsOf)).toEqual([[0, 1], [1], [0, 1]]);
    expect(kafka.fetches).toHaveLength(1);
    expect(lanes.lanes).toBe(1);
  });

  test('readers of one partition at different offsets do not meet', async () => {
    const { kafka, want, put } = bench();
    await put(0, 'a', 'b', 'c');
    const answers = await Promise.all([want(0, 0), want(0, 2)]);
    expect(answers.map(offsetsOf)).toEqual([[0, 1, 2], [2]]);
    expect(kafka.fetches).toHaveLength(2);
  });

  test('a reader that begins while others wait does not wait for them', async () => {
    const { want, put } = bench({ maxWaitMs: 60_000 });
    await put(1, 'a');
    const tailing = want(0);
    await vi.waitFor(async () => expect(offsetsOf(await want(1))).toEqual([0]));
    await put(0, 'late');
    expect(offsetsOf(await tailing)).toEqual([0]);
  });

  test('where all connections wait, a reader waits for one of them, and is not forgotten', async () => {
    const { lanes, want, put } = bench({ lanesMax: 2, maxWaitMs: 20 });
    await put(2, 'a');
    const tailing = [want(0), want(0), want(1)];
    expect(offsetsOf(await want(2))).toEqual([0]);
    expect(lanes.lanes).toBe(2);
    await put(0, 'x');
    await put(1, 'y');
    expect((await Promise.all(tailing)).map(offsetsOf)).toEqual([[0], [0], [0]]);
  });

  test('brokers are asked for what they lead', async () => {
    const { kafka, want, put } = bench({}, 2);
    await put(0, 'a');
    await put(1, 'b');
    await Promise.all([want(0), want(1)]);
    expect(kafka.fetches.map(({ broker, parts }) => [broker, parts.map(({ partition }) => partition)])).toEqual([
      [0, [0]],
      [1, [1]],
    ]);
  });

  test('an offset that is not held is the fault of that reader alone', async () => {
    const { want, put } = bench();
    await put(0, 'a');
    const [gone, other] = await Promise.allSettled([want(1, 7), want(0)]);
    expect(gone).toMatchObject({ status: 'rejected', reason: { kind: 'out_of_range' } });
    expect(other).toMatchObject({ status: 'fulfilled', value: { records: [{ offset: 0 }] } });
  });

  test('a lost connection is borne: a new one is opened, and the reader hears nothing of it', async () => {
    const { kafka, lanes, want, put } = bench();
    kafka.fetchFault = new KafkaFault('unreachable', 'connection lost');
    const reading = want(0);
    await vi.waitFor(() => expect(kafka.refreshes).toBeGreaterThan(1));
    kafka.fetchFault = undefined;
    await put(0, 'a');
    expect(offsetsOf(await reading)).toEqual([0]);
    expect(kafka.lanesOpen).toBe(lanes.lanes);
  });

  test('a failure that does not pass in time is told', async () => {
    const { kafka, want } = bench({ patienceMs: 20 });
    kafka.fetchFault = new KafkaFault('moved', 'no leader');
    await expect(want(0)).rejects.toMatchObject({ kind: 'moved' });
  });

  test('a refusal is told at once', async () => {
    const { kafka, want } = bench();
    kafka.fetchFault = new KafkaFault('refused', 'TOPIC_AUTHORIZATION_FAILED');
    await expect(want(0)).rejects.toMatchObject({ kind: 'refused' });
    expect(kafka.fetches).toHaveLength(1);
  });

  test('an aborted reader ends at once, and so do all when the lanes are closed', async () => {
    const { lanes, want } = bench({ maxWaitMs: 60_000 });
    const stop = new AbortController();
    const aborted = want(0, 0, stop.signal);
    const closed = want(1);
    stop.abort();
    expect(await aborted).toBeUndefined();
    lanes.close();
    expect(await closed).toBeUndefined();
    expect(await want(2)).toBeUndefined();
  });
});
