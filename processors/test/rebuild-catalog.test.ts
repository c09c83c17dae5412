import type { Catalog } from '@playhead/ports';
import type { Flush } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';
import { aSessionEnded, aSessionStarted, EXAMPLE_PROJECT, memoryCatalog, silentLogger, uploadsOf } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Projection } from '../src/catalog/projection-driver.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import { claimPartitions, ProcessorsAtWork } from '../src/rebuild/claim-partitions.ts';
import { replayCatalog } from '../src/rebuild/replay-catalog.ts';
import { GivenUp } from '../src/runtime/retry.ts';
import { startProcessors } from '../src/start-processors.ts';
import type { World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, settle, until, validFlushes, whileTimePasses } from './fixtures.ts';

const PARTITIONS = 3;
const SETTINGS = { flushAgeMs: 1_000, holeWaitMs: 300, retryMaxMs: 1_000 };
const sessionOf = (number: number): string => `session-${number}`;
const partitionOf = (number: number): number => number % PARTITIONS;

interface Step {
  /** Sessions, by number, of which the next upload comes. */
  readonly uploads: readonly number[];
  readonly facts: readonly (readonly [session: number, kind: 'started' | 'ended'])[];
  /** Partitions in which somebody else's flush comes too late. */
  readonly losers: readonly number[];
}

const session = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.record({
  uploads: fc.array(session, { maxLength: 5 }),
  facts: fc.array(fc.tuple(session, fc.constantFrom('started' as const, 'ended' as const)), { maxLength: 4 }),
  losers: fc.array(fc.nat(PARTITIONS - 1), { maxLength: 2 }),
});

async function record(world: World, steps: readonly Step[]): Promise<void> {
  const sent = new Map<number, number>();
  for (const { uploads, facts, losers } of steps) {
    for (const number of uploads) {
      const count = (sent.get(number) ?? 0) + 1;
      sent.set(number, count);
      await appendUploads(world.log, uploadsOf(count, { sessionId: sessionOf(number) }).slice(-1), partitionOf(number));
    }
    for (const [number, kind] of facts) {
      const fact = (kind === 'started' ? aSessionStarted : aSessionEnded)({ sessionId: sessionOf(number) });
      await world.log.append('playhead.sessions', partitionOf(number), sessionOf(number), fact);
    }
    for (let partition = 0; partition < PARTITIONS; partition++) await compact(world, partition);
    for (const partition of losers) {
      const last = (await validFlushes(world.log, partition)).at(-1);
      const loser = (flush: Flush): Flush => ({ ...flush, writer: 'zombie', objectKey: 'uploads/p0000/zombie' });
      if (last) await world.log.append('playhead.flushes', partition, '', loser(last));
    }
  }
}

async function compact(world: World, partition: number): Promise<void> {
  const compactor = new Compactor(compactorDeps(world, { settings: SETTINGS }), partition);
  const stop = new AbortController();
  const ended = compactor.run(stop.signal);
  await whileTimePasses(world.clock, compactor.flushNow());
  stop.abort();
  await whileTimePasses(world.clock, ended);
}

const deps = (world: World, catalog: Catalog) => ({ ...compactorDeps(world, { settings: SETTINGS }), catalog });

/** What projections that run beside the compactor come to. */
async function project(world: World, catalog: Catalog): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const projection = new Projection(deps(world, catalog), partition);
    const stop = new AbortController();
    const ended = projection.run(stop.signal);
    await whileTimePasses(world.clock, projection.catchUp());
    stop.abort();
    await whileTimePasses(world.clock, ended);
  }
}

async function everything(catalog: Catalog): Promise<object> {
  const sessions = await catalog.sessions({ projectId: EXAMPLE_PROJECT, limit: 500 });
  const parts = await Promise.all(
    Array.from({ length: 8 }, async (_, number) => ({
      blocks: await catalog.blocks(EXAMPLE_PROJECT, sessionOf(number), partitionOf(number)),
      signals: await catalog.signals(EXAMPLE_PROJECT, sessionOf(number)),
    })),
  );
  const progress = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => catalog.progress(partition)));
  return { sessions, parts, progress };
}

const noSignal = (): AbortSignal => new AbortController().signal;

