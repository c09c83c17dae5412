import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Extent, PlaybackClock } from './clock.ts';
import { advance, behindMs, FOLLOW, followRate, goLive, pause, play, seek, setSpeed, startClock } from './clock.ts';

const over: Extent = { startMs: 1_000, endMs: 61_000, live: false, loading: false, absent: null, edgeMs: null, skip: [] };
const live: Extent = { ...over, live: true, edgeMs: 61_500 };

describe('the playback clock', () => {
  test('plays at the chosen speed', () => {
    const clock = setSpeed(play(startClock(1_000, 0), 0, over), 4);
    expect(advance(clock, 500, over)).toMatchObject({ mode: 'playing', timeMs: 3_000, rate: 4 });
  });

  test('stands at the end of an ended session, and plays from the start again', () => {
    const atEnd = advance(play(startClock(60_990, 0), 0, over), 500, over);
    expect(atEnd).toMatchObject({ mode: 'paused', timeMs: 61_000 });
    expect(play(atEnd, 600, over)).toMatchObject({ mode: 'playing', timeMs: 1_000 });
  });

  test('waits at the end of what is there while history is still coming', () => {
    const loading = { ...over, loading: true };
    const waiting = advance(play(startClock(60_990, 0), 0, loading), 500, loading);
    expect(waiting).toMatchObject({ mode: 'playing', timeMs: 61_000, rate: 0 });
    expect(advance(waiting, 1_000, { ...over, endMs: 90_000 })).toMatchObject({ mode: 'playing', timeMs: 61_500 });
  });

  test('plays up to what is on its way and stands there, also where it was sought, until it has come', () => {
    const coming = { ...live, absent: { fromMs: 5_000, toMs: 50_000 } };
    const before = advance(play(startClock(4_000, 0), 0, coming), 3_000, coming);
    expect(before).toMatchObject({ mode: 'playing', timeMs: 5_000, rate: 0 });
    const inside = advance(seek(before, 20_000, 3_000, coming), 9_000, coming);
    expect(inside).toMatchObject({ mode: 'playing', timeMs: 20_000, rate: 0 });
    expect(advance(inside, 10_000, { ...live, absent: { fromMs: 30_000, toMs: 50_000 } })).toMatchObject({ timeMs: 21_000, rate: 1 });
    const behind = advance(seek(before, 50_000, 3_000, coming), 4_000, coming);
    expect(behind).toMatchObject({ timeMs: 51_000, rate: 1 });
  });

  test('follows when it has reached the live edge', () => {
    expect(advance(play(startClock(61_400, 0), 0, live), 200, live)).toMatchObject({ mode: 'following', timeMs: 61_500 });
  });

  test('a follower holds to the edge, hurries after it, and jumps when it is too far', () => {
    const at = (timeMs: number): PlaybackClock => ({ mode: 'following', timeMs, atMs: 0, speed: 1, rate: 1 });
    expect(advance(at(61_484), 16, live)).toMatchObject({ timeMs: 61_500, rate: 1 });
    expect(advance(at(58_484), 16, live).rate).toBeGreaterThan(3);
    expect(advance(at(61_500 - FOLLOW.jumpMs - 1), 16, live)).toMatchObject({ timeMs: 61_500, rate: 1 });
  });

  test('a follower without a known edge does not run ahead of the newest frame', () => {
    const blind = { ...live, edgeMs: null };
    expect(advance(goLive(startClock(1_000, 0), 0, blind), 5_000, blind).timeMs).toBe(61_000);
  });

  test('a follower of a session that ends plays to the end and stands there', () => {
    const following = goLive(startClock(60_000, 0), 0, { ...live, edgeMs: 60_500 });
    expect(advance(following, 100, over)).toMatchObject({ mode: 'playing', timeMs: 60_600 });
    expect(advance(following, 900, over)).toMatchObject({ mode: 'paused', timeMs: 61_000 });
  });

  test('jumps over what is skipped', () => {
    const skipping = { ...over, skip: [{ fromMs: 5_000, toMs: 30_000 }] };
    expect(advance(play(startClock(4_900, 0), 0, skipping), 200, skipping).timeMs).toBe(30_000);
  });

  test('a seek leaves the live edge, stays inside of the session, and wakes a replay that was over', () => {
    const following = goLive(startClock(1_000, 0), 0, live);
    expect(seek(following, 20_000, 0, live)).toMatchObject({ mode: 'playing', timeMs: 20_000 });
    expect(seek(following, -5, 0, live).timeMs).toBe(1_000);
    expect(seek(startClock(61_000, 0), 9_000, 0, over).mode).toBe('playing');
    expect(seek(startClock(50_000, 0), 9_000, 0, over).mode).toBe('paused');
  });

  test('only slowing down takes a follower from the edge', () => {
    const following = goLive(startClock(1_000, 0), 0, live);
    expect(setSpeed(following, 8)).toEqual(following);
    expect(setSpeed(following, 0.5)).toMatchObject({ mode: 'playing', speed: 0.5 });
  });

  test('paused, it falls behind by the time that passes', () => {
    const paused = pause(goLive(startClock(61_500, 0), 0, live), 0);
    const later = { ...live, edgeMs: 64_500 };
    expect(behindMs(advance(paused, 3_000, later), later)).toBe(3_000);
  });

  test('never runs backwards and never passes the end of an ended session', () => {
    const extents = fc.record({
      startMs: fc.constant(1_000),
      endMs: fc.integer({ min: 1_000, max: 200_000 }),
      live: fc.boolean(),
      loading: fc.boolean(),
      absent: fc.constant(null),
      edgeMs: fc.option(fc.integer({ min: 1_000, max: 200_000 })),
      skip: fc.constant([]),
    });
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), extents), { maxLength: 20 });
    fc.assert(
      fc.property(steps, fc.constantFrom('playing', 'following', 'paused'), fc.constantFrom(0.5, 1, 8), (list, mode, speed) => {
        let clock: PlaybackClock = { mode, timeMs: 1_000, atMs: 0, speed, rate: 0 };
        let endMs = 1_000;
        for (const [passed, shape] of list) {
          endMs = Math.max(endMs, shape.endMs);
          const before = clock;
          clock = advance(clock, clock.atMs + passed, { ...shape, endMs });
          expect(clock.timeMs).toBeGreaterThanOrEqual(Math.min(before.timeMs, endMs));
          const bound = shape.live ? Number.POSITIVE_INFINITY : Math.max(before.timeMs, endMs);
          expect(clock.timeMs).toBeLessThanOrEqual(bound);
        }
      }),
    );
  });

  test('a follower converges on its edge from any distance, at a bounded pace', () => {
    fc.assert(
      fc.property(fc.integer({ min: -5_000, max: FOLLOW.jumpMs - 100 }), (behind) => {
        let clock: PlaybackClock = { mode: 'following', timeMs: 1_000_000 - behind, atMs: 0, speed: 1, rate: 1 };
        for (let now = 16; now < 20_000; now += 16) {
          clock = advance(clock, now, { ...live, endMs: 0, edgeMs: 1_000_000 + now });
          expect(clock.rate).toBeLessThanOrEqual(FOLLOW.rateMax);
          expect(clock.rate).toBeGreaterThanOrEqual(FOLLOW.rateMin);
        }
        expect(Math.abs(1_000_000 + clock.atMs - clock.timeMs)).toBeLessThanOrEqual(FOLLOW.toleranceMs + 8);
      }),
    );
  });

  test('the pace of a follower is 1 at the edge and grows with the distance', () => {
    expect(followRate(0)).toBe(1);
    expect(followRate(FOLLOW.doubleMs * 2)).toBe(3);
    expect(followRate(60_000)).toBe(FOLLOW.rateMax);
    expect(followRate(-60_000)).toBe(FOLLOW.rateMin);
  });
});
