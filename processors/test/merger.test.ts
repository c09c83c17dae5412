import type { BlockStore, Catalog } from '@playhead/ports';
import { Turns } from '@playhead/ports';
import type { Frame, RawPiece, Upload } from '@playhead/schemas';
import { decodeFrameIndex, PlayheadError, rawBytesOf } from '@playhead/schemas';
import { anUploadOf, EXAMPLE_PROJECT, EXAMPLE_SESSION, jpegOf, keepingLogger, memoryCatalog, uploadsOf } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fault } from './faulty-world.ts';
import { faulty } from './faulty-world.ts';
import type { World } from './fixtures.ts';
import { aWorld, recordsOf, START_MS, settle, until, validFlushes, whileTimePasses } from './fixtures.ts';
import {
  allMerged,
  blocksOf,
  ended,
  flushed,
  framesRead,
  isAllMerged,
  keysOf,
  merging,
  projected,
  projecting,
  sweeping,
} from './merging-world.ts';

const OTHER_SESSION = 'other-session';
const SESSIONS = [EXAMPLE_SESSION, OTHER_SESSION];

/** Uploads `from` .. `to`-1 of both sessions. */
const uploads = (from: number, to: number): Upload[] =>
  SESSIONS.flatMap((sessionId) => uploadsOf(to, { sessionId, receivedAtMs: START_MS }).slice(from));

const picture = (timestampMs: number): Frame => ({ track: 'image', keyframe: true, timestampMs, payload: jpegOf() });

/** Two ended sessions in three flushes. */
async function aRecordedWorld(): Promise<World> {
  const world = aWorld();
  for (let i = 0; i < 3; i++) await flushed(world, uploads(i, i + 1));
  await ended(world.log, SESSIONS);
  await projected(world);
  return world;
}

async function allFrames(world: Pick<World, 'blocks' | 'catalog'>): Promise<unknown[]> {
  return Promise.all(SESSIONS.map((sessionId) => framesRead(world, sessionId)));
}

describe('what a merge holds', () => {
  test('[MG1] an ended session is one block of an object that it shares, with the frames that it had', async () => {
    const world = await aRecordedWorld();
    const before = await allFrames(world);
    const info = await world.catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION);
    const merger = await allMerged(world);
    expect(await blocksOf(world.catalog, EXAMPLE_SESSION)).toEqual(['m5']);
    expect(await allFrames(world)).toEqual(before);
    expect(await world.catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION)).toEqual(info);
    const [merge] = await recordsOf(world.log, 'playhead.merges');
    expect(merge).toMatchObject({ number: 1, partition: 0, writer: 'w' });
    expect(merge?.objectKey).toMatch(/^merged\/p0000\/0000000000000001-[0-9a-f]{16}$/);
    expect(await keysOf(world.blocks, 'merged/')).toEqual([merge?.objectKey]);
    expect(merger.stats).toMatchObject({ merges: 1, blocksBefore: 6, blocksAfter: 2, leftOut: 0, bytesAfter: merge?.objectBytes });
    expect(merger.stats.bytesAfter).toBeLessThan(merger.stats.bytesBefore);
  });

  test('[MG1] a session is not merged before it ended long enough ago, and one that is live not at all', async () => {
    const world = aWorld();
    await flushed(world, uploads(0, 1));
    await ended(world.log, [EXAMPLE_SESSION], world.clock.now());
    await projected(world);
    const endedMs = world.clock.now();
    const merger = merging(world, { settings: { mergeAfterMs: 60_000 } });
    const projection = projecting(world);
    await until(world.clock, async () => (await world.catalog.progress(0)).mergeNumber === 1);
    expect(world.clock.now() - endedMs).toBeGreaterThanOrEqual(60_000 - 5_000);
    world.clock.advance(10 * 60_000);
    await settle();
    expect(await blocksOf(world.catalog, OTHER_SESSION)).toEqual(['1']);
    await merger.stop();
    await projection.stop();
  });

  test('[MG1] uploads that come after a merge are merged behind it', async () => {
    const world = await aRecordedWorld();
    await allMerged(world);
    await flushed(world, uploads(3, 4));
    await projected(world);
    expect(await blocksOf(world.catalog, EXAMPLE_SESSION)).toEqual(['m5', '7']);
    const before = await allFrames(world);
    await allMerged(world);
    expect(await blocksOf(world.catalog, EXAMPLE_SESSION)).toEqual(['m5', 'm7']);
    expect(await allFrames(world)).toEqual(before);
  });

  test('[MG1] byte-identical pictures of several flushes lie in a merged block once; a session without a frame has no object', async () => {
    const world = aWorld();
    for (let i = 0; i < 3; i++) {
      await flushed(world, [anUploadOf([picture(START_MS + i)], { counter: i }), anUploadOf([], { counter: i, sessionId: OTHER_SESSION })]);
    }
    await ended(world.log, [OTHER_SESSION]);
    await projected(world);
    await allMerged(world);
    expect(await recordsOf(world.log, 'playhead.merges')).toMatchObject([
      { objectKey: '', objectBytes: 0, blocks: [{ blockLength: 0, uploads: 3 }] },
    ]);
    await ended(world.log, [EXAMPLE_SESSION]);
    await projected(world);
    const before = await allFrames(world);
    await allMerged(world);
    const [block] = (await world.catalog.blocks(EXAMPLE_PROJECT, EXAMPLE_SESSION, 0)).blocks;
    const pictures = decodeFrameIndex(block?.frameIndex ?? new Uint8Array()).frames;
    expect(new Set(pictures.map(({ offset }) => offset)).size).toBe(1);
    expect(pictures).toHaveLength(3);
    expect(await allFrames(world)).toEqual(before);
  });

  test('[MG2] a merge that is full is followed by the next, until nothing is left', async () => {
    const world = await aRecordedWorld();
    const before = await allFrames(world);
    const [flush] = await validFlushes(world.log);
    const mergeBytesMax = 2 * (flush?.blocks[0]?.blockLength ?? 0);
    const merger = await allMerged(world, { settings: { mergeBytesMax, mergeSessionBytesMax: mergeBytesMax } });
    expect(merger.stats.merges).toBeGreaterThan(1);
    expect(await allFrames(world)).toEqual(before);
    for (const merge of await recordsOf(world.log, 'playhead.merges')) expect(merge?.blocks.length).toBeGreaterThan(0);
  });

  test('[MG2] a session that is larger than what several may have together is in one object', async () => {
    const world = await aRecordedWorld();
    const before = await allFrames(world);
    await allMerged(world, { settings: { mergeBytesMax: 1 } });
    const keys: string[] = [];
    for (const sessionId of [EXAMPLE_SESSION, OTHER_SESSION]) {
      const { blocks } = await world.catalog.blocks(EXAMPLE_PROJECT, sessionId, 0);
      expect(blocks).toMatchObject([{ merged: true }]);
      keys.push(...blocks.map(({ objectKey }) => objectKey));
    }
    expect(new Set(keys).size).toBe(2);
    expect(await allFrames(world)).toEqual(before);
  });
});

