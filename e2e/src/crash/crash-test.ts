import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Where } from './core/cycles.ts';
import { runCrashes } from './run.ts';
import type { CrashTarget } from './target.ts';
import { openTarget } from './target.ts';

export interface CrashTestOptions {
  readonly on: Where;
  /** How long it may take to be there, ms. */
  readonly openMsMax: number;
  /** Why it cannot be opened here; '' when it can. */
  readonly left?: string;
}

const CYCLES = 20;
const SEED = 1;
const PATIENCE_MS = 100_000;

/** What `npm run crash` does, for a few cycles. */
export function crashTest(what: string, { on, openMsMax, left = '' }: CrashTestOptions): void {
  describe.runIf(left === '')(`${what}, killed again and again under load${left && ` (${left})`}`, () => {
    let target: CrashTarget;

    beforeAll(async () => {
      target = await openTarget(on);
    }, openMsMax);

    afterAll(async () => {
      await target?.close();
    }, 60_000);

    test(`everything acknowledged is there once, in order, for every reader, after ${CYCLES} cycles`, async () => {
      const lines: string[] = [];
      const { tally, findings } = await runCrashes(target, {
        cycles: CYCLES,
        seed: SEED,
        patienceMs: PATIENCE_MS,
        say: (line) => lines.push(line),
      });
      // What differs is among the lines.
      expect(findings.length === 0 ? [] : lines).toEqual([]);
      expect(tally.cycles).toBe(CYCLES);
      // It was a test: something was acknowledged, repeated, and compared more than once.
      expect(tally.acknowledged).toBeGreaterThan(CYCLES);
      expect(tally.duplicates).toBeGreaterThan(CYCLES);
      expect(tally.replayed).toBeGreaterThan(3 * tally.frames);
      expect(tally.mergedBlocks).toBeGreaterThan(0);
      expect({ twice: tally.twice, missing: tally.missing, wrong: tally.wrong, miscounted: tally.miscounted }).toEqual({
        twice: 0,
        missing: 0,
        wrong: 0,
        miscounted: 0,
      });
    }, 300_000);
  });
}
