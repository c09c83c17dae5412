import type { Catalog } from '@playhead/ports';
import { PlayheadError, toOffset } from '@playhead/schemas';
import { EXAMPLE_PROJECT, EXAMPLE_SESSION, keepingLogger, uploadsOf } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { mergedKeyOf, objectKeyOf, objectPrefixes, originOf } from '../src/core/object-key.ts';
import { isPassed } from '../src/sweep/core/nobodys.ts';
import type { World } from './fixtures.ts';
import { aWorld, START_MS, settle, until, validFlushes } from './fixtures.ts';
import { AT_ONCE, allMerged, ended, flushed, framesRead, keysOf, projected, sweeping } from './merging-world.ts';

const HASH = 'a'.repeat(64);
const OTHER_SESSION = 'other-session';

/** Three flushes of a session that ended, and of one that is live in the last of them. */
async function aMergedWorld(): Promise<World> {
  const world = aWorld();
  for (let i = 0; i < 3; i++) {
    const live = i === 2 ? uploadsOf(1, { sessionId: OTHER_SESSION, receivedAtMs: START_MS }) : [];
    await flushed(world, [...uploadsOf(i + 1, { receivedAtMs: START_MS }).slice(i), ...live]);
  }
  await ended(world.log, [EXAMPLE_SESSION]);
  await projected(world);
  await allMerged(world);
  return world;
}

async function passes(world: World, count: number, overrides: Parameters<typeof sweeping>[1] = {}) {
  const sweep = sweeping(world, overrides);
  await until(world.clock, () => sweep.it.stats.passes >= count, 1_000);
  await sweep.stop();
  return sweep.it.stats;
}

describe('keys', () => {
  test('a key tells what wrote its object; what is none of ours tells nothing', () => {
    const flush = objectKeyOf(3, toOffset(7), toOffset(12), HASH);
    const merge = mergedKeyOf(3, 4, HASH);
    expect(originOf(flush)).toEqual({ kind: 'flush', firstOffset: 7, lastOffset: 12 });
    expect(originOf(merge)).toEqual({ kind: 'merge', number: 4 });
    expect([flush, merge].map((key) => objectPrefixes(3).some((prefix) => key.startsWith(prefix)))).toEqual([true, true]);
    for (const key of [`${flush}x`, flush.slice(1), 'uploads/p0003/notes', 'merged/p0003/', 'checkpoints/p0003/0000000000000000'])
      expect(originOf(key)).toBeNull();
  });

  test('[SW2] only what the applied chain and the applied merges have passed may go', () => {
    const progress = { chainEnd: toOffset(12), mergeNumber: 4 };
    const judged = (key: string): boolean => isPassed(key, progress);
    expect(judged(objectKeyOf(0, toOffset(7), toOffset(12), HASH))).toBe(true);
    expect(judged(objectKeyOf(0, toOffset(7), toOffset(13), HASH))).toBe(false);
    expect(judged(mergedKeyOf(0, 4, HASH))).toBe(true);
    expect(judged(mergedKeyOf(0, 5, HASH))).toBe(false);
    expect(judged('uploads/p0000/notes')).toBe(false);
  });
});

test('[SW1] [SW3] objects whose blocks have all been replaced go when the grace is over, and those that are read stay', async () => {
  const world = await aMergedWorld();
  const [first, second, third] = (await validFlushes(world.log)).map(({ objectKey }) => objectKey);
  const before = await framesRead(world, EXAMPLE_SESSION);
  const mergedMs = world.clock.now();
  const sweep = sweeping(world, { settings: { sweepGraceMs: 600_000 } });
  await until(world.clock, () => sweep.it.stats.passes >= 5, 1_000);
  expect(world.clock.now() - mergedMs).toBeLessThan(300_000);
  expect(sweep.it.stats.removed).toBe(0);
  await until(world.clock, () => sweep.it.stats.removed > 0, 1_000);
  expect(world.clock.now() - mergedMs).toBeGreaterThan(500_000);
  await sweep.stop();
  // The live session is in the third.
  expect(await keysOf(world.blocks, 'uploads/')).toEqual([third]);
  expect([await world.blocks.size(first ?? ''), await world.blocks.size(second ?? '')]).toEqual([null, null]);
  expect(sweep.it.stats.removed).toBe(2);
  expect(await framesRead(world, EXAMPLE_SESSION)).toEqual(before);
  expect(await framesRead(world, OTHER_SESSION)).not.toEqual([]);
});

