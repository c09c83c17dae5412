import type { BlockStore, Catalog } from '@playhead/ports';
import type { Flush, FlushBlock, Merge } from '@playhead/schemas';
import { encodeFrameBundle, PlayheadError, toOffset } from '@playhead/schemas';
import {
  aDomKeyframe,
  aFlush,
  aMerge,
  anUpload,
  anUploadOf,
  aSessionEnded,
  aSessionStarted,
  aSignalFrame,
  EXAMPLE_PROJECT,
  EXAMPLE_SESSION,
  jpegOf,
  keepingLogger,
  memoryCatalog,
  uploadsOf,
} from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signalsOf } from '../src/catalog/block-signals.ts';
import { Projection } from '../src/catalog/projection-driver.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import { DEFAULT_SETTINGS } from '../src/settings.ts';
import type { CompactorOverrides, World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, settle, until, validFlushes, whileTimePasses } from './fixtures.ts';

const PARTITION = 0;

function project(world: World, overrides: CompactorOverrides & { catalog?: Catalog } = {}) {
  const projection = new Projection({ ...compactorDeps(world, overrides), catalog: overrides.catalog ?? world.catalog }, PARTITION);
  const stop = new AbortController();
  const ended = projection.run(stop.signal);
  return {
    projection,
    stop: async () => {
      stop.abort();
      await whileTimePasses(world.clock, ended);
    },
  };
}

/** Compacts what is there and stops. */
async function compact(world: World, overrides: CompactorOverrides = {}): Promise<void> {
  const compactor = new Compactor(compactorDeps(world, overrides), PARTITION);
  const stop = new AbortController();
  const ended = compactor.run(stop.signal);
  await whileTimePasses(world.clock, compactor.flushNow());
  stop.abort();
  await whileTimePasses(world.clock, ended);
}

async function texts(catalog: Catalog, sessionId = EXAMPLE_SESSION): Promise<(string | undefined)[]> {
  return (await catalog.signals(EXAMPLE_PROJECT, sessionId)).map(({ signal }) => signal.text);
}

const chainEnd = async (catalog: Catalog): Promise<number> => (await catalog.progress(PARTITION)).chainEnd;

