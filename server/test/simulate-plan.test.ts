import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FRAMES_PER_BUNDLE, frameTimes, planSendings, seededRandom } from '../src/simulate/core/plan.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('a simulated phone', () => {
  test('takes about one picture a second, at irregular growing times', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const times = frameTimes(60_000, seededRandom(seed));
        expect(times.length).toBeGreaterThan(50);
        expect(times.length).toBeLessThan(75);
        expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
      }),
    );
  });

  test('sends every bundle, never before its last picture was taken, and repeats only what it sent', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const times = frameTimes(30_000, random);
        const sendings = planSendings(times, random);
        const sent = new Set<number>();
        for (const sending of sendings) {
          const last = times[Math.min((sending.bundle + 1) * FRAMES_PER_BUNDLE, times.length) - 1] ?? Number.NaN;
          expect(sending.atMs).toBeGreaterThanOrEqual(last);
          expect(sent.has(sending.bundle)).toBe(sending.repeat);
          sent.add(sending.bundle);
        }
        expect(sent.size).toBe(Math.ceil(times.length / FRAMES_PER_BUNDLE));
      }),
    );
  });

  test('the same seed plays the same phone', () => {
    const play = (): unknown => {
      const random = seededRandom(7);
      return planSendings(frameTimes(60_000, random), random);
    };
    expect(play()).toEqual(play());
    expect((play() as { outOfOrder: boolean }[]).some((sending) => sending.outOfOrder)).toBe(true);
  });
});
