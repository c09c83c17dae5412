import type { EventLog, LogBatch } from '@playhead/ports';
import type { Offset } from '@playhead/schemas';
import { NO_OFFSET, TOPICS } from '@playhead/schemas';
import { expect, test } from 'vitest';
import { aFlush, aSessionStarted, aWatch } from '../builders.ts';
import type { ManualClock } from '../clock.ts';
import type { OpenedEventLog } from './contract-parts.ts';
import { countersOf, digested, numbered, take } from './contract-parts.ts';

const UPLOADS = 'playhead.uploads';

interface TrimBench extends OpenedEventLog {
  readonly clock: ManualClock;
}

/** The rules of trimming, for logs that do it themselves. Called inside of the suite of the EventLog port. */
export function trimmingRules(open: () => Promise<TrimBench>, reopened: (bench: OpenedEventLog) => Promise<EventLog>): void {
  const retentionMs = TOPICS[UPLOADS].retentionMs ?? 0;

  test('EL6 a read of what was trimmed fails with position_gone, also in mid-read', async () => {
    const { log, clock } = await open();
    const offsets: Offset[] = [];
    for (let i = 0; i < 6; i++) {
      offsets.push(await log.append(UPLOADS, 0, 'session', numbered(i)));
      clock.advance(1_000);
    }
    const { signal } = new AbortController();
    const reader = log.read(UPLOADS, 0, offsets[0] ?? NO_OFFSET, { signal, batchBytesMax: 1 })[Symbol.asyncIterator]();
    await reader.next();
    clock.advance(retentionMs - 2_500);
    await log.trim(clock.now());
    const { first } = await log.bounds(UPLOADS, 0);
    expect(first).toBeGreaterThan(offsets[3] ?? NO_OFFSET);
    const fault = { code: 'position_gone', details: { first } };
    await expect(reader.next()).rejects.toMatchObject(fault);
    await expect(take(log, UPLOADS, 0, offsets[3] ?? NO_OFFSET, 1)).rejects.toMatchObject(fault);
    expect(countersOf(await take(log, UPLOADS, 0, first, 2))).toEqual([4, 5]);
  });

  test('EL7 `next` does not fall when everything was trimmed, also over reopening', async () => {
    const bench = await open();
    for (let i = 0; i < 5; i++) await bench.log.append(UPLOADS, 0, 'session', numbered(i));
    const { next } = await bench.log.bounds(UPLOADS, 0);
    bench.clock.advance(retentionMs + 1);
    await bench.log.trim(bench.clock.now());
    expect(await bench.log.bounds(UPLOADS, 0)).toEqual({ first: next, next });
    const log = await reopened(bench);
    expect(await log.bounds(UPLOADS, 0)).toEqual({ first: next, next });
    expect(await log.append(UPLOADS, 0, 'session', numbered(5))).toBeGreaterThanOrEqual(next);
    expect(countersOf(await take(log, UPLOADS, 0, next, 1))).toEqual([5]);
  });

  test('EL12 trimming removes what is older than the retention, nothing younger, and nothing of a topic that is kept for ever', async () => {
    const { log, clock } = await open();
    await log.append('playhead.flushes', 0, '', aFlush());
    await log.append('playhead.sessions', 0, 'session', aSessionStarted());
    for (let i = 0; i < 10; i++) {
      await log.append(UPLOADS, i % 2, 'session', numbered(i));
      clock.advance(1_000);
    }
    clock.advance(retentionMs - 4_500);
    await log.trim(clock.now());
    const kept: (number | null | undefined)[] = [];
    for (const partition of [0, 1]) {
      const { first } = await log.bounds(UPLOADS, partition);
      kept.push(...countersOf(await take(log, UPLOADS, partition, first, 2)));
    }
    expect(kept.toSorted((a, b) => Number(a) - Number(b))).toEqual([6, 7, 8, 9]);
    for (const topic of ['playhead.flushes', 'playhead.sessions'] as const) {
      const { first } = await log.bounds(topic, 0);
      expect(await take(log, topic, 0, first, 1)).toHaveLength(1);
    }
  });

  test('EL12 trimming keeps the newest record of each key of a compacted topic, and every record behind a kept one', async () => {
    const { log, clock } = await open();
    const topic = 'playhead.watches';
    for (const [key, watchId] of ['a1', 'a2', 'b1', 'a3', 'c1', 'a4'].map((id) => [id.slice(0, 1), id] as const)) {
      await log.append(topic, 0, key, aWatch({ sessionId: key, watchId }));
    }
    const idsHeld = async (count: number) => {
      const { first } = await log.bounds(topic, 0);
      return (await take(log, topic, 0, first, count)).map((record) => record.record?.watchId);
    };
    await log.trim(clock.now());
    expect(await idsHeld(4)).toEqual(['b1', 'a3', 'c1', 'a4']);
    clock.advance((TOPICS[topic].retentionMs ?? 0) + 1);
    await log.append(topic, 0, 'd', aWatch({ watchId: 'd1' }));
    await log.trim(clock.now());
    expect(await idsHeld(1)).toEqual(['d1']);
  });

  test('EL14 trimming goes on while a slow reader holds a batch, and that batch stays whole', async () => {
    const { log, clock } = await open();
    for (let i = 0; i < 20; i++) await log.append(UPLOADS, 0, 'session', numbered(i, 5_000));
    const { first } = await log.bounds(UPLOADS, 0);
    const { signal } = new AbortController();
    const slow = log.read(UPLOADS, 0, first, { signal, batchBytesMax: 60_000 })[Symbol.asyncIterator]();
    const { value } = (await slow.next()) as IteratorYieldResult<LogBatch<typeof UPLOADS>>;
    clock.advance(retentionMs + 1);
    await log.trim(clock.now());
    for (let i = 20; i < 60; i++) await log.append(UPLOADS, 0, 'session', numbered(i, 5_000));
    for (const [i, record] of value.records.entries())
      expect(digested(record)).toEqual(digested({ ...record, record: numbered(i, 5_000) }));
  });
}
