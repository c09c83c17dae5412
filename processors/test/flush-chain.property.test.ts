import type { PositionedFrame, Upload } from '@playhead/schemas';
import { encodeFrames, formatPosition, Marks } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, anUpload, aSignalFrame } from '@playhead/testkit';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import type { Fault } from './faulty-world.ts';
import { faulty } from './faulty-world.ts';
import type { World } from './fixtures.ts';
import { aWorld, compactorDeps, framesInBlocks, recordsOf, START_MS, settle, until, whileTimePasses } from './fixtures.ts';

const encoder = new TextEncoder();

/** What recorders do to a log: any session, any counter again, out of order, bodies of every condition. */
const upload: fc.Arbitrary<Upload> = fc
  .record({
    sessionId: fc.constantFrom('session-a', 'session-b', 'session-c'),
    windowId: fc.constantFrom('w1', 'w2'),
    counter: fc.option(fc.nat(5), { nil: null }),
    uploadId: fc.constantFrom('u1', 'u2', 'u3'),
    goodbye: fc.boolean(),
    body: fc.constantFrom('good', 'signal', 'empty', 'truncated', 'garbage', 'odd-signal'),
    salt: fc.nat(3),
  })
  .map(({ body, salt, ...fields }) => anUpload({ ...fields, receivedAtMs: START_MS, body: bodyOf(body, salt) }));

function bodyOf(kind: string, salt: number): Uint8Array {
  const good = encodeFrames([aDomKeyframe(START_MS, `text ${salt}`), aDomChange(START_MS + 1), aSignalFrame(START_MS + 2)]);
  if (kind === 'signal') return encodeFrames([aSignalFrame(START_MS + salt, { kind: 'error', text: `e${salt}` })]);
  if (kind === 'empty') return encodeFrames([]);
  if (kind === 'truncated') return good.slice(0, good.length - 5 - salt);
  if (kind === 'garbage') return encoder.encode(`no frames ${salt}`);
  if (kind === 'odd-signal') {
    return encodeFrames([{ track: 'signal', keyframe: false, timestampMs: START_MS, payload: encoder.encode('{"kind":"quux"}') }]);
  }
  return good;
}

/** What the blocks must hold: by the marks' one decision and the decoder's salvage, without any compactor. */
async function expectedFrames(world: World): Promise<Map<string, PositionedFrame[]>> {
  const expected = new Map<string, { marks: Marks; frames: PositionedFrame[] }>();
  const { next } = await world.log.bounds('playhead.uploads', 0);
  const stop = new AbortController();
  if (next === 0) return new Map();
  for await (const batch of world.log.read('playhead.uploads', 0, 0 as never, { signal: stop.signal })) {
    for (const { offset, record } of batch.records) {
      if (record === null) continue;
      const session = expected.get(record.sessionId) ?? { marks: new Marks(), frames: [] };
      expected.set(record.sessionId, session);
      if (session.marks.accept(record)) session.frames.push(...positionFrames(record, offset, (await readUploadAsync(record)).frames));
    }
    if (batch.next >= next - 1) break;
  }
  return new Map([...expected].map(([sessionId, { frames }]) => [sessionId, frames]));
}

const plain = (sessions: Map<string, PositionedFrame[]>): object =>
  Object.fromEntries(
    [...sessions]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([sessionId, frames]) => [
        sessionId,
        frames.map(
          (frame) => `${formatPosition(frame.position)} ${frame.windowId} ${frame.track} ${Buffer.from(frame.payload).toString()}`,
        ),
      ]),
  );

/** What the log and the blocks say, beside what they should say. */
async function outcomeOf(world: World): Promise<{ readonly is: object; readonly shouldBe: object }> {
  // Every upload with a fault is told, and nothing is told of others. It may be told twice.
  const told = new Set((await recordsOf(world.log, 'playhead.rejected')).map((record) => record?.offset ?? -1));
  return {
    is: { frames: plain(await framesInBlocks(world)), rejected: [...told].toSorted((one, two) => one - two) },
    shouldBe: { frames: plain(await expectedFrames(world)), rejected: await faultyOffsets(world) },
  };
}

async function faultyOffsets(world: World): Promise<number[]> {
  const offsets: number[] = [];
  const marks = new Map<string, Marks>();
  const { next } = await world.log.bounds('playhead.uploads', 0);
  const stop = new AbortController();
  if (next === 0) return [];
  for await (const batch of world.log.read('playhead.uploads', 0, 0 as never, { signal: stop.signal })) {
    for (const { offset, record } of batch.records) {
      if (record === null) continue;
      const known = marks.get(record.sessionId) ?? new Marks();
      marks.set(record.sessionId, known);
      if (known.accept(record) && (await readUploadAsync(record)).fault !== null) offsets.push(offset);
    }
    if (batch.next >= next - 1) break;
  }
  return offsets;
}

const SETTINGS = { flushAgeMs: 1_000, checkpointEveryFlushes: 2, flushBytesMax: 8_000, holeWaitMs: 300, retryMaxMs: 1_000 };

/** A compactor works until everything is in the chain, its process died, or it is stopped. */
async function live(world: World, faultAt: (effect: number) => Fault | undefined, writer: string): Promise<void> {
  const process = faulty(world.log, world.blocks, { faultAt });
  const compactor = new Compactor(compactorDeps({ ...world, log: process.log, blocks: process.blocks }, { writer, settings: SETTINGS }), 0);
  const stop = new AbortController();
  const running = compactor.run(stop.signal);
  const { next } = await world.log.bounds('playhead.uploads', 0);
  let flushed = false;
  void compactor.flushNow().then(() => {
    flushed = true;
  });
  await until(world.clock, () => process.isDead() || flushed || next === 0);
  if (process.isDead()) return;
  stop.abort();
  let ended = false;
  void running.finally(() => {
    ended = true;
  });
  await until(world.clock, () => ended || process.isDead());
}

