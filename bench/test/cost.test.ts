import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Installation, Prices, SessionHour } from '../src/cost/cost-model.ts';
import { costOf } from '../src/cost/cost-model.ts';

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const HOUR: SessionHour = { uploads: 720, bytesUploaded: 1e6, bytesAtRest: 1e6, merged: { bytes: 5e5, objects: 0.5 }, cpuSeconds: 1 };
const PRICES: Prices = { put: 1e-5, get: 1e-6, storedGb: 0.02, machine: 50, machineCpus: 2 };
/** One session that is open all the time. */
const ALWAYS: Installation = {
  sessionsPerMonth: 1,
  sessionMinutes: 730 * 60,
  partitions: 1,
  flushAgeS: 10,
  monthsKept: 1,
  replays: 0,
  peak: 1,
  isMerged: false,
  isAlwaysInUse: true,
};

test('a partition that is always in use has a PUT per flush, and two requests per checkpoint', () => {
  const { puts, gets, requests } = costOf(HOUR, ALWAYS, PRICES);
  expect(puts).toBeCloseTo(730 * (360 + 2 * 60), -2);
  // The projection's.
  expect(gets).toBeCloseTo(730 * 360, -2);
  expect(requests).toBeCloseTo(puts * 1e-5 + gets * 1e-6, 10);
});

test('fewer flushes than one a checkpoint make a checkpoint each', () => {
  expect(costOf(HOUR, { ...ALWAYS, flushAgeS: 300 }, PRICES).puts).toBeCloseTo(730 * 12 * 3, -2);
});

test('partitions without an open session make no requests', () => {
  const few = { ...ALWAYS, sessionsPerMonth: 100, sessionMinutes: 5, partitions: 6, isAlwaysInUse: false };
  // Of 8.3 hours hardly two sessions are open at a time.
  expect(costOf(HOUR, few, PRICES).puts).toBeLessThan(9 * (360 + 2 * 60));
  expect(costOf(HOUR, { ...few, isAlwaysInUse: true }, PRICES).puts).toBeGreaterThan(6 * 730 * 360);
});

test('a session that ends cuts a flush short: many ends make age matter less', () => {
  const busy = { ...ALWAYS, sessionsPerMonth: 1_000_000, sessionMinutes: 5, partitions: 12, isAlwaysInUse: false };
  const [short, long] = [10, 300].map((flushAgeS) => costOf(HOUR, { ...busy, flushAgeS }, PRICES).puts);
  expect((short ?? 0) / (long ?? 1)).toBeLessThan(10);
});

test('a large object is put in parts', () => {
  const pictures = { ...HOUR, bytesUploaded: 1.44e9, bytesAtRest: 1.44e9 };
  // 4 MB in 10 s are one request, 24 MB in 60 s two parts, a begin and an end.
  expect(costOf(pictures, ALWAYS, PRICES).puts).toBeCloseTo(730 * (360 + 2 * 60), -2);
  expect(costOf(pictures, { ...ALWAYS, flushAgeS: 60 }, PRICES).puts).toBeCloseTo(730 * (60 * 4 + 2 * 60), -2);
});

test('what is kept, replayed and merged costs what it says', () => {
  const before = costOf(HOUR, { ...ALWAYS, monthsKept: 2 }, PRICES);
  expect([before.storedGb, before.storage]).toEqual([1.46, 1.46 * 0.02]);
  const replayed = costOf(HOUR, { ...ALWAYS, replays: 1 }, PRICES);
  expect(replayed.gets - before.gets).toBeCloseTo(730 * 360, -2);
  const merged = costOf(HOUR, { ...ALWAYS, replays: 1, isMerged: true }, PRICES);
  expect(merged.storedGb).toBeCloseTo(0.365, 6);
  expect(merged.puts - before.puts).toBeCloseTo(730 * 0.5, 6);
  // Merging reads each block once; a replay then is one request.
  expect(merged.gets - replayed.gets).toBeCloseTo(1, 6);
});

test('the first machine is free, the next ones are not', () => {
  const busy = { ...ALWAYS, sessionsPerMonth: 5_000 };
  expect(costOf(HOUR, busy, PRICES).compute).toBe(0);
  expect(costOf(HOUR, { ...busy, peak: 4 }, PRICES).compute).toBe(3 * 50);
});

test('docs/cost.md has what `npm run cost` prints', () => {
  const printed = execFileSync(process.execPath, [pathOf('../src/cost/main.ts')], { encoding: 'utf8' });
  expect(readFileSync(pathOf('../../docs/cost.md'), 'utf8')).toContain(`\n\n${printed}\n`);
});
