import { encodeFrames, formatPosition, LIMITS } from '@playhead/schemas';
import {
  aDomChange,
  aDomKeyframe,
  anUpload,
  anUploadOf,
  aSessionEnded,
  aSignalFrame,
  EXAMPLE_SESSION,
  keepingLogger,
  manualClock,
  memoryLog,
  uploadsOf,
} from '@playhead/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import type { CompactorDeps } from '../src/compactor/compactor-driver.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import { BufferBudget } from '../src/runtime/buffer-budget.ts';
import type { World } from './fixtures.ts';
import {
  appendUploads,
  aWorld,
  compactorDeps,
  framesInBlocks,
  recordsOf,
  START_MS,
  settle,
  until,
  validFlushes,
  whileTimePasses,
} from './fixtures.ts';

const running: { readonly stop: () => Promise<void> }[] = [];

/** A compactor at work; stopped at the end of the test. */
function aCompactor(world: World, deps: CompactorDeps = compactorDeps(world), partition = 0) {
  const compactor = new Compactor(deps, partition);
  const abort = new AbortController();
  const ended = compactor.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await whileTimePasses(world.clock, ended);
  };
  running.push({ stop });
  return { compactor, stop, flushNow: () => whileTimePasses(world.clock, compactor.flushNow()), stats: compactor.stats };
}

afterEach(async () => {
  for (const { stop } of running.splice(0)) await stop();
});

async function flushOf(uploads: Parameters<typeof appendUploads>[1], deps: Parameters<typeof compactorDeps>[1] = {}) {
  const world = aWorld();
  await appendUploads(world.log, uploads);
  await aCompactor(world, compactorDeps(world, deps)).flushNow();
  const flushes = await validFlushes(world.log);
  const [flush] = flushes;
  if (!flush || flushes.length !== 1) throw new Error(`${flushes.length} flushes`);
  return { world, flush };
}