describe('a catalog that is filled from the log', () => {
  test('[RB6] is equal to the one that projections kept, whatever the log holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 4 }), fc.nat(3), async (steps, holeEvery) => {
        const world = aWorld({ partitions: PARTITIONS, holeEvery });
        await record(world, steps);
        await project(world, world.catalog);
        const catalog = memoryCatalog();
        const replay = replayCatalog(deps(world, catalog), noSignal());
        await whileTimePasses(world.clock, replay.done);
        expect(await everything(catalog)).toEqual(await everything(world.catalog));
        const stats = replay.stats();
        expect(new Set(stats.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
        for (const { partition, projection } of stats) expect(projection.flushes).toBe((await validFlushes(world.log, partition)).length);
      }),
      { numRuns: 25 },
    );
  });

  const STEPS: readonly Step[] = [
    { uploads: [0, 1, 2, 3], facts: [[0, 'started']], losers: [] },
    {
      uploads: [0, 1, 2],
      facts: [
        [1, 'started'],
        [0, 'ended'],
      ],
      losers: [0],
    },
    { uploads: [0, 4, 5], facts: [], losers: [2] },
  ];

  test('[RB6] is that also when it fails now and then', async () => {
    const world = aWorld({ partitions: PARTITIONS });
    await record(world, STEPS);
    await project(world, world.catalog);
    const catalog = memoryCatalog();
    let calls = 0;
    const sometimes = async <T>(work: () => Promise<T>): Promise<T> => {
      if (calls++ % 2 === 0) throw new PlayheadError('unavailable', 'planned');
      return work();
    };
    const failing: Catalog = {
      ...catalog,
      progress: (...args) => sometimes(() => catalog.progress(...args)),
      applyFlush: (...args) => sometimes(() => catalog.applyFlush(...args)),
      applyFacts: (...args) => sometimes(() => catalog.applyFacts(...args)),
    };
    await whileTimePasses(world.clock, replayCatalog(deps(world, failing), noSignal()).done);
    expect(await everything(catalog)).toEqual(await everything(world.catalog));
  });

  test('[RB8] is gone on with by projections when the filling is stopped anywhere', async () => {
    for (const appliedMax of [0, 1, 3, 6]) {
      const world = aWorld({ partitions: PARTITIONS });
      await record(world, STEPS);
      await project(world, world.catalog);
      const catalog = memoryCatalog();
      const stop = new AbortController();
      let applied = 0;
      const applyFlush: Catalog['applyFlush'] = async (...args) => {
        if (applied++ >= appliedMax) stop.abort();
        await catalog.applyFlush(...args);
      };
      const { done } = replayCatalog(deps(world, { ...catalog, applyFlush }), stop.signal);
      await expect(whileTimePasses(world.clock, done)).rejects.toBeInstanceOf(GivenUp);
      await project(world, catalog);
      expect(await everything(catalog)).toEqual(await everything(world.catalog));
    }
  });

  test('[RB7] is refused when it is not empty: what went before would be left out', async () => {
    const world = aWorld({ partitions: PARTITIONS });
    await record(world, STEPS);
    await project(world, world.catalog);
    await expect(whileTimePasses(world.clock, replayCatalog(deps(world, world.catalog), noSignal()).done)).rejects.toThrow(/not empty/);
  });
});

describe('the claim on all partitions', () => {
  const WAIT_MS = 5_000;

  test('[RB7] is given where no processor works, and told lost as soon as one comes', async () => {
    const world = aWorld({ partitions: PARTITIONS });
    const claim = await whileTimePasses(world.clock, claimPartitions(world.log, world.clock, WAIT_MS));
    expect(claim.lost.aborted).toBe(false);
    const processors = await startProcessors({ ...world, logger: silentLogger, writer: 'w' });
    await until(world.clock, () => claim.lost.aborted);
    // What we are in the middle of is ended first.
    const hasPartition = (partition: number): boolean => processors.stats().some((stats) => stats.partition === partition);
    for (let i = 0; i < 40; i++) world.clock.advance(250);
    await settle();
    expect(processors.stats()).toEqual([]);
    await claim.release();
    await until(world.clock, () => [0, 1, 2].every(hasPartition));
    await whileTimePasses(world.clock, processors.stop());
  });

  test('[RB7] is refused while processors work, and leaves them what they have', async () => {
    const world = aWorld({ partitions: PARTITIONS });
    const processors = await startProcessors({ ...world, logger: silentLogger, writer: 'w' });
    await expect(whileTimePasses(world.clock, claimPartitions(world.log, world.clock, WAIT_MS))).rejects.toBeInstanceOf(ProcessorsAtWork);
    await until(world.clock, () => processors.stats().length === PARTITIONS);
    await whileTimePasses(world.clock, processors.stop());
    const claim = await whileTimePasses(world.clock, claimPartitions(world.log, world.clock, WAIT_MS));
    expect(claim.lost.aborted).toBe(false);
    await claim.release();
  });
});

describe('who waits for a projection', () => {
  test('[PJ7] hears when everything that was in the log is in the catalog, also before a hole and behind a flush that lost', async () => {
    const world = aWorld({ partitions: PARTITIONS, holeEvery: 1 });
    await record(world, [{ uploads: [0], facts: [[0, 'started']], losers: [0] }]);
    const catalog = memoryCatalog();
    const projection = new Projection(deps(world, catalog), 0);
    const stop = new AbortController();
    const ended = projection.run(stop.signal);
    await whileTimePasses(world.clock, projection.catchUp());
    expect(await catalog.session(EXAMPLE_PROJECT, sessionOf(0))).toMatchObject({ startedAtMs: expect.any(Number), counts: { clicks: 1 } });
    expect(projection.stats).toMatchObject({ flushes: 1, invalid: 1, facts: 1 });
    await world.log.append('playhead.sessions', 0, sessionOf(0), aSessionEnded({ sessionId: sessionOf(0) }));
    await whileTimePasses(world.clock, projection.catchUp());
    expect((await catalog.session(EXAMPLE_PROJECT, sessionOf(0)))?.live).toBe(false);
    stop.abort();
    await whileTimePasses(world.clock, ended);
  });

  test('[PJ7] hears when it ends before, and when it has ended', async () => {
    const world = aWorld({ partitions: PARTITIONS });
    await record(world, [{ uploads: [0], facts: [], losers: [] }]);
    const hangs: Catalog = { ...memoryCatalog(), applyFlush: () => new Promise(() => undefined) };
    const projection = new Projection(deps(world, hangs), 0);
    const stop = new AbortController();
    const ended = projection.run(stop.signal);
    const waiting = projection.catchUp();
    await settle();
    stop.abort();
    await expect(whileTimePasses(world.clock, Promise.all([ended, waiting, projection.catchUp()]))).resolves.toHaveLength(3);
  });
});
