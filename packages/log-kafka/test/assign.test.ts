import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Claim } from '../src/core/assign.ts';
import { assignPartitions } from '../src/core/assign.ts';

const claim = (memberId: string, owned: readonly number[], generation = 1): Claim => ({ memberId, owned, generation });
const plain = (assignment: ReadonlyMap<string, readonly number[]>): Record<string, readonly number[]> => Object.fromEntries(assignment);

/** Generations of a group without anybody coming or going: what a member loses it does not claim in the next one. */
function settle(partitions: number, claims: readonly Claim[]): { claims: readonly Claim[]; generations: number } {
  let now = claims;
  for (let generations = 1; ; generations++) {
    const assignment = assignPartitions(partitions, now);
    const next = now.map(({ memberId, generation }) => claim(memberId, assignment.get(memberId) ?? [], generation + 1));
    const lost = now.some(({ owned }, i) => owned.some((partition) => !next[i]?.owned.includes(partition)));
    if (!lost) return { claims: next, generations };
    now = next;
  }
}

describe('assignPartitions', () => {
  test('the first member gets everything', () => {
    expect(plain(assignPartitions(4, [claim('a', [])]))).toEqual({ a: [0, 1, 2, 3] });
  });

  test('what has to move is given to nobody until its owner has let go of it', () => {
    expect(plain(assignPartitions(4, [claim('a', [0, 1, 2, 3]), claim('b', [])]))).toEqual({ a: [0, 1], b: [] });
    expect(plain(assignPartitions(4, [claim('a', [0, 1]), claim('b', [])]))).toEqual({ a: [0, 1], b: [2, 3] });
  });

  test('what a member left behind is shared by the others, who keep what they have', () => {
    expect(plain(assignPartitions(6, [claim('a', [0, 1]), claim('b', [4, 5])]))).toEqual({ a: [0, 1, 2], b: [3, 4, 5] });
  });

  test('of two who claim a partition the one of the later generation has it', () => {
    const assignment = plain(assignPartitions(2, [claim('a', [0, 1], 3), claim('b', [0], 4)]));
    expect(assignment).toEqual({ a: [1], b: [0] });
  });

  test('claims of partitions that do not exist count for nothing', () => {
    expect(plain(assignPartitions(2, [claim('a', [0, 1, 2, 99])]))).toEqual({ a: [0, 1] });
  });

  test('however members come and go: nobody has two, all is given out in two generations, evenly, and no more moves than has to', () => {
    const group = fc.record({
      partitions: fc.integer({ min: 1, max: 40 }),
      sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 }),
    });
    fc.assert(
      fc.property(group, ({ partitions, sizes }) => {
        let claims: readonly Claim[] = [];
        for (const size of sizes) {
          const before = claims;
          const staying = claims.slice(0, size);
          const coming = Array.from({ length: Math.max(0, size - staying.length) }, (_, i) => claim(`m${staying.length + i}`, []));
          const settled = settle(partitions, [...staying, ...coming]);
          claims = settled.claims;
          expect(settled.generations).toBeLessThanOrEqual(2);
          const all = claims.flatMap(({ owned }) => owned);
          expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, i) => i));
          const counts = claims.map(({ owned }) => owned.length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          for (const { memberId, owned } of claims) {
            const had = before.find((other) => other.memberId === memberId)?.owned ?? [];
            const kept = had.filter((partition) => owned.includes(partition)).length;
            expect(kept).toBe(Math.min(had.length, owned.length));
          }
        }
      }),
    );
  });
});
