import type { Position } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import { describe, expect, test } from 'vitest';
import type { Difference, SentUpload, ShownFrame } from '../src/crash/core/compare.ts';
import { differences, differencesFromWhole } from '../src/crash/core/compare.ts';
import type { Cycle, Where } from '../src/crash/core/cycles.ts';
import { cyclesOf, ROLES_OF } from '../src/crash/core/cycles.ts';
import { randomOf } from '../src/crash/core/random.ts';
import { travelOf } from '../src/crash/core/travels.ts';

function first(count: number, cycles: Generator<Cycle>): Cycle[] {
  return Array.from({ length: count }, () => cycles.next().value as Cycle);
}

describe('what happens in each cycle', () => {
  test('follows from the seed alone', () => {
    for (const where of Object.keys(ROLES_OF) as Where[]) {
      expect(first(60, cyclesOf(7, where))).toEqual(first(60, cyclesOf(7, where)));
      expect(first(60, cyclesOf(7, where))).not.toEqual(first(60, cyclesOf(8, where)));
    }
  });

  test.each([1, 2, 3])('twenty cycles have every kind of crash, and every process is there to be killed (seed %i)', (seed) => {
    const cluster = first(20, cyclesOf(seed, 'cluster'));
    const kills = cluster.filter((cycle) => cycle.kind === 'kill');
    const sets = kills.map(({ victims }) => [...new Set(victims.map(({ role }) => role))].toSorted().join());
    expect(new Set(sets)).toEqual(
      new Set([
        'ingest',
        'processors',
        'live-gateway',
        'ingest,processors',
        'ingest,live-gateway',
        'live-gateway,processors',
        'ingest,live-gateway,processors',
      ]),
    );
    expect(kills.filter(({ whileStarting }) => whileStarting !== undefined)).toHaveLength(3);
    expect(cluster.filter(({ kind }) => kind === 'freeze')).toHaveLength(1);
    for (const { victims } of cluster) {
      expect(new Set(victims.map(({ role, place }) => `${role} ${place}`)).size).toBe(victims.length);
      for (const { role, place } of victims) expect(place).toBeLessThan(ROLES_OF.cluster[role as keyof typeof ROLES_OF.cluster]);
    }
    const alone = first(20, cyclesOf(seed, 'one-process'));
    expect(alone.every(({ victims }) => victims.length === 1)).toBe(true);
    expect(alone.filter((cycle) => cycle.kind === 'kill' && cycle.whileStarting !== undefined)).toHaveLength(8);
  });
});

test('an upload is sent one to five times, and each way for a copy to be late is taken', () => {
  const random = randomOf(1);
  const travels = Array.from({ length: 500 }, () => travelOf(random, 100));
  expect(new Set(travels.map(({ copies }) => copies.length))).toEqual(new Set([0, 1, 2, 3, 4]));
  expect(new Set(travels.flatMap(({ copies }) => copies.map(({ when }) => when)))).toEqual(
    new Set(['at-once', 'answered', 'cycles', 'ended']),
  );
});