test('[SW1] [SW2] objects of flushes and merges that lost go; those that may still become valid, and what is not ours, stay', async () => {
  const world = await aMergedWorld();
  const lost = [objectKeyOf(0, toOffset(0), toOffset(1), HASH), mergedKeyOf(0, 1, HASH)];
  const coming = [objectKeyOf(0, toOffset(2), toOffset(9), HASH), mergedKeyOf(0, 2, HASH)];
  const others = ['uploads/p0000/notes', objectKeyOf(1, toOffset(0), toOffset(0), HASH), mergedKeyOf(1, 1, HASH)];
  for (const key of [...lost, ...coming, ...others]) await world.blocks.put(key, [Uint8Array.of(1)]);
  await passes(world, 1);
  for (const key of lost) expect(await world.blocks.size(key)).toBeNull();
  for (const key of [...coming, ...others]) expect(await world.blocks.size(key)).toBe(1);
  for (const key of await keysOf(world.blocks, 'checkpoints/')) expect(await world.blocks.size(key)).not.toBeNull();
});

test('[SW2] what becomes valid while the objects are listed stays: how far the catalog has come is asked before', async () => {
  const world = await aMergedWorld();
  const asked: string[] = [];
  const catalog: Catalog = {
    ...world.catalog,
    progress: (partition) => {
      asked.push('progress');
      return world.catalog.progress(partition);
    },
    objectsInUse: (...args) => {
      asked.push('in use');
      return world.catalog.objectsInUse(...args);
    },
  };
  const blocks = {
    ...world.blocks,
    list: (prefix: string) => {
      asked.push('list');
      return world.blocks.list(prefix);
    },
  };
  await passes(world, 1, { catalog, blocks });
  expect(asked).toEqual(['progress', 'list', 'list', 'in use']);
});

test('[SW4] a sweep that fails anywhere is made good by the next, and two at once harm nobody', async () => {
  const world = await aMergedWorld();
  const before = await framesRead(world, EXAMPLE_SESSION);
  const logger = keepingLogger();
  let deletes = 0;
  const remove = async (key: string): Promise<void> => {
    if (deletes++ === 0) throw new PlayheadError('unavailable', 'planned');
    await world.blocks.delete(key);
  };
  world.clock.advance(AT_ONCE.sweepGraceMs);
  const [one, other] = [sweeping(world, { logger, blocks: { ...world.blocks, delete: remove } }), sweeping(world)];
  await until(world.clock, () => one.it.stats.passes > 1 && other.it.stats.passes > 1, 1_000);
  await one.stop();
  await other.stop();
  expect(logger.lines.filter(({ message }) => message === 'could not sweep all objects; the next sweep tries again')).toHaveLength(1);
  expect(await keysOf(world.blocks, 'uploads/')).toHaveLength(1);
  expect(await framesRead(world, EXAMPLE_SESSION)).toEqual(before);
});

test('[SW4] a stop ends a sweep whose store does not answer', async () => {
  const world = await aMergedWorld();
  let calls = 0;
  const hangs = (): Promise<never> => {
    calls++;
    return new Promise(() => undefined);
  };
  const sweep = sweeping(world, { catalog: { ...world.catalog, objectsInUse: hangs } });
  await until(world.clock, () => calls > 0, 1_000);
  await settle();
  await sweep.stop();
  expect(sweep.it.stats).toMatchObject({ passes: 0, removed: 0 });
});

test('the catalog is asked about a hundred objects at once, however many there are', async () => {
  const world = await aMergedWorld();
  for (let i = 0; i < 230; i++) await world.blocks.put(mergedKeyOf(0, 1, String(i).padStart(64, '0').slice(-16)), [Uint8Array.of(1)]);
  const asked: number[] = [];
  const objectsInUse: Catalog['objectsInUse'] = (partition, keys, beforeMs) => {
    asked.push(keys.length);
    return world.catalog.objectsInUse(partition, keys, beforeMs);
  };
  await passes(world, 1, { catalog: { ...world.catalog, objectsInUse } });
  expect(asked).toEqual([100, 100, 34]);
  expect(await keysOf(world.blocks, 'merged/')).toHaveLength(1);
  expect(await world.catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION)).not.toBeNull();
});