describe('races and deaths', () => {
  const fault = fc.constantFrom<Fault>('error-before', 'error-after', 'dead-before', 'dead-after');

  test('[MG3] mergers that die or get errors before or after any effect lose nothing and double nothing for any reader', async () => {
    const life = fc.record({ more: fc.boolean(), faults: fc.array(fc.tuple(fc.nat(4), fault), { maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), fc.constantFrom(1, 700, 1_000_000), async (lives, mergeBytesMax) => {
        const world = await aRecordedWorld();
        let count = 3;
        for (const { more, faults } of lives) {
          if (more) {
            await flushed(world, uploads(count, count + 1));
            await projected(world);
            count++;
          }
          const before = await allFrames(world);
          const planned = new Map(faults);
          const process = faulty(world.log, world.blocks, { faultAt: (effect) => planned.get(effect) });
          const projection = projecting(world);
          const merger = merging(
            { ...world, log: process.log, blocks: process.blocks },
            { settings: { mergeBytesMax, mergeSessionBytesMax: mergeBytesMax } },
          );
          await until(world.clock, async () => process.isDead() || (await isAllMerged(world.catalog)), 500);
          await whileTimePasses(world.clock, merger.stop());
          await projection.stop();
          expect(await allFrames(world)).toEqual(before);
        }
        const before = await allFrames(world);
        await allMerged(world);
        expect(await allFrames(world)).toEqual(before);
      }),
      { numRuns: 25 },
    );
  });

  test('[MG4] of two mergers on one partition, at any pace, the first with the next number counts, and nothing is in two', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(8), fault), { maxLength: 3 }), fc.nat(3_000), async (faults, laterMs) => {
        const world = await aRecordedWorld();
        const before = await allFrames(world);
        const planned = new Map(faults.filter(([, kind]) => kind.startsWith('error')));
        const process = faulty(world.log, world.blocks, { faultAt: (effect) => planned.get(effect) });
        const projection = projecting(world);
        const settings = { mergeBytesMax: 700, mergeSessionBytesMax: 700 };
        const one = merging({ ...world, log: process.log, blocks: process.blocks }, { settings, writer: 'one' });
        world.clock.advance(laterMs);
        const other = merging(world, { settings: { ...settings, mergeTickMs: 700 }, writer: 'other' });
        await until(world.clock, async () => isAllMerged(world.catalog), 100);
        await one.stop();
        await other.stop();
        await projection.stop();
        expect(await allFrames(world)).toEqual(before);
        const swept = sweeping(world);
        await until(world.clock, () => swept.it.stats.passes > 10, 1_000);
        await swept.stop();
        expect(await allFrames(world)).toEqual(before);
        const named = new Set((await recordsOf(world.log, 'playhead.merges')).map((merge) => merge?.objectKey));
        for (const key of await keysOf(world.blocks, 'merged/')) expect(named).toContain(key);
      }),
      { numRuns: 25 },
    );
  });

  test('[MG4] a zombie that wakes after others have merged changes nothing', async () => {
    const world = await aRecordedWorld();
    const before = await allFrames(world);
    const release = Promise.withResolvers<void>();
    const slowLog = {
      ...world.log,
      append: async (...args: Parameters<typeof world.log.append>) => (await release.promise, world.log.append(...args)),
    };
    const zombie = merging(
      { ...world, log: slowLog as never },
      { writer: 'zombie', settings: { mergeBytesMax: 1, mergeSessionBytesMax: 1 } },
    );
    await until(world.clock, async () => (await keysOf(world.blocks, 'merged/')).length > 0);
    await allMerged(world);
    release.resolve();
    await until(world.clock, async () => (await recordsOf(world.log, 'playhead.merges')).length === 2);
    await zombie.stop();
    const projection = await projected(world);
    expect(projection.stats).toMatchObject({ invalid: 1, merges: 0 });
    expect(await allFrames(world)).toEqual(before);
    expect(await blocksOf(world.catalog, EXAMPLE_SESSION)).toEqual(['m5']);
  });
});