describe('one flush', () => {
  test('[FC1] uploads become one flush with one block a session, and every frame is in it once, in order', async () => {
    const { world, flush } = await flushOf([...uploadsOf(3), anUpload({ sessionId: 'other-session' })]);
    expect(flush.blocks.map((block) => block.sessionId)).toEqual([EXAMPLE_SESSION, 'other-session']);
    const positions = (await framesInBlocks(world)).get(EXAMPLE_SESSION)?.map(({ position }) => formatPosition(position));
    expect(positions).toEqual(['0.0', '0.1', '0.2', '1.0', '1.1', '2.0', '2.1']);
  });

  test('[FC2] duplicates are counted and their frames are nowhere', async () => {
    const { world, flush } = await flushOf([...uploadsOf(2), ...uploadsOf(2)]);
    expect(flush.blocks[0]).toMatchObject({ uploads: 2, duplicates: 2, lastOffset: 3, counts: { clicks: 2, keyframes: 1, frames: 5 } });
    expect((await framesInBlocks(world)).get(EXAMPLE_SESSION)).toHaveLength(5);
  });

  test('[FC6] the key holds partition, offsets and the hash of the bytes, so the same uploads give the same object', async () => {
    const [one, two] = [await flushOf(uploadsOf(3)), await flushOf(uploadsOf(3))];
    expect(one.flush.objectKey).toMatch(/^uploads\/p0000\/0{16}-0{15}2-[0-9a-f]{16}$/);
    expect(two.flush.objectKey).toBe(one.flush.objectKey);
    expect(await one.world.blocks.get(one.flush.objectKey)).toEqual(await two.world.blocks.get(two.flush.objectKey));
  });

  test('[FC7] of a damaged upload the whole frames are kept, and the rest is told with its reason and place', async () => {
    const body = encodeFrames([aDomKeyframe(), aDomChange()]);
    const { world, flush } = await flushOf([anUpload({ body: body.slice(0, -3) })]);
    expect(flush.blocks[0]).toMatchObject({ uploads: 1, rejected: 1, counts: { frames: 1 } });
    const [rejected] = await recordsOf(world.log, 'playhead.rejected');
    expect(rejected).toMatchObject({ offset: 0, code: 'truncated_body', framesKept: 1, sessionId: EXAMPLE_SESSION });
    expect(rejected?.body).toEqual(body.slice(0, -3));
  });

  test('[FC7] a kept body is cut to its limit', async () => {
    const { world } = await flushOf([anUpload({ body: new Uint8Array(LIMITS.rejectedBodyBytesMax + 1) })]);
    expect((await recordsOf(world.log, 'playhead.rejected'))[0]?.body).toHaveLength(LIMITS.rejectedBodyBytesMax);
  });

  test('[FC7] a decoder that throws costs only the upload that it threw for', async () => {
    const readUpload: NonNullable<CompactorDeps['readUpload']> = async ({ receivedAtMs }) => {
      if (receivedAtMs === 2) throw new Error('a bug');
      return { frames: [aDomKeyframe()], fault: null };
    };
    const uploads = [1, 2, 3].map((receivedAtMs) => anUpload({ counter: receivedAtMs, receivedAtMs }));
    const { world, flush } = await flushOf(uploads, { readUpload });
    expect(flush.blocks[0]).toMatchObject({ uploads: 3, rejected: 1, counts: { frames: 2 } });
    expect(await recordsOf(world.log, 'playhead.rejected')).toMatchObject([{ offset: 1, code: 'internal', message: 'a bug' }]);
  });

  test('[FC7] a record that is no upload is told, and the partition goes on', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(3));
    const { log } = world;
    const blind: typeof log = {
      ...log,
      async *read(topic, partition, from, options) {
        for await (const batch of log.read(topic, partition, from, options)) {
          const records = batch.records.map((record) =>
            topic === 'playhead.uploads' && record.offset === 1
              ? { offset: record.offset, key: 'a-key', record: null, fault: 'no Avro' }
              : record,
          );
          yield { ...batch, records };
        }
      },
    };
    await aCompactor(world, compactorDeps({ ...world, log: blind })).flushNow();
    expect(await validFlushes(log)).toMatchObject([{ firstOffset: 0, lastOffset: 2, blocks: [{ uploads: 2 }] }]);
    expect(await recordsOf(log, 'playhead.rejected')).toMatchObject([
      { sessionId: 'a-key', offset: 1, code: 'unreadable_record', message: 'no Avro', framesKept: 0 },
    ]);
  });

  test('[FC10] heartbeats and bodies without a frame make a flush without an object', async () => {
    const { world, flush } = await flushOf([anUploadOf([]), anUpload({ counter: 1, body: new Uint8Array(9) })]);
    expect(flush).toMatchObject({ objectKey: '', objectBytes: 0, lastOffset: 1 });
    expect(flush.blocks).toMatchObject([{ blockLength: 0, uploads: 2, rejected: 1, firstTimestampMs: 0, lastTimestampMs: 0 }]);
    for await (const { key } of world.blocks.list('uploads/')) throw new Error(`there is an object ${key}`);
  });

  test('[FC12] counts are by kind, an odd signal is a custom one, and pages come from facts and navigations', async () => {
    const odd = (text: string) => ({ ...aSignalFrame(), payload: new TextEncoder().encode(text) });
    const kinds = ['click', 'tap', 'input', 'navigation', 'console', 'request', 'error', 'crash', 'custom', 'gap'] as const;
    const signals = kinds.map((kind) => aSignalFrame(START_MS, { kind, url: `https://shop.example/${kind}` }));
    // Past the decoder, which takes no such frames: an older or foreign one might.
    const readUpload: NonNullable<CompactorDeps['readUpload']> = async ({ body }) => ({
      frames: body.length === 4 ? [] : [...signals, odd('{'), odd('null'), odd('{"kind":"quux"}')],
      fault: null,
    });
    const uploads = [
      anUploadOf(signals, { facts: { url: 'https://shop.example/', plan: 'a' } }),
      anUploadOf([], { counter: 1, facts: { url: 'https://shop.example/next', plan: 'b' } }),
    ];
    const { flush } = await flushOf(uploads, { readUpload });
    expect(flush.blocks[0]?.counts).toEqual({
      frames: 13,
      images: 0,
      keyframes: 0,
      clicks: 2,
      inputs: 1,
      navigations: 1,
      consoles: 1,
      requests: 1,
      errors: 1,
      crashes: 1,
      customs: 4,
      gaps: 1,
    });
    expect(flush.blocks[0]?.pages).toEqual(['https://shop.example/', 'https://shop.example/navigation', 'https://shop.example/next']);
    expect(flush.blocks[0]?.facts).toEqual({ url: 'https://shop.example/next', plan: 'b' });
  });
});

