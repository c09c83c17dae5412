import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BACKOFF, reconnectDelayMs } from './backoff.ts';
import { ByteLru } from './byte-lru.ts';
import { addActivity, INACTIVITY, inactiveRanges } from './inactivity.ts';
import { NO_LAG, observeDisplay, observeServerTime, observeUpload } from './lag.ts';
import { NO_PLAY_OUT, observeArrival, PLAY_OUT } from './play-out.ts';

describe('the play-out delay', () => {
  test('covers the oldest frame of the last uploads, whatever the clocks say', () => {
    const skew = 123_456;
    let playOut = observeArrival(NO_PLAY_OUT, 10_000 + skew, 9_700, 9_950);
    playOut = observeArrival(playOut, 10_250 + skew, 9_900, 10_200);
    expect(playOut.delayMs).toBe(skew + 350 + PLAY_OUT.marginMs);
  });

  test('falls again when the recorder has become quicker', () => {
    let playOut = observeArrival(NO_PLAY_OUT, 5_000, 2_000, 4_900);
    for (let now = 5_250; now < 9_000; now += 250) playOut = observeArrival(playOut, now, now - 260, now - 10);
    expect(playOut.delayMs).toBe(260 + PLAY_OUT.marginMs);
  });

  test('evenness is not bought with more delay than the bound', () => {
    const playOut = observeArrival(NO_PLAY_OUT, 60_000, 0, 59_900);
    expect(playOut.delayMs).toBe(100 + PLAY_OUT.spreadMaxMs + PLAY_OUT.marginMs);
  });

  test('what it remembers is bounded', () => {
    let playOut = NO_PLAY_OUT;
    for (let now = 0; now < 60_000; now += 100) playOut = observeArrival(playOut, now, now - 100, now);
    expect(playOut.samples.length).toBeLessThanOrEqual(PLAY_OUT.memoryMs / 100 + 1);
  });
});

describe('the lag', () => {
  test('is measured on the server’s clock: the viewer’s and the recorder’s own clocks do not matter', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -1e9, max: 1e9 }), (viewerAhead, recorderAhead) => {
        const server = 1_800_000_000_000;
        let gauge = observeServerTime(NO_LAG, server, server + viewerAhead);
        gauge = observeUpload(gauge, server, server + recorderAhead);
        gauge = observeDisplay(gauge, server - 400 + recorderAhead, server + viewerAhead);
        expect(gauge.lagMs).toBe(400);
      }),
    );
  });

  test('trusts the message that travelled fastest', () => {
    let gauge = observeServerTime(observeServerTime(NO_LAG, 1_000, 1_500), 2_000, 2_020);
    gauge = observeUpload(observeUpload(gauge, 1_000, 400), 2_000, 1_990);
    expect(observeDisplay(gauge, 1_500, 2_020).lagMs).toBe(490);
  });

  test('is not measured by uploads that do not tell their times, and keeps its last value', () => {
    const gauge = observeDisplay(observeServerTime(NO_LAG, 5_000, 5_000), 4_700, 5_000);
    expect(observeUpload(gauge, 0, 0).lagMs).toBe(300);
    expect(observeUpload(gauge, 5_000, 0).recorderOffsets).toEqual([]);
  });

  test('is unknown before the server told its time', () => {
    expect(observeDisplay(NO_LAG, 0, 0).lagMs).toBeNull();
  });
});

describe('inactivity', () => {
  test('is a pause of some length, shown at its beginning and its end', () => {
    expect(inactiveRanges([1_000, 2_000, 20_000], 0, 21_000)).toEqual([
      { fromMs: 2_000 + INACTIVITY.leadMs, toMs: 20_000 - INACTIVITY.leadMs },
    ]);
  });

  test('its ranges are in order, apart, inside of the session and free of activity', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 120_000 })), (moments) => {
        const times: number[] = [];
        for (const moment of moments) addActivity(times, moment);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        let end = 0;
        for (const { fromMs, toMs } of inactiveRanges(times, 0, 120_000)) {
          expect(fromMs).toBeGreaterThanOrEqual(end);
          expect(toMs).toBeGreaterThan(fromMs);
          expect(times.some((time) => time >= fromMs && time <= toMs)).toBe(false);
          end = toMs;
        }
        expect(end).toBeLessThanOrEqual(120_000);
      }),
    );
  });
});

describe('waiting before a reconnect', () => {
  test('doubles, is bounded, and is spread', () => {
    expect(reconnectDelayMs(0, 1)).toBe(BACKOFF.firstMs);
    expect(reconnectDelayMs(3, 0)).toBe(BACKOFF.firstMs * 4);
    expect(reconnectDelayMs(1_000, 1)).toBe(BACKOFF.maxMs);
  });
});

describe('a cache by bytes', () => {
  test('holds no more than it may, save the newest, and lets go of each value once', () => {
    const entries = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 1, max: 60 })));
    fc.assert(
      fc.property(entries, (list) => {
        const gone: number[] = [];
        const lru = new ByteLru<number>(100, (value) => gone.push(value));
        for (const [index, [key, bytes]] of list.entries()) {
          lru.set(key, index, bytes);
          expect(lru.bytes).toBeLessThanOrEqual(100);
          expect(lru.get(key)).toBe(index);
        }
        lru.clear();
        expect(lru.bytes).toBe(0);
        expect(gone.toSorted((a, b) => a - b)).toEqual(list.map((_, index) => index));
      }),
    );
  });

  test('lets go of what was used longest ago', () => {
    const lru = new ByteLru<string>(2);
    lru.set('a', 'A', 1);
    lru.set('b', 'B', 1);
    lru.get('a');
    lru.set('c', 'C', 1);
    expect([lru.has('a'), lru.has('b'), lru.has('c'), lru.size]).toEqual([true, false, true, 2]);
  });

  test('keeps a value larger than itself', () => {
    const lru = new ByteLru<string>(2);
    lru.set('a', 'A', 50);
    expect(lru.get('a')).toBe('A');
  });
});