describe('what goes wrong', () => {
  test('[MG5] a session with a block that is gone or damaged is left as it is until the next start, and others are merged', async () => {
    const world = await aRecordedWorld();
    const [, second] = await validFlushes(world.log);
    const key = second?.objectKey ?? '';
    const whole = await world.blocks.get(key);
    const { blockOffset = 0 } = second?.blocks.find(({ sessionId }) => sessionId === OTHER_SESSION) ?? {};
    const damaged = whole.slice();
    damaged[blockOffset + 20] = (damaged[blockOffset + 20] ?? 0) ^ 255;
    await world.blocks.delete(key);
    await world.blocks.put(key, [damaged]);
    const logger = keepingLogger();
    const projection = projecting(world);
    const merger = merging(world, { logger });
    await until(world.clock, async () => (await world.catalog.progress(0)).mergeNumber === 1);
    world.clock.advance(60_000);
    await settle();
    await merger.stop();
    expect(await blocksOf(world.catalog, EXAMPLE_SESSION)).toEqual(['m5']);
    expect(await blocksOf(world.catalog, OTHER_SESSION)).toEqual(['1', '3', '5']);
    expect(merger.it.stats).toMatchObject({ merges: 1, leftOut: 1 });
    const errors = logger.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ data }) => data)).toMatchObject([{ code: 'BlockFault', sessionId: OTHER_SESSION, partition: 0 }]);
    await world.blocks.delete(key);
    await world.blocks.put(key, [whole]);
    await projection.stop();
    await allMerged(world);
    expect(await blocksOf(world.catalog, OTHER_SESSION)).toEqual(['m5']);
  });

  test('[MG5] an object that is gone leaves out its sessions, and a block that is not the one that its flush tells', async () => {
    const world = await aRecordedWorld();
    const [first] = await validFlushes(world.log);
    const [one, other] = first?.blocks ?? [];
    // The whole block of the wrong session.
    const get: BlockStore['get'] = (key, range) =>
      range && key === first?.objectKey && range.offset === other?.blockOffset
        ? world.blocks.get(key, { offset: one?.blockOffset ?? 0, length: one?.blockLength ?? 0 })
        : world.blocks.get(key, range);
    const merger = merging(world, { blocks: { ...world.blocks, get } });
    await until(world.clock, () => merger.it.stats.leftOut === 1);
    await merger.stop();
    await world.blocks.delete(first?.objectKey ?? '');
    const next = merging(world);
    await until(world.clock, () => next.it.stats.leftOut === 2);
    await next.stop();
    expect(next.it.stats.merges).toBe(0);
  });

  test('log, store and catalog are waited for', async () => {
    const world = await aRecordedWorld();
    let calls = 0;
    const sometimes = async <T>(work: () => Promise<T>): Promise<T> => {
      if (calls++ % 2 === 0) throw new PlayheadError('unavailable', 'planned');
      return work();
    };
    const { blocks, catalog } = world;
    const merger = merging(world, {
      blocks: { ...blocks, get: (...args) => sometimes(() => blocks.get(...args)), put: (...args) => sometimes(() => blocks.put(...args)) },
      catalog: {
        ...catalog,
        progress: (...args) => sometimes(() => catalog.progress(...args)),
        mergeable: (...args) => sometimes(() => catalog.mergeable(...args)),
        blocks: (...args) => sometimes(() => catalog.blocks(...args)),
      },
    });
    const projection = projecting(world);
    await until(world.clock, async () => isAllMerged(catalog));
    await merger.stop();
    await projection.stop();
    expect(merger.it.stats).toMatchObject({ merges: 1, leftOut: 0 });
  });

  test('[MG6] of the partitions of a process one merges at a time', async () => {
    const turns = new Turns(1);
    const worlds = [await aRecordedWorld(), await aRecordedWorld()];
    let [busy, most] = [0, 0];
    const compress = async (piece: RawPiece): Promise<Uint8Array> => {
      most = Math.max(most, ++busy);
      await settle(3);
      busy--;
      return rawBytesOf(piece);
    };
    const mergers = worlds.map((world) => merging(world, { turns, compress }));
    for (const world of worlds) await until(world.clock, async () => (await recordsOf(world.log, 'playhead.merges')).length > 0);
    for (const merger of mergers) await merger.stop();
    expect(most).toBe(1);
  });

  test('[MG7] a stop gives up a merge whose store, log, catalog or compression does not answer, and one that waits for its turn', async () => {
    const hangs = (): Promise<never> => new Promise(() => undefined);
    const cases: ((world: World) => Parameters<typeof merging>[1])[] = [
      ({ blocks }) => ({ blocks: { ...blocks, put: hangs } }),
      ({ blocks }) => ({ blocks: { ...blocks, get: hangs } }),
      ({ log }) => ({ log: { ...log, append: hangs } }),
      ({ catalog }) => ({ catalog: { ...catalog, mergeable: hangs } }),
      ({ catalog }) => ({ catalog: { ...catalog, blocks: hangs } }),
      () => ({ compress: hangs }),
      () => {
        const turns = new Turns(1);
        void turns.take(hangs);
        return { turns };
      },
    ];
    for (const overrides of cases) {
      const world = await aRecordedWorld();
      const merger = merging(world, overrides(world));
      await settle(30);
      const beforeMs = world.clock.now();
      await merger.stop();
      expect(world.clock.now() - beforeMs).toBeLessThanOrEqual(250);
      expect(await recordsOf(world.log, 'playhead.merges')).toEqual([]);
    }
  });

  test('[MG4] nothing is chosen anew before the catalog has what was appended', async () => {
    const world = await aRecordedWorld();
    const merger = merging(world, { settings: { mergeBytesMax: 1, mergeSessionBytesMax: 1 } });
    await until(world.clock, async () => (await recordsOf(world.log, 'playhead.merges')).length > 0);
    world.clock.advance(60_000);
    await settle();
    expect(await recordsOf(world.log, 'playhead.merges')).toHaveLength(1);
    const projection = projecting(world);
    await until(world.clock, async () => isAllMerged(world.catalog));
    await merger.stop();
    await projection.stop();
    expect(projection.it.stats.invalid).toBe(0);
  });
});

test('[PJ8] a catalog that is filled anew from the log answers the same, also where the objects of flushes were swept', async () => {
  const world = await aRecordedWorld();
  const before = await allFrames(world);
  await allMerged(world);
  const sweep = sweeping(world);
  await until(world.clock, () => sweep.it.stats.removed === 3, 1_000);
  await sweep.stop();
  const logger = keepingLogger();
  const catalog: Catalog = memoryCatalog();
  const again = await projected({ ...world, catalog }, { catalog, logger });
  expect(await allFrames({ ...world, catalog })).toEqual(before);
  for (const sessionId of SESSIONS)
    expect(await catalog.signals(EXAMPLE_PROJECT, sessionId)).toEqual(await world.catalog.signals(EXAMPLE_PROJECT, sessionId));
  expect(again.stats).toMatchObject({ flushes: 3, merges: 1, gone: 3 });
  // What was merged and swept is no error.
  expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
});