describe('when to flush', () => {
  test('[FC9] a flush is made at the age of its oldest upload, and none without an upload', async () => {
    const world = aWorld();
    const { stats } = aCompactor(world);
    await settle();
    world.clock.advance(60_000);
    await settle();
    expect(stats.flushes).toBe(0);
    await appendUploads(world.log, uploadsOf(1));
    await settle();
    world.clock.advance(LIMITS.flushAgeMs - 1);
    await settle();
    expect(stats.flushes).toBe(0);
    world.clock.advance(1);
    await until(world.clock, () => stats.flushes === 1, 0);
  });

  test('[FC9] a flush is made at its size, also in the middle of a batch', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(12));
    const { stats } = aCompactor(world, compactorDeps(world, { settings: { flushBytesMax: 6_000 } }));
    await until(world.clock, () => stats.flushes >= 2, 0);
    const [first, second] = await validFlushes(world.log);
    expect(second?.prevLastOffset).toBe(first?.lastOffset);
  });

  test.each([
    { what: 'before its end was known', endFirst: false },
    { what: 'behind its end', endFirst: true },
  ])('[FC14] the last uploads of a session are flushed a second after its end: those that were read $what', async ({ endFirst }) => {
    const world = aWorld();
    const { stats } = aCompactor(world);
    const end = (): Promise<unknown> => world.log.append('playhead.sessions', 0, EXAMPLE_SESSION, aSessionEnded());
    await settle();
    if (endFirst) await end();
    await settle();
    await appendUploads(world.log, uploadsOf(2));
    await settle();
    if (!endFirst) await end();
    await settle();
    world.clock.advance(999);
    await settle();
    expect(stats.flushes).toBe(0);
    world.clock.advance(1);
    await until(world.clock, () => stats.flushes === 1, 0);
  });

  test('[FC14] the end of a session without uploads that wait, or with repeated ones only, hurries nothing', async () => {
    const world = aWorld();
    const { stats, flushNow } = aCompactor(world);
    await appendUploads(world.log, uploadsOf(2));
    await flushNow();
    await appendUploads(world.log, [...uploadsOf(2), anUpload({ sessionId: 'other-session' })]);
    await world.log.append('playhead.sessions', 0, EXAMPLE_SESSION, aSessionEnded());
    await until(world.clock, () => stats.duplicates === 2, 0);
    world.clock.advance(LIMITS.flushAgeMs - 1_000);
    await settle();
    expect(stats.flushes).toBe(1);
    await until(world.clock, () => stats.flushes === 2);
  });

  test('[FC11] while the store does not answer nothing more is read, and afterwards everything goes on', async () => {
    const world = aWorld();
    let isDown = true;
    const { blocks } = world;
    const put: typeof blocks.put = (key, parts) => (isDown ? Promise.reject(new Error('the store is down')) : blocks.put(key, parts));
    const logger = keepingLogger();
    const { stats } = aCompactor(
      world,
      compactorDeps({ ...world, blocks: { ...blocks, put } }, { logger, settings: { flushBytesMax: 4_000 } }),
    );
    await appendUploads(world.log, uploadsOf(40));
    await settle();
    const uploads = stats.uploads;
    expect(uploads).toBeLessThan(10);
    world.clock.advance(60_000);
    await settle();
    expect(stats.uploads).toBe(uploads);
    expect(logger.lines.some(({ message }) => message === 'waiting to put the object of partition 0')).toBe(true);
    isDown = false;
    await until(world.clock, () => stats.uploads === 40);
  });

  test('[FC11] partitions share one bound: the largest flushes, the others wait', async () => {
    const world = aWorld({ partitions: 2 });
    const budget = new BufferBudget(20_000);
    const deps = { ...compactorDeps(world), budget };
    const [a, b] = [aCompactor(world, deps, 0), aCompactor(world, deps, 1)];
    let most = 0;
    const watched: BufferBudget['set'] = budget.set.bind(budget);
    budget.set = (holder, bytes) => {
      watched(holder, bytes);
      most = Math.max(most, budget.total);
    };
    await appendUploads(world.log, uploadsOf(60), 0);
    await appendUploads(world.log, uploadsOf(60), 1);
    await until(world.clock, () => a.stats.uploads === 60 && b.stats.uploads === 60, 0);
    expect(a.stats.flushes + b.stats.flushes).toBeGreaterThan(1);
    expect(most).toBeLessThan(20_000 + 3_000);
  });

  test('[FC13] a stop ends in time when the store hangs, and the next start has everything', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(3));
    const put = (): Promise<never> => new Promise(() => undefined);
    const { stop, stats } = aCompactor(world, compactorDeps({ ...world, blocks: { ...world.blocks, put } }));
    await until(world.clock, () => stats.uploads === 3, 0);
    const beforeMs = world.clock.now();
    await stop();
    expect(world.clock.now() - beforeMs).toBeLessThanOrEqual(10_500);
    expect(await validFlushes(world.log)).toEqual([]);
    await aCompactor(world).flushNow();
    expect((await framesInBlocks(world)).get(EXAMPLE_SESSION)).toHaveLength(7);
  });
});

