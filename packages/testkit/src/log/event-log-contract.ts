import type { EventLog, LogBatch, RecordCodec } from '@playhead/ports';
import type { Offset } from '@playhead/schemas';
import { NO_OFFSET, nextOffset, toOffset } from '@playhead/schemas';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { aFlush, aSessionStarted } from '../builders.ts';
import type { ManualClock } from '../clock.ts';
import { manualClock } from '../clock.ts';
import type { ContractCodec, OpenedEventLog } from './contract-parts.ts';
import { contractCodec, countersOf, digested, numbered, take, takeBatches, UNDECODABLE } from './contract-parts.ts';
import { trimmingRules } from './trimming-contract.ts';

export interface EventLogSetup {
  readonly partitions: number;
  readonly codec: RecordCodec;
  /** Append times. */
  readonly now: () => number;
}

export interface EventLogTraits {
  /** False where the log keeps its retention by itself and `trim` does nothing. Default true. */
  readonly trims?: boolean;
}

const UPLOADS = 'playhead.uploads';
const PARTITIONS = 4;
const WAIT = { timeout: 20_000, interval: 5 };

/**
 * Registers the suite of the EventLog port (SPEC.md, EL...).
 *
 * @param factory opens a new, empty log; the suite closes it
 */
export function eventLogContract(
  name: string,
  factory: (setup: EventLogSetup) => Promise<OpenedEventLog>,
  traits: EventLogTraits = {},
): void {
  const { trims = true } = traits;

  describe(`${name} keeps the contract of EventLog`, () => {
    const opened: EventLog[] = [];
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((log) => log.close()));
    });

    interface Bench extends OpenedEventLog {
      readonly clock: ManualClock;
      readonly codec: ContractCodec;
    }
    async function open(): Promise<Bench> {
      const clock = manualClock();
      const codec = contractCodec();
      const made = await factory({ partitions: PARTITIONS, codec, now: () => clock.now() });
      opened.push(made.log);
      return { ...made, clock, codec };
    }
    async function reopened({ log, reopen }: OpenedEventLog): Promise<EventLog> {
      if (!reopen) return log;
      await log.close();
      const again = await reopen();
      opened.push(again);
      return again;
    }
    async function appendNumbered(log: EventLog, count: number, bodyBytes?: number): Promise<Offset[]> {
      const offsets: Offset[] = [];
      for (let i = 0; i < count; i++) offsets.push(await log.append(UPLOADS, 0, 'session', numbered(i, bodyBytes)));
      return offsets;
    }

    test('EL1 an appended record is readable at the returned offset, also after reopening', async () => {
      const bench = await open();
      const offset = await bench.log.append(UPLOADS, 1, 'session-a', numbered(7));
      const [before] = await take(bench.log, UPLOADS, 1, offset, 1);
      expect(before).toEqual({ offset, key: 'session-a', record: numbered(7) });
      const [after] = await take(await reopened(bench), UPLOADS, 1, offset, 1);
      expect(after).toEqual(before);
    });

    test('EL1 appends go on behind what was there before reopening', async () => {
      const bench = await open();
      const before = await appendNumbered(bench.log, 3);
      const log = await reopened(bench);
      const offset = await log.append(UPLOADS, 0, 'session', numbered(3));
      expect(offset).toBeGreaterThan(before.at(-1) ?? Number.NaN);
      expect(countersOf(await take(log, UPLOADS, 0, before[0] ?? NO_OFFSET, 4))).toEqual([0, 1, 2, 3]);
    });

    test('EL2 offsets grow in the order of appends and of reading', async () => {
      const { log } = await open();
      const offsets = await appendNumbered(log, 40);
      const read = await take(log, UPLOADS, 0, offsets[0] ?? NO_OFFSET, 40);
      expect(read.map((record) => record.offset)).toEqual(offsets);
      expect(offsets.toSorted((a, b) => a - b)).toEqual(offsets);
      expect(new Set(offsets).size).toBe(40);
    });

    test('EL3 a read from any offset yields everything from there, in order, once, byte for byte', async () => {
      const { log } = await open();
      const sizes = [0, 1, 100, 70_000, 3, 300_000, 2_000, 0];
      const offsets: Offset[] = [];
      for (const [i, size] of sizes.entries()) offsets.push(await log.append(UPLOADS, 0, `key-${i}`, numbered(i, size)));
      for (const [i, from] of offsets.entries()) {
        const read = await take(log, UPLOADS, 0, from, sizes.length - i);
        const expected = sizes.slice(i).map((size, j) => ({ offset: offsets[i + j], key: `key-${i + j}`, record: numbered(i + j, size) }));
        expect(read.map(digested)).toEqual(expected.map(digested));
      }
    });

    test('EL3 batches are bounded by bytes, a larger record comes whole, and `next` continues without repeating', async () => {
      const { log } = await open();
      const offsets = await appendNumbered(log, 12, 1_000);
      const large = await log.append(UPLOADS, 0, 'session', numbered(12, 50_000));
      const batches = await takeBatches(log, UPLOADS, 0, offsets[0] ?? NO_OFFSET, 13, { batchBytesMax: 4_000 });
      for (const { records } of batches) expect(records.length).toBeLessThanOrEqual(4);
      expect(countersOf(batches.flatMap((batch) => batch.records))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      const last = [{ offset: large, key: 'session', record: numbered(12, 50_000) }];
      expect(batches.at(-1)?.records.map(digested)).toEqual(last.map(digested));
      const first = batches[0];
      const rest = await take(log, UPLOADS, 0, first?.next ?? NO_OFFSET, 13 - (first?.records.length ?? 0));
      expect(rest.map(digested)).toEqual(batches.slice(1).flatMap((batch) => batch.records.map(digested)));
    });

    test('EL3 a read from a hole or from an offset between records begins with the next record', async () => {
      const { log } = await open();
      const offsets = await appendNumbered(log, 10);
      for (let from = offsets[0] ?? NO_OFFSET; from <= (offsets.at(-1) ?? NO_OFFSET); from = nextOffset(from)) {
        const [record] = await take(log, UPLOADS, 0, from, 1);
        expect(record?.offset).toBe(offsets.find((offset) => offset >= from));
      }
    });

    test('EL4 a reader at the end waits, then yields what is appended', async () => {
      const { log } = await open();
      const { next } = await log.bounds(UPLOADS, 2);
      const stop = new AbortController();
      const batches = log.read(UPLOADS, 2, next, { signal: stop.signal })[Symbol.asyncIterator]();
      for (let i = 0; i < 5; i++) {
        const waiting = batches.next();
        await log.append(UPLOADS, 2, 'session', numbered(i));
        const { value } = (await waiting) as IteratorYieldResult<LogBatch<typeof UPLOADS>>;
        expect(countersOf(value.records)).toEqual([i]);
      }
      stop.abort();
    });

    test('EL4 aborting ends a reader without an error: before it began, while it waits, and between batches', async () => {
      const { log } = await open();
      const offsets = await appendNumbered(log, 2);
      const from = offsets[0] ?? NO_OFFSET;
      const before = log.read(UPLOADS, 0, from, { signal: AbortSignal.abort() })[Symbol.asyncIterator]();
      expect(await before.next()).toEqual({ done: true, value: undefined });

      const stop = new AbortController();
      const reader = log.read(UPLOADS, 0, from, { signal: stop.signal, batchBytesMax: 1 })[Symbol.asyncIterator]();
      expect((await reader.next()).done).toBe(false);
      stop.abort();
      expect((await reader.next()).done).toBe(true);

      const stopWaiting = new AbortController();
      const { next } = await log.bounds(UPLOADS, 0);
      const waiting = log.read(UPLOADS, 0, next, { signal: stopWaiting.signal })[Symbol.asyncIterator]().next();
      stopWaiting.abort();
      expect((await waiting).done).toBe(true);
    });

    test('EL5 partitions and topics are independent', async () => {
      const { log } = await open();
      const inZero = await log.append(UPLOADS, 0, 'session', numbered(0));
      const inThree = await log.append(UPLOADS, 3, 'session', numbered(3));
      const flush = await log.append('playhead.flushes', 0, '', aFlush());
      const fact = await log.append('playhead.sessions', 0, 'session', aSessionStarted());
      expect(countersOf(await take(log, UPLOADS, 0, inZero, 1))).toEqual([0]);
      expect(countersOf(await take(log, UPLOADS, 3, inThree, 1))).toEqual([3]);
      expect(await take(log, 'playhead.flushes', 0, flush, 1)).toEqual([{ offset: flush, key: '', record: aFlush() }]);
      expect(await take(log, 'playhead.sessions', 0, fact, 1)).toEqual([{ offset: fact, key: 'session', record: aSessionStarted() }]);
      const empty = await log.bounds(UPLOADS, 1);
      expect(empty.first).toBe(empty.next);
      expect((await log.bounds(UPLOADS, 0)).next).toBe((await log.bounds(UPLOADS, 3)).next);
    });

    test('EL6 a read before the first held offset fails with position_gone and tells the first', async () => {
      const { log } = await open();
      await appendNumbered(log, 1);
      const { first } = await log.bounds(UPLOADS, 0);
      const fault = { code: 'position_gone', details: { first } };
      await expect(take(log, UPLOADS, 0, toOffset(first - 1), 1)).rejects.toMatchObject(fault);
    });

    test('EL7 bounds cover all records and `next` never falls, also over reopening', async () => {
      const bench = await open();
      const empty = await bench.log.bounds(UPLOADS, 0);
      expect(empty.first).toBe(empty.next);
      let { next } = empty;
      for (const offset of await appendNumbered(bench.log, 9)) {
        expect(offset).toBeGreaterThanOrEqual(next);
        next = nextOffset(offset);
      }
      const bounds = await bench.log.bounds(UPLOADS, 0);
      expect(bounds.first).toBe(empty.first);
      expect(bounds.next).toBeGreaterThanOrEqual(next);
      expect(await (await reopened(bench)).bounds(UPLOADS, 0)).toEqual(bounds);
    });

    test('EL8 concurrent appends all become readable, each once', async () => {
      const { log } = await open();
      const counters = Array.from({ length: 300 }, (_, i) => i);
      const offsets = await Promise.all(counters.map((i) => log.append(UPLOADS, i % 2, `key-${i}`, numbered(i, 500))));
      for (const partition of [0, 1]) {
        const mine = counters.filter((i) => i % 2 === partition);
        const { first } = await log.bounds(UPLOADS, partition);
        const read = await take(log, UPLOADS, partition, first, mine.length);
        expect(countersOf(read).toSorted((a, b) => Number(a) - Number(b))).toEqual(mine);
        for (const record of read) expect(offsets[Number(record.record?.counter)]).toBe(record.offset);
      }
    });

    test('EL9 a record that cannot be decoded is yielded with its fault; those behind it follow', async () => {
      const { log } = await open();
      const first = await log.append(UPLOADS, 0, 'a', numbered(0));
      const bad = await log.append(UPLOADS, 0, 'b', { ...numbered(1), uploadId: UNDECODABLE });
      await log.append(UPLOADS, 0, 'c', numbered(2));
      const read = await take(log, UPLOADS, 0, first, 3);
      expect(countersOf(read)).toEqual([0, undefined, 2]);
      expect(read[1]).toMatchObject({ offset: bad, key: 'b', record: null, fault: expect.stringMatching(/./) });
    });

    test('EL10 every partition is worked on by exactly one member at a time, and is given on when a member leaves', async () => {
      const { log } = await open();
      const working = Array.from({ length: PARTITIONS }, () => new Set<string>());
      let overlaps = 0;
      const work = (member: string) => async (partition: number, signal: AbortSignal) => {
        const here = working[partition];
        if (!here) throw new RangeError(`partition ${partition}`);
        if (here.size > 0) overlaps += 1;
        here.add(member);
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => setImmediate(resolve), { once: true });
        });
        here.delete(member);
      };
      const owners = (): string[] => working.map((here) => [...here].join('+'));

      const one = await log.join('group', work('one'));
      await vi.waitFor(() => expect(owners()).toEqual(['one', 'one', 'one', 'one']), WAIT);
      const two = await log.join('group', work('two'));
      await vi.waitFor(() => expect(owners().toSorted()).toEqual(['one', 'one', 'two', 'two']), WAIT);
      await one.leave();
      expect(owners()).not.toContain('one');
      await vi.waitFor(() => expect(owners()).toEqual(['two', 'two', 'two', 'two']), WAIT);
      await two.leave();
      expect(owners()).toEqual(['', '', '', '']);
      expect(overlaps).toBe(0);
    });

    test('EL10 groups share nothing with each other', async () => {
      const { log } = await open();
      const seen = { a: new Set<number>(), b: new Set<number>() };
      const until = (group: 'a' | 'b') => async (partition: number) => void seen[group].add(partition);
      const memberships = [await log.join('a', until('a')), await log.join('b', until('b'))];
      await vi.waitFor(() => expect([seen.a.size, seen.b.size]).toEqual([PARTITIONS, PARTITIONS]), WAIT);
      await Promise.all(memberships.map((membership) => membership.leave()));
    });

    test('EL11 work that rejects is called again while the membership lasts', async () => {
      const { log } = await open();
      const calls = Array.from({ length: PARTITIONS }, () => 0);
      const membership = await log.join('group', async (partition) => {
        calls[partition] = (calls[partition] ?? 0) + 1;
        throw new Error('not yet');
      });
      await vi.waitFor(() => expect(Math.min(...calls)).toBeGreaterThanOrEqual(3), WAIT);
      await membership.leave();
      const before = [...calls];
      // Long enough for the first member's pauses to have passed: the second one's have.
      let callsAfter = 0;
      const second = await log.join('group', async () => {
        callsAfter += 1;
        throw new Error('not yet');
      });
      await vi.waitFor(() => expect(callsAfter).toBeGreaterThanOrEqual(3 * PARTITIONS), WAIT);
      await second.leave();
      expect(calls).toEqual(before);
    });

    test('EL13 after close, appends and reads fail; readers and members of before have ended', async () => {
      const { log } = await open();
      const [offset = NO_OFFSET] = await appendNumbered(log, 1);
      const { next } = await log.bounds(UPLOADS, 0);
      const { signal } = new AbortController();
      const waiting = log.read(UPLOADS, 0, next, { signal })[Symbol.asyncIterator]().next();
      const between = log.read(UPLOADS, 0, offset, { signal })[Symbol.asyncIterator]();
      await between.next();
      const aborted: number[] = [];
      await log.join('group', async (partition, taken) => {
        await new Promise((resolve) => taken.addEventListener('abort', resolve, { once: true }));
        aborted.push(partition);
      });
      const underWay = log.append(UPLOADS, 0, 'session', numbered(1));
      await log.close();
      await expect(underWay).resolves.toBeGreaterThan(offset);
      expect((await waiting).done).toBe(true);
      expect((await between.next()).done).toBe(true);
      expect(aborted).toHaveLength(PARTITIONS);
      await expect(log.append(UPLOADS, 0, 'session', numbered(2))).rejects.toMatchObject({ code: 'log_unavailable' });
      await expect(take(log, UPLOADS, 0, offset, 1)).rejects.toMatchObject({ code: 'log_unavailable' });
      await expect(log.bounds(UPLOADS, 0)).rejects.toMatchObject({ code: 'log_unavailable' });
      await log.close();
    });

    test('EL14 a slow reader holds one batch ahead at most and holds up nobody', async () => {
      const { log, codec } = await open();
      const { first } = await log.bounds(UPLOADS, 0);
      await appendNumbered(log, 50, 1_000);
      const { signal } = new AbortController();
      const slow = log.read(UPLOADS, 0, first, { signal, batchBytesMax: 4_000 })[Symbol.asyncIterator]();
      const opening = (await slow.next()) as IteratorYieldResult<LogBatch<typeof UPLOADS>>;
      for (let i = 50; i < 100; i++) await log.append(UPLOADS, 0, 'session', numbered(i, 1_000));
      const before = codec.decoded;
      expect(await take(log, UPLOADS, 0, first, 100)).toHaveLength(100);
      expect(before).toBeLessThanOrEqual(opening.value.records.length * 2);

      const read = [...opening.value.records];
      while (read.length < 100) {
        const { value } = (await slow.next()) as IteratorYieldResult<LogBatch<typeof UPLOADS>>;
        read.push(...value.records);
      }
      expect(countersOf(read)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    });

    if (trims) trimmingRules(open, reopened);
  });
}