describe('readers are compared with what was sent', () => {
  const at = (offset: number, index = 0): Position => ({ offset: toOffset(offset), index });
  const frame = (position: Position, digest: string, more: Partial<ShownFrame> = {}): ShownFrame => ({
    position,
    windowId: 'first',
    track: 'image',
    keyframe: true,
    digest,
    ...more,
  });
  const upload = (name: string, sentAt: number, acknowledgedAt: number | undefined, frames = [`${name}0`, `${name}1`]): SentUpload => ({
    name,
    frames,
    sentAt,
    acknowledgedAt,
  });
  const [a, b, c] = [upload('a', 0, 1), upload('b', 2, 5), upload('c', 3, undefined)];
  const shown = (offset: number, { frames }: SentUpload): ShownFrame[] => frames.map((digest, index) => frame(at(offset, index), digest));
  const kinds = (found: readonly Difference[]): [string, number][] => found.map(({ kind, frames }) => [kind, frames]);

  test('everything acknowledged, once, in order, is as it must be; what was not acknowledged may be there once', () => {
    expect(differences([a, b, c], [...shown(4, a), ...shown(9, b)])).toEqual([]);
    expect(differences([a, b, c], [...shown(4, a), ...shown(9, c), ...shown(10, b)])).toEqual([]);
  });

  test('an acknowledged upload that is not there is missing, and so is a part of any', () => {
    expect(kinds(differences([a, b], shown(4, a)))).toEqual([['missing', 2]]);
    expect(kinds(differences([a, c], [...shown(4, a), ...shown(9, c).slice(0, 1)]))).toEqual([['missing', 1]]);
  });

  test('an upload at two offsets is there twice, and so is a frame that comes again', () => {
    expect(kinds(differences([a, b], [...shown(4, a), ...shown(5, a), ...shown(9, b)]))).toEqual([['twice', 2]]);
    expect(kinds(differences([a], [...shown(4, a), ...shown(4, a)]))).toEqual([['twice', 2]]);
    expect(kinds(differences([c], [...shown(4, c), ...shown(5, c)]))).toEqual([['twice', 2]]);
  });

  test('an upload before one that was acknowledged when it left is out of order, and so is a frame that comes late', () => {
    expect(kinds(differences([a, b], [...shown(4, b), ...shown(9, a)]))).toEqual([['order', 2]]);
    expect(kinds(differences([a, b], [...shown(9, b), ...shown(4, a)]))).toEqual([['order', 2]]);
    const [d, e] = [upload('d', 0, 3), upload('e', 1, 2)];
    expect(differences([d, e], [...shown(4, e), ...shown(9, d)])).toEqual([]);
  });

  test('frames that nobody sent are unknown', () => {
    expect(kinds(differences([a], [...shown(4, a), frame(at(5), 'x')]))).toEqual([['unknown', 1]]);
    expect(kinds(differences([a], [...shown(4, a), frame(at(4, 2), 'x')]))).toEqual([['unknown', 1]]);
    expect(kinds(differences([a], [frame(at(4), 'a0'), frame(at(4, 1), 'x')]))).toEqual([['missing', 1]]);
  });

  describe('and with each other', () => {
    const whole = [...shown(4, a), ...shown(9, b)];

    test('who joined at the start or behind a position has the rest, no more and no less', () => {
      expect(differencesFromWhole(whole, whole, 'start')).toEqual([]);
      expect(differencesFromWhole(whole, whole.slice(1), at(4))).toEqual([]);
      expect(kinds(differencesFromWhole(whole, whole.slice(1), 'start'))).toEqual([['missing', 1]]);
      expect(kinds(differencesFromWhole(whole, whole, at(4)))).toEqual([['unknown', 1]]);
      expect(kinds(differencesFromWhole(whole, whole.toSpliced(2, 0, ...shown(4, a).slice(1)), 'start'))).toEqual([['twice', 1]]);
      expect(kinds(differencesFromWhole(whole, [...whole.slice(0, 3), frame(at(9, 1), 'x')], 'start'))).toEqual([['missing', 1]]);
    });

    test('who joined at the last keyframes has everything of each track from a keyframe on', () => {
      const signal = { track: 'signal', keyframe: false } as const;
      const change = { track: 'dom', keyframe: false } as const;
      const page = [
        frame(at(1), 'k1', { track: 'dom' }),
        frame(at(1, 1), 's1', signal),
        frame(at(2), 'k2', { track: 'dom' }),
        frame(at(2, 1), 's2', signal),
        frame(at(3), 'c1', change),
        frame(at(3, 1), 's3', signal),
      ];
      expect(differencesFromWhole(page, page, 'keyframe')).toEqual([]);
      expect(differencesFromWhole(page, page.slice(2), 'keyframe')).toEqual([]);
      expect(kinds(differencesFromWhole(page, page.toSpliced(0, 4), 'keyframe'))).toEqual([['missing', 4]]);
      expect(kinds(differencesFromWhole(page, page.slice(2).toSpliced(1, 1), 'keyframe'))).toEqual([['missing', 1]]);
    });

    test('who joined at the last keyframes and came back before it had reached them all has everything behind where it came back', () => {
      const change = { track: 'dom', keyframe: false } as const;
      const other = { windowId: 'other', track: 'dom' } as const;
      const page = [
        frame(at(1), 'o1', other),
        frame(at(2), 'k1', { track: 'dom' }),
        frame(at(3), 'o2', { ...other, keyframe: false }),
        frame(at(4), 'c1', change),
        frame(at(5), 'o3', { ...other, keyframe: false }),
        frame(at(6), 'o4', other),
      ];
      // Its other window begins with o4; it came back behind k1 and c1.
      const came = page.filter(({ digest }) => ['k1', 'c1', 'o3', 'o4'].includes(digest));
      expect(differencesFromWhole(page, came, 'keyframe', at(4))).toEqual([]);
      expect(kinds(differencesFromWhole(page, came.toSpliced(2, 1), 'keyframe', at(4)))).toEqual([['missing', 1]]);
      expect(kinds(differencesFromWhole(page, came.toSpliced(1, 1), 'keyframe', at(4)))).toEqual([['missing', 1]]);
    });
  });
});