async function append(world: World, uploads: readonly Upload[]): Promise<void> {
  for (const one of uploads) await world.log.append('playhead.uploads', 0, one.sessionId, one);
}

test('[FC1] [FC2] [FC7] any uploads, with duplicates, out of order and damaged, are in the blocks once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(upload, { maxLength: 6 }), { maxLength: 4 }), fc.nat(3), async (steps, holeEvery) => {
      const world = aWorld({ holeEvery });
      for (const [i, step] of steps.entries()) {
        await append(world, step);
        await live(world, () => undefined, `w${i}`);
      }
      const { is, shouldBe } = await outcomeOf(world);
      expect(is).toEqual(shouldBe);
    }),
    { numRuns: 40 },
  );
});

const fault = fc.constantFrom<Fault>('error-before', 'error-after', 'dead-before', 'dead-after');

test('[FC3] [FC5] processes that die or get errors before or after any effect lose and repeat nothing', async () => {
  const life = fc.record({ uploads: fc.array(upload, { maxLength: 5 }), faults: fc.array(fc.tuple(fc.nat(9), fault), { maxLength: 4 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
      const world = aWorld();
      for (const [i, { uploads, faults }] of lives.entries()) {
        await append(world, uploads);
        const planned = new Map(faults);
        await live(world, (effect) => planned.get(effect), `w${i}`);
      }
      await live(world, () => undefined, 'last');
      const { is, shouldBe } = await outcomeOf(world);
      expect(is).toEqual(shouldBe);
    }),
    { numRuns: 60 },
  );
});

test('[FC4] two compactors on one partition, at any pace, with errors and deaths, agree on one chain', async () => {
  const racer = fc.record({
    faults: fc.array(fc.tuple(fc.nat(12), fault), { maxLength: 3 }),
    flushAgeMs: fc.integer({ min: 200, max: 2_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(upload, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      racer,
      racer,
      async (steps, a, b) => {
        const world = aWorld();
        const stop = new AbortController();
        const running = [a, b].map(({ faults, flushAgeMs }, i) => {
          const planned = new Map(faults);
          const process = faulty(world.log, world.blocks, { faultAt: (effect) => planned.get(effect) });
          const deps = compactorDeps(
            { ...world, log: process.log, blocks: process.blocks },
            { writer: `w${i}`, settings: { ...SETTINGS, flushAgeMs } },
          );
          const ended = new Compactor(deps, 0).run(stop.signal);
          return { process, ended };
        });
        for (const step of steps) {
          await append(world, step);
          for (let i = 0; i < 4; i++) {
            world.clock.advance(200);
            await settle(3);
          }
        }
        stop.abort();
        for (const { process, ended } of running) {
          let isOver = false;
          void ended.finally(() => {
            isOver = true;
          });
          await until(world.clock, () => isOver || process.isDead());
        }
        await live(world, () => undefined, 'last');
        const { is, shouldBe } = await outcomeOf(world);
        expect(is).toEqual(shouldBe);
      },
    ),
    { numRuns: 40 },
  );
});

test('[FC4] a zombie that wakes after its partition was taken over changes nothing', async () => {
  const world = aWorld();
  await append(world, [anUpload({ counter: 0 }), anUpload({ counter: 1 })]);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  // The zombie is stopped between its object and its flush record.
  const slowLog = { ...world.log, append: async (...args: Parameters<typeof world.log.append>) => (await held, world.log.append(...args)) };
  const zombie = new Compactor(compactorDeps({ ...world, log: slowLog as never }, { writer: 'zombie', settings: SETTINGS }), 0);
  const stop = new AbortController();
  const zombieEnds = zombie.run(stop.signal);
  await until(world.clock, async () => {
    for await (const _ of world.blocks.list('uploads/')) return true;
    return false;
  });
  await append(world, [anUpload({ counter: 2 })]);
  await live(world, () => undefined, 'heir');
  release();
  await until(world.clock, () => zombie.stats.lost === 1);
  await append(world, [anUpload({ counter: 3 })]);
  stop.abort();
  await whileTimePasses(world.clock, zombieEnds);
  await live(world, () => undefined, 'last');
  const { is, shouldBe } = await outcomeOf(world);
  expect(is).toEqual(shouldBe);
});

test('[FC4] [FC5] a compactor that took its own standstill for the end of the chain loses its flush, and goes on behind all others', async () => {
  const world = aWorld();
  await append(world, [anUpload({ counter: 0 })]);
  await live(world, () => undefined, 'first');
  await append(world, [anUpload({ counter: 1 })]);
  // Its looks at the checkpoint and along the chain end as they do behind a hole: with nothing.
  let looks = 0;
  const log = {
    ...world.log,
    read: (...args: Parameters<typeof world.log.read>) => {
      if (args[0] === 'playhead.flushes' && looks++ < 2) return world.log.read(args[0], args[1], args[2], { signal: AbortSignal.abort() });
      return world.log.read(...args);
    },
  };
  const compactor = new Compactor(compactorDeps({ ...world, log: log as never }, { writer: 'second', settings: SETTINGS }), 0);
  const stop = new AbortController();
  const ends = compactor.run(stop.signal);
  await until(world.clock, () => compactor.stats.flushes > 0);
  stop.abort();
  await whileTimePasses(world.clock, ends);
  expect(compactor.stats.lost).toBe(1);
  await live(world, () => undefined, 'last');
  const { is, shouldBe } = await outcomeOf(world);
  expect(is).toEqual(shouldBe);
});
