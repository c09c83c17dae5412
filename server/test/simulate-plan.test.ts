import { gunzipSync } from 'node:zlib';
import type { Signal } from '@playhead/schemas';
import { decodeBody } from '@playhead/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DoorClient } from '../src/door-client.ts';
import { DoorRefusal } from '../src/door-client.ts';
import { FRAMES_PER_BUNDLE, frameTimes, planAbsences, planBundles, planSendings, seededRandom } from '../src/simulate/core/plan.ts';
import { BUNDLES_WAITING_MAX, FRAMES_WAITING_MAX, WaitingUploads } from '../src/simulate/core/waiting.ts';
import type { PhoneTally } from '../src/simulate/phone.ts';
import { playPhone } from '../src/simulate/phone.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('the plan of a simulated phone', () => {
  test('takes about one picture a second, at irregular growing times, and none in the background', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const absences = planAbsences(60_000, random);
        const awayMs = absences.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
        const times = frameTimes(60_000, absences, random);
        expect(times.length).toBeGreaterThan((60_000 - awayMs) / 1_200);
        expect(times.length).toBeLessThan(75);
        expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
        for (const { fromMs, toMs } of absences) {
          expect(toMs - fromMs).toBeGreaterThanOrEqual(6_000);
          expect(times.some((time) => fromMs <= time && time < toMs)).toBe(false);
        }
      }),
    );
  });

  test('most phones are in the background once in a minute; short plays have none', () => {
    const absences = Array.from({ length: 200 }, (_, seed) => planAbsences(60_000, seededRandom(seed)).length);
    expect(absences.filter((count) => count === 1).length).toBeGreaterThan(100);
    expect(Math.max(...absences)).toBe(1);
    expect(planAbsences(600_000, seededRandom(1)).length).toBeGreaterThan(3);
    for (let seed = 0; seed < 50; seed++) expect(planAbsences(15_000, seededRandom(seed))).toEqual([]);
  });

  test('sends every bundle, never before its last picture was taken nor from the background, and repeats only what it sent', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const absences = planAbsences(60_000, random);
        const times = frameTimes(60_000, absences, random);
        const bundles = planBundles(times, absences);
        expect(bundles.flat()).toEqual(times);
        for (const bundle of bundles) {
          expect(bundle.length).toBeLessThanOrEqual(FRAMES_PER_BUNDLE);
          expect(absences.some(({ fromMs }) => (bundle[0] ?? 0) < fromMs && fromMs <= (bundle.at(-1) ?? 0))).toBe(false);
        }
        const sent = new Set<number>();
        for (const { bundle, repeat, atMs } of planSendings(bundles, absences, random)) {
          expect(atMs).toBeGreaterThanOrEqual(bundles[bundle]?.at(-1) ?? Number.NaN);
          expect(absences.some(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs)).toBe(false);
          expect(sent.has(bundle)).toBe(repeat);
          sent.add(bundle);
        }
        expect(sent.size).toBe(bundles.length);
      }),
    );
  });

  test('the same seed plays the same phone', () => {
    const play = (): unknown => {
      const random = seededRandom(7);
      const absences = planAbsences(60_000, random);
      return planSendings(planBundles(frameTimes(60_000, absences, random), absences), absences, random);
    };
    expect(play()).toEqual(play());
    expect((play() as { outOfOrder: boolean }[]).some((sending) => sending.outOfOrder)).toBe(true);
  });
});

describe('what waits in a phone', () => {
  test('is bounded: the oldest bundles go, and one gap says how much of when', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 120 }), (sizes) => {
        const waiting = new WaitingUploads();
        let dropped = 0;
        sizes.forEach((size, at) => {
          dropped += waiting.add({
            id: String(at),
            times: Array.from({ length: size }, (_, i) => at * 100 + i),
            body: new Uint8Array(size),
          });
          expect(waiting.frames).toBeLessThanOrEqual(FRAMES_WAITING_MAX);
        });
        expect(waiting.frames + dropped).toBe(sizes.reduce((sum, size) => sum + size, 0));
        expect(waiting.gaps.reduce((sum, gap) => sum + (gap.frames ?? 0), 0)).toBe(dropped);
        expect(waiting.gaps.length).toBeLessThanOrEqual(1);
      }),
    );
    const waiting = new WaitingUploads();
    for (let at = 0; at < BUNDLES_WAITING_MAX + 2; at++) waiting.add({ id: String(at), times: [at, at + 0.5], body: new Uint8Array(7) });
    expect(waiting.gaps).toEqual([{ kind: 'gap', reason: 'buffer_full', fromMs: 0, toMs: 1.5, frames: 4, bytes: 14, track: 'image' }]);
  });
});

describe('a simulated phone', () => {
  /** Plays a phone in no time, against a door that is away in between. */
  async function play(durationMs: number, away: { readonly fromMs: number; readonly toMs: number } | null) {
    let nowMs = 1_768_478_400_000;
    const startMs = nowMs;
    const images: number[] = [];
    const gaps: Signal[] = [];
    const tally: PhoneTally = { frames: 0, acknowledged: 0, sentTwice: 0, outOfOrder: 0, dropped: 0, gaps: 0, bytes: 0 };
    const seen = new Set<string>();
    const door: DoorClient = {
      start: async () => ({ sessionId: 'session-1', serverTimeMs: nowMs, config: {} as never }),
      upload: async (_, { upload, format, epochMs = 0 }, body) => {
        const atMs = nowMs - startMs;
        if (away && away.fromMs <= atMs && atMs < away.toMs) throw new DoorRefusal(503, 'away');
        if (seen.has(upload)) return;
        seen.add(upload);
        const inflated = format === 'frames' ? body : new Uint8Array(gunzipSync(body));
        const { frames } = decodeBody(format === 'frames' ? 'frames' : 'frame-bundle', inflated, { epochMs, receivedAtMs: nowMs });
        for (const { track, timestampMs, payload } of frames) {
          if (track === 'image') images.push(timestampMs);
          else gaps.push(JSON.parse(new TextDecoder().decode(payload)) as Signal);
        }
      },
      end: async () => undefined,
    };
    const waitUntil = async (unixMs: number): Promise<void> => {
      nowMs = Math.max(nowMs, unixMs);
    };
    await playPhone(door, { phone: 0, seed: 1000, durationMs, now: () => nowMs, waitUntil }, tally);
    return { images: images.toSorted((a, b) => a - b), gaps, tally };
  }

  test('tells when it was in the background, and no picture is from then', async () => {
    const { images, gaps, tally } = await play(60_000, null);
    expect(gaps.length).toBeGreaterThan(0);
    expect(tally).toMatchObject({ gaps: gaps.length, dropped: 0, frames: images.length });
    for (const { reason, fromMs = 0, toMs = 0 } of gaps) {
      expect(reason).toBe('background');
      expect(images.some((at) => fromMs < at && at < toMs)).toBe(false);
      expect(images.some((at) => at >= toMs)).toBe(true);
    }
  });

  test('that cannot send for long tells what had to go, when it can send again', async () => {
    const { images, gaps, tally } = await play(240_000, { fromMs: 10_000, toMs: 220_000 });
    const full = gaps.filter(({ reason }) => reason === 'buffer_full');
    expect(full).toHaveLength(1);
    expect(tally.dropped).toBeGreaterThan(0);
    expect(full[0]).toMatchObject({ frames: tally.dropped, track: 'image' });
    expect(images.length + tally.dropped).toBe(tally.frames);
    expect(gaps.some(({ reason }) => reason === 'background')).toBe(true);
  });
});