describe('flushes', () => {
  test('[PJ1] the catalog gets the valid flushes with all their signals, and nothing of the others', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(2));
    await compact(world);
    const zombie: Flush = aFlush({ prevLastOffset: toOffset(-1), lastOffset: toOffset(1), writer: 'zombie', objectKey: 'uploads/none' });
    await world.log.append('playhead.flushes', PARTITION, '', zombie);
    await appendUploads(world.log, uploadsOf(4).slice(2));
    await compact(world);
    const { projection, stop } = project(world);
    await until(world.clock, async () => (await chainEnd(world.catalog)) === 3);
    expect(await texts(world.catalog)).toEqual(['button 0', 'button 1', 'button 2', 'button 3']);
    expect((await world.catalog.blocks(EXAMPLE_PROJECT, EXAMPLE_SESSION, PARTITION)).blocks).toHaveLength(2);
    expect(projection.stats).toMatchObject({ flushes: 2, invalid: 1, signals: 4 });
    await stop();
  });

  test('[PJ2] a projection that is killed at any call of the catalog goes on where the progress is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(6), { maxLength: 5 }), async (deaths) => {
        const world = aWorld();
        for (let i = 0; i < 3; i++) {
          await appendUploads(world.log, uploadsOf(i + 1).slice(i));
          await compact(world);
        }
        await world.log.append('playhead.sessions', PARTITION, EXAMPLE_SESSION, aSessionStarted());
        const catalog = memoryCatalog();
        for (const death of deaths) {
          let calls = 0;
          // Every second death comes after the catalog took it.
          const mortal: Catalog = {
            ...catalog,
            applyFlush: async (...args) => {
              if (calls++ < death) return catalog.applyFlush(...args);
              if (death % 2 === 0) await catalog.applyFlush(...args);
              return new Promise(() => undefined);
            },
          };
          const { stop } = project(world, { catalog: mortal });
          await settle();
          await stop();
        }
        const { stop } = project(world, { catalog });
        await until(world.clock, async () => (await chainEnd(catalog)) === 2 && (await catalog.progress(PARTITION)).sessionsNext === 1);
        expect(await texts(catalog)).toEqual(['button 0', 'button 1', 'button 2']);
        expect((await catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION))?.counts).toMatchObject({ clicks: 3, keyframes: 1 });
        await stop();
      }),
      { numRuns: 20 },
    );
  });

  test('[PJ4] a catalog that fails is tried again, with what is waited for in the log lines', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(1));
    await compact(world);
    let failures = 4;
    const applyFlush: Catalog['applyFlush'] = (...args) =>
      failures-- > 0 ? Promise.reject(new PlayheadError('unavailable', 'no table')) : world.catalog.applyFlush(...args);
    const logger = keepingLogger();
    const { stop } = project(world, { catalog: { ...world.catalog, applyFlush }, logger });
    await until(world.clock, async () => (await chainEnd(world.catalog)) === 0);
    const waits = logger.lines.filter(({ message }) => message === 'waiting to give flush 0..0 to the catalog (partition 0)');
    expect(waits).toHaveLength(4);
    expect(waits[0]?.data).toMatchObject({ code: 'unavailable', error: 'no table' });
    await stop();
  });

  test('[PJ5] a block that is gone or damaged gives no signals and holds up nothing', async () => {
    const world = aWorld();
    await appendUploads(world.log, [...uploadsOf(1), ...uploadsOf(1, { sessionId: 'other-session' })]);
    await compact(world);
    await appendUploads(world.log, uploadsOf(2).slice(1));
    await compact(world);
    await appendUploads(world.log, uploadsOf(3).slice(2));
    await compact(world);
    const [first, second] = await validFlushes(world.log);
    await world.blocks.delete(second?.objectKey ?? '');
    const bytes = await world.blocks.get(first?.objectKey ?? '');
    bytes[20] = (bytes[20] ?? 0) ^ 255;
    await world.blocks.delete(first?.objectKey ?? '');
    await world.blocks.put(first?.objectKey ?? '', [bytes]);
    const logger = keepingLogger();
    const { stop } = project(world, { logger });
    await until(world.clock, async () => (await chainEnd(world.catalog)) === 3);
    expect(await texts(world.catalog)).toEqual(['button 2']);
    expect(await texts(world.catalog, 'other-session')).toEqual(['button 0']);
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
    await stop();
  });

  test('[PJ6] of a large block the pictures are not fetched; one that is damaged gives no signals', async () => {
    const world = aWorld();
    const pictures = Array.from({ length: 9 }, (_, shade) => ({ offsetMs: shade, jpeg: jpegOf({ shade, bytesMin: 1024 * 1024 }) }));
    const bundle = anUpload({ format: 'frame-bundle', epochMs: 1_750_000_000_000, body: encodeFrameBundle(pictures) });
    const signals = anUploadOf([aSignalFrame()], { counter: 1 });
    for (const sessionId of ['session-a', 'session-b'])
      await appendUploads(world.log, [
        { ...bundle, sessionId },
        { ...signals, sessionId },
      ]);
    await compact(world);
    const [flush] = await validFlushes(world.log);
    if (flush === undefined) throw new Error('no flush');
    let read = 0;
    const get: BlockStore['get'] = async (...args) => {
      const bytes = await world.blocks.get(...args);
      read += bytes.length;
      return bytes;
    };
    const logger = keepingLogger();
    const { rows } = await signalsOf({ ...world.blocks, get }, flush, { logger });
    expect(rows.map(({ sessionId, signal }) => [sessionId, signal.kind])).toEqual([
      ['session-a', 'click'],
      ['session-b', 'click'],
    ]);
    expect(flush.objectBytes).toBeGreaterThan(18_000_000);
    expect(read).toBeLessThan(10_000);
    expect(logger.lines).toEqual([]);
    const blocks = flush.blocks.map((block, i): FlushBlock => (i === 0 ? { ...block, frameIndex: Uint8Array.of(9, 9) } : block));
    const rest = await signalsOf(world.blocks, { ...flush, blocks }, { logger });
    expect(rest.rows.map(({ sessionId }) => sessionId)).toEqual(['session-b']);
    expect(logger.lines).toHaveLength(1);
  });

  test('[PJ4] a block store that does not answer is tried again', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(1));
    await compact(world);
    let failures = 3;
    const get: BlockStore['get'] = (...args) =>
      failures-- > 0 ? Promise.reject(new PlayheadError('unavailable')) : world.blocks.get(...args);
    const { stop } = project({ ...world, blocks: { ...world.blocks, get } });
    await until(world.clock, async () => (await chainEnd(world.catalog)) === 0);
    expect(await texts(world.catalog)).toEqual(['button 0']);
    await stop();
  });

  test('[PJ6] only blocks whose counts know a signal are fetched', async () => {
    const world = aWorld();
    await appendUploads(world.log, [anUploadOf([aDomKeyframe()]), anUploadOf([aSignalFrame()], { sessionId: 'other-session' })]);
    await compact(world);
    const fetched: unknown[] = [];
    const get: BlockStore['get'] = (key, range) => {
      fetched.push(range);
      return world.blocks.get(key, range);
    };
    const { stop } = project({ ...world, blocks: { ...world.blocks, get } });
    await until(world.clock, async () => (await chainEnd(world.catalog)) === 1);
    const [flush] = await validFlushes(world.log);
    const block = flush?.blocks[1];
    expect(fetched).toEqual([{ offset: block?.blockOffset, length: block?.blockLength }]);
    await stop();
  });
});

