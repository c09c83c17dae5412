import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Chain, Offset } from '../src/index.ts';
import { EMPTY_CHAIN, extendsChain, followChain, NO_OFFSET, nextOffset, toOffset } from '../src/index.ts';

interface Range {
  readonly prevLastOffset: Offset;
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
}

const range = (prevLastOffset: number, firstOffset: number, lastOffset: number): Range => ({
  prevLastOffset: toOffset(prevLastOffset),
  firstOffset: toOffset(firstOffset),
  lastOffset: toOffset(lastOffset),
});

/** One thing that one of several writers does: look at the log, or append a flush that extends what it last saw. */
type Step =
  | { readonly writer: number; readonly look: true }
  | { readonly writer: number; readonly look: false; readonly hole: number; readonly count: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ writer: fc.nat(2), look: fc.constant(true as const) }),
  fc.record({ writer: fc.nat(2), look: fc.constant(false as const), hole: fc.nat(2), count: fc.integer({ min: 1, max: 5 }) }),
);

describe('flush chain', () => {
  it('is extended by a flush that names its end and begins behind it, holes or not', () => {
    expect(extendsChain(EMPTY_CHAIN, range(-1, 0, 0))).toBe(true);
    expect(extendsChain(EMPTY_CHAIN, range(-1, 7, 9))).toBe(true);
    expect(extendsChain({ end: toOffset(9) }, range(9, 12, 12))).toBe(true);
  });

  it('is not extended by a flush that names another end, overlaps, or is inside out', () => {
    const chain: Chain = { end: toOffset(9) };
    for (const flush of [range(8, 10, 12), range(-1, 10, 12), range(10, 11, 12), range(9, 9, 12), range(9, 3, 12), range(9, 12, 11)]) {
      expect(extendsChain(chain, flush)).toBe(false);
      expect(followChain(chain, flush)).toBe(chain);
    }
  });

  it('belongs to the place in the log that it was read up to: an old record read again with a newer chain could count', () => {
    const zombie = range(5, 6, 9);
    const log = [zombie, range(-1, 0, 3), range(3, 4, 5)];
    expect(log.reduce(followChain, EMPTY_CHAIN)).toEqual({ end: 5 });
    expect(followChain({ end: toOffset(5) }, zombie)).toEqual({ end: 9 });
  });

  it('of any interleaving of racing writers is the same for every reader, from any point on, and covers without overlap', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), fc.nat(60), (steps, restartAt) => {
        const log: Range[] = [];
        const seen: Chain[] = [EMPTY_CHAIN, EMPTY_CHAIN, EMPTY_CHAIN];
        for (const step of steps) {
          const chain = seen[step.writer] ?? EMPTY_CHAIN;
          if (step.look) {
            seen[step.writer] = log.reduce(followChain, EMPTY_CHAIN);
            continue;
          }
          const first = nextOffset(chain.end) + step.hole;
          const flush = range(chain.end, first, first + step.count - 1);
          log.push(flush);
          // A zombie believes that what it wrote counts.
          seen[step.writer] = { end: flush.lastOffset };
        }

        const restart = Math.min(restartAt, Math.max(0, log.length - 1));
        const valid: Range[] = [];
        let chain = EMPTY_CHAIN;
        let checkpoint = EMPTY_CHAIN;
        for (const [i, flush] of log.entries()) {
          if (i === restart) checkpoint = chain;
          if (extendsChain(chain, flush)) valid.push(flush);
          chain = followChain(chain, flush);
          expect(chain.end).toBe(valid.at(-1)?.lastOffset ?? NO_OFFSET);
        }
        expect(log.reduce(followChain, EMPTY_CHAIN)).toEqual(chain);
        expect(log.slice(restart).reduce(followChain, checkpoint)).toEqual(chain);
        for (const [i, flush] of valid.entries()) {
          const before = valid[i - 1]?.lastOffset ?? NO_OFFSET;
          expect(flush.prevLastOffset).toBe(before);
          expect(flush.firstOffset).toBeGreaterThan(before);
        }
        // A reader that repeats valid flushes, as the catalog may after a crash, stays where it is.
        expect(valid.reduce(followChain, chain)).toEqual(chain);
      }),
      { numRuns: 500 },
    );
  });
});