describe('gaps', () => {
  const AGE_MS = 100 * 60 * 60 * 1000;

  function trimmable(): World {
    const world = aWorld();
    const clock = manualClock(START_MS);
    return { ...world, clock, log: memoryLog({ partitions: 1, now: () => clock.now() }) };
  }

  test('[FC8] uploads that were trimmed before a start are a gap in the next flush', async () => {
    const world = trimmable();
    await appendUploads(world.log, uploadsOf(3));
    world.clock.advance(AGE_MS);
    await world.log.trim(world.clock.now());
    await appendUploads(world.log, [anUpload({ counter: 9 })]);
    const { stats, flushNow } = aCompactor(world);
    await flushNow();
    expect(await validFlushes(world.log)).toMatchObject([
      {
        prevLastOffset: -1,
        firstOffset: 0,
        lastOffset: 3,
        gap: { firstOffset: 0, lastOffset: 2 },
        blocks: [{ uploads: 1, firstOffset: 3 }],
      },
    ]);
    expect(stats.gaps).toBe(1);
  });

  test('[FC8] a gap is told although nothing comes after it', async () => {
    const world = trimmable();
    await appendUploads(world.log, uploadsOf(3));
    world.clock.advance(AGE_MS);
    await world.log.trim(world.clock.now());
    const { stats } = aCompactor(world);
    await until(world.clock, () => stats.flushes === 1);
    expect(await validFlushes(world.log)).toMatchObject([
      { firstOffset: 0, lastOffset: 2, gap: { firstOffset: 0, lastOffset: 2 }, blocks: [] },
    ]);
  });

  test('[FC8] what is trimmed while a compactor is behind is a gap between its flushes', async () => {
    const world = trimmable();
    const { log } = world;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: typeof log = {
      ...log,
      async *read(topic, partition, from, options) {
        for await (const batch of log.read(topic, partition, from, { ...options, batchBytesMax: 1 })) {
          yield batch;
          if (topic === 'playhead.uploads') await held;
        }
      },
    };
    await appendUploads(log, uploadsOf(3));
    const { stats, flushNow } = aCompactor({ ...world, log: slow });
    await until(world.clock, () => stats.uploads === 1, 0);
    world.clock.advance(AGE_MS);
    await log.trim(world.clock.now());
    await appendUploads(log, [anUpload({ counter: 7 })]);
    release();
    await flushNow();
    expect(await validFlushes(log)).toMatchObject([
      { firstOffset: 0, lastOffset: 0, gap: null },
      { firstOffset: 1, lastOffset: 3, gap: { firstOffset: 1, lastOffset: 2 }, blocks: [{ firstOffset: 3 }] },
    ]);
  });
});