describe('merges', () => {
  const aMergeOf = (flush: Flush, number: number, overrides: Partial<Merge> = {}): Merge =>
    aMerge({
      number,
      objectKey: flush.objectKey,
      objectBytes: flush.objectBytes,
      blocks: flush.blocks.map((block) => ({ ...block, firstFlush: flush.lastOffset, lastFlush: flush.lastOffset })),
      ...overrides,
    });

  test('[PJ8] the catalog gets the valid merges with their signals, also of blocks that are gone, and goes on where it was', async () => {
    const world = aWorld();
    for (let i = 0; i < 2; i++) {
      await appendUploads(world.log, uploadsOf(i + 1).slice(i));
      await compact(world);
    }
    const [first, second] = (await validFlushes(world.log)) as [Flush, Flush];
    const merged = 'merged/p0000/first';
    await world.blocks.put(merged, [await world.blocks.get(first.objectKey)]);
    await world.blocks.delete(first.objectKey);
    const append = (merge: Merge): Promise<unknown> => world.log.append('playhead.merges', PARTITION, '', merge);
    await append(aMergeOf(second, 2, { writer: 'too early' }));
    await append(aMergeOf(first, 1, { objectKey: merged }));
    await append(aMergeOf(second, 1, { writer: 'too late' }));
    const one = project(world);
    await whileTimePasses(world.clock, one.projection.catchUp());
    await one.stop();
    expect(one.projection.stats).toMatchObject({ flushes: 2, merges: 1, invalid: 2, gone: 1 });
    expect(await world.catalog.progress(PARTITION)).toMatchObject({ chainEnd: 1, mergeNumber: 1, mergesNext: 2 });
    expect(await texts(world.catalog)).toEqual(['button 0', 'button 1']);
    await append(aMergeOf(second, 2));
    const next = project(world);
    await whileTimePasses(world.clock, next.projection.catchUp());
    await next.stop();
    expect(next.projection.stats).toMatchObject({ flushes: 0, merges: 1, invalid: 1 });
    const { blocks } = await world.catalog.blocks(EXAMPLE_PROJECT, EXAMPLE_SESSION, PARTITION);
    expect(blocks).toMatchObject([{ merged: true }, { merged: true }]);
  });

  test('[PJ8] an object that is gone is told once: as lost where no sweep can have been, else quietly', async () => {
    const world = aWorld();
    await appendUploads(world.log, [...uploadsOf(1), ...uploadsOf(1, { sessionId: 'other-session' })]);
    await compact(world);
    const [flush] = (await validFlushes(world.log)) as [Flush];
    await world.blocks.delete(flush.objectKey);
    const levels: (string | undefined)[] = [];
    for (const laterMs of [0, DEFAULT_SETTINGS.sweepGraceMs]) {
      world.clock.advance(laterMs);
      const logger = keepingLogger();
      const catalog = memoryCatalog();
      const { projection, stop } = project(world, { catalog, logger });
      await whileTimePasses(world.clock, projection.catchUp());
      await stop();
      const told = logger.lines.filter(({ data }) => 'objectKey' in data);
      expect(told).toHaveLength(1);
      levels.push(told[0]?.level);
    }
    expect(levels).toEqual(['error', 'debug']);
  });
});

describe('facts', () => {
  test('[PJ3] a fact reaches the catalog within 200 ms, also while flushes wait', async () => {
    const world = aWorld();
    for (let i = 0; i < 5; i++) {
      await appendUploads(world.log, uploadsOf(i + 1).slice(i));
      await compact(world);
    }
    const applyFlush: Catalog['applyFlush'] = async (...args) => {
      await new Promise<void>((resolve) => world.clock.setTimer(100, resolve));
      return world.catalog.applyFlush(...args);
    };
    const { stop } = project(world, { catalog: { ...world.catalog, applyFlush } });
    await settle();
    const beforeMs = world.clock.now();
    const sessionId = 'new-session';
    await world.log.append('playhead.sessions', PARTITION, sessionId, aSessionStarted({ sessionId }));
    await until(world.clock, async () => (await world.catalog.session(EXAMPLE_PROJECT, sessionId)) !== null, 10);
    expect(world.clock.now() - beforeMs).toBeLessThanOrEqual(200);
    expect(await chainEnd(world.catalog)).toBeLessThan(4);
    await stop();
  });

  test('[PJ3] facts that come together are handed over together, and a thousand in bounded parts', async () => {
    const world = aWorld();
    const parts: number[] = [];
    const applyFacts: Catalog['applyFacts'] = (partition, facts, next) => {
      parts.push(facts.length);
      return world.catalog.applyFacts(partition, facts, next);
    };
    const { stop } = project(world, { catalog: { ...world.catalog, applyFacts } });
    for (let i = 0; i < 3; i++) await world.log.append('playhead.sessions', PARTITION, 'x', aSessionStarted({ sessionId: `session-${i}` }));
    await until(world.clock, () => parts.length > 0, 50);
    expect(parts).toEqual([3]);
    for (let i = 0; i < 1_200; i++)
      await world.log.append('playhead.sessions', PARTITION, 'x', aSessionEnded({ sessionId: `session-${i}` }));
    await until(world.clock, async () => (await world.catalog.progress(PARTITION)).sessionsNext === 1_203, 50);
    expect(Math.max(...parts)).toBeLessThanOrEqual(500);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(1_203);
    await stop();
  });

  test('[PJ2] of facts that are handed over in parts none is left out when the projection dies between two parts', async () => {
    const world = aWorld();
    const sessionIds = Array.from({ length: 1_200 }, (_, i) => `session-${i}`);
    for (const sessionId of sessionIds) await world.log.append('playhead.sessions', PARTITION, 'x', aSessionStarted({ sessionId }));
    let calls = 0;
    const applyFacts: Catalog['applyFacts'] = (...args) =>
      calls++ === 0 ? world.catalog.applyFacts(...args) : new Promise(() => undefined);
    const mortal = project(world, { catalog: { ...world.catalog, applyFacts } });
    await until(world.clock, () => calls === 2, 50);
    await mortal.stop();
    const { stop } = project(world);
    await until(world.clock, async () => (await world.catalog.progress(PARTITION)).sessionsNext === sessionIds.length, 50);
    const known = await Promise.all(sessionIds.map((sessionId) => world.catalog.session(EXAMPLE_PROJECT, sessionId)));
    expect(sessionIds.filter((_, i) => known[i] === null)).toEqual([]);
    await stop();
  });
});

test('[PJ4] a catalog that hangs delays no compaction', async () => {
  const world = aWorld();
  const applyFlush = (): Promise<never> => new Promise(() => undefined);
  const { stop } = project(world, { catalog: { ...world.catalog, applyFlush } });
  for (let i = 0; i < 3; i++) {
    await appendUploads(world.log, [anUpload({ counter: i })]);
    await compact(world);
  }
  expect(await validFlushes(world.log)).toHaveLength(3);
  await stop();
});
