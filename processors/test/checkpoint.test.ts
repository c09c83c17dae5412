import type { Upload } from '@playhead/schemas';
import { LIMITS, Marks, toOffset } from '@playhead/schemas';
import { anUpload, aSessionEnded, aSessionStarted, EXAMPLE_SESSION, uploadsOf } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findChainEnd } from '../src/compactor/chain-start.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import type { Checkpoint } from '../src/compactor/core/checkpoint.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../src/compactor/core/checkpoint.ts';
import { KnownSessions } from '../src/compactor/core/known-sessions.ts';
import type { ProcessorSettings } from '../src/settings.ts';
import type { World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, START_MS, settle, until, whileTimePasses } from './fixtures.ts';

async function checkpointKeys({ blocks }: Pick<World, 'blocks'>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blocks.list('checkpoints/')) keys.push(key);
  return keys;
}

/** Each upload becomes a flush; then the compactor is stopped, or dies without a word. */
async function flushEach(
  world: World,
  uploads: readonly Upload[],
  settings: Partial<ProcessorSettings> = {},
  end: 'stop' | 'die' = 'stop',
) {
  let isDead = false;
  const { blocks } = world;
  const mortal: typeof blocks = { ...blocks, put: (key, parts) => (isDead ? new Promise(() => undefined) : blocks.put(key, parts)) };
  const compactor = new Compactor(compactorDeps({ ...world, blocks: mortal }, { settings }), 0);
  const stop = new AbortController();
  const ended = compactor.run(stop.signal);
  await whileTimePasses(world.clock, compactor.flushNow(), 50);
  for (const upload of uploads) {
    await appendUploads(world.log, [upload]);
    await whileTimePasses(world.clock, compactor.flushNow(), 50);
  }
  isDead = end === 'die';
  stop.abort();
  await whileTimePasses(world.clock, ended);
  return compactor.stats;
}

const start = (world: World) =>
  whileTimePasses(world.clock, findChainEnd(compactorDeps(world), 0, world.clock.now(), new AbortController().signal));

/** What a start knows, comparable. */
async function knowledge(world: World) {
  const { chain, flushesNext, known, lifecycle } = await start(world);
  return {
    chain,
    flushesNext,
    newestMs: known.newestMs,
    marks: [...known.values()].map(({ sessionId, marks, seenAtMs }) => ({ sessionId, seenAtMs, marks: marks.encode() })),
    open: [...lifecycle.open()].map(({ sessionId, windows }) => ({ sessionId, windows: [...windows.values()] })),
  };
}

describe('start', () => {
  test('[CP1] a start reads the flushes since the checkpoint and one more, however long the history is', async () => {
    const world = aWorld();
    await flushEach(world, uploadsOf(40), { checkpointEveryFlushes: 8 }, 'die');
    const { flushesRead, chain } = await start(world);
    expect(chain.end).toBe(39);
    expect(flushesRead).toBeLessThanOrEqual(8 + 1);

    await flushEach(world, uploadsOf(90).slice(40), { checkpointEveryFlushes: 8 });
    expect(await start(world)).toMatchObject({ flushesRead: 1, chain: { end: 89 } });
  });

  test('[CP1] history without a checkpoint is read once: the start writes one', async () => {
    const world = aWorld();
    await flushEach(world, uploadsOf(10), { checkpointEveryFlushes: 1_000 }, 'die');
    for (const key of await checkpointKeys(world)) await world.blocks.delete(key);
    expect(await start(world)).toMatchObject({ flushesRead: 10 });
    const stats = await flushEach(world, [], { checkpointEveryFlushes: 4 });
    expect(stats).toMatchObject({ flushesReadAtStart: 10, checkpoints: 1 });
    expect(await start(world)).toMatchObject({ flushesRead: 1, chain: { end: 9 } });
  });

  test('[CP7] what was flushed is in a checkpoint some time later, also when nothing more comes', async () => {
    const world = aWorld();
    const settings = { checkpointEveryMs: 60_000 };
    const compactor = new Compactor(compactorDeps(world, { settings }), 0);
    const stop = new AbortController();
    const ended = compactor.run(stop.signal);
    await appendUploads(world.log, uploadsOf(1));
    await whileTimePasses(world.clock, compactor.flushNow(), 50);
    expect(compactor.stats.checkpoints).toBe(0);
    const startedMs = world.clock.now();
    await until(world.clock, () => compactor.stats.checkpoints === 1);
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(60_000);
    // Nothing was flushed since: there is nothing new to say.
    world.clock.advance(300_000);
    await settle();
    expect(compactor.stats.checkpoints).toBe(1);
    expect(await start(world)).toMatchObject({ flushesRead: 1, chain: { end: 0 } });
    stop.abort();
    await whileTimePasses(world.clock, ended);
  });

  test('[CP5] a checkpoint that cannot be written is tried again after as long a time, not at once', async () => {
    const world = aWorld();
    let attempts = 0;
    const put: typeof world.blocks.put = (key, parts) => {
      if (!key.startsWith('checkpoints/')) return world.blocks.put(key, parts);
      attempts++;
      return Promise.reject(new Error('the store is full'));
    };
    const deps = compactorDeps({ ...world, blocks: { ...world.blocks, put } }, { settings: { checkpointEveryMs: 60_000 } });
    const compactor = new Compactor(deps, 0);
    const stop = new AbortController();
    const ended = compactor.run(stop.signal);
    await appendUploads(world.log, uploadsOf(1));
    await whileTimePasses(world.clock, compactor.flushNow(), 50);
    for (let minute = 0; minute < 3; minute++) await until(world.clock, () => attempts === minute + 1);
    world.clock.advance(59_000);
    await settle();
    expect(attempts).toBe(3);
    stop.abort();
    await whileTimePasses(world.clock, ended);
  });

  test('[CP3] a start from a checkpoint knows what a start from the beginning knows', async () => {
    const world = aWorld();
    const sessions = ['session-a', 'session-b', EXAMPLE_SESSION];
    const uploads = sessions.flatMap((sessionId, i) => uploadsOf(4, { sessionId, windowId: `w${i}` }));
    // Receipts are in the past.
    world.clock.advance(60_000);
    await flushEach(world, uploads, { checkpointEveryFlushes: 5 });
    const short = await knowledge(world);
    for (const key of await checkpointKeys(world)) await world.blocks.delete(key);
    expect(await knowledge(world)).toEqual(short);
    expect(short.marks).toHaveLength(3);
  });

  test('[CP3] a session that ended before the checkpoint is ended after a start', async () => {
    const world = aWorld();
    await world.log.append('playhead.sessions', 0, 'early-session', aSessionStarted({ sessionId: 'early-session' }));
    await world.log.append('playhead.sessions', 0, 'early-session', aSessionEnded({ sessionId: 'early-session' }));
    await flushEach(world, uploadsOf(2));
    const { lifecycle, sessionsNext } = await start(world);
    expect(sessionsNext).toBe(2);
    expect([...lifecycle.ended()].map(({ sessionId }) => sessionId)).toEqual(['early-session']);
    expect([...lifecycle.open()].map(({ sessionId }) => sessionId)).toEqual([EXAMPLE_SESSION]);
  });

  test('[CP2] a damaged checkpoint is passed over for the older one, and without any the chain is read from the beginning', async () => {
    const world = aWorld();
    await flushEach(world, uploadsOf(9), { checkpointEveryFlushes: 4 });
    const [older = '', newer = ''] = await checkpointKeys(world);
    const bytes = await world.blocks.get(newer);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await world.blocks.delete(newer);
    await world.blocks.put(newer, [bytes]);
    expect(await start(world)).toMatchObject({ chain: { end: 8 }, flushesRead: 2 });
    await world.blocks.delete(older);
    expect(await start(world)).toMatchObject({ chain: { end: 8 }, flushesRead: 9 });
  });

  test('[CP2] a checkpoint of another log is passed over', async () => {
    const [world, other] = [aWorld(), aWorld()];
    await flushEach(other, uploadsOf(6));
    await flushEach(world, [anUpload(), anUpload({ counter: 1 })], {}, 'die');
    for (const key of await checkpointKeys(world)) await world.blocks.delete(key);
    for (const key of await checkpointKeys(other)) await world.blocks.put(key, [await other.blocks.get(key)]);
    expect(await start(world)).toMatchObject({ chain: { end: 1 } });

    await flushEach(world, uploadsOf(12).slice(2), {}, 'die');
    expect(await start(world)).toMatchObject({ chain: { end: 11 } });
  });

  test('[CP2] a checkpoint of another log is passed over also where a flush is at its place', async () => {
    const [world, other] = [aWorld(), aWorld()];
    await flushEach(
      other,
      Array.from({ length: 6 }, (_, counter) => anUpload({ counter, sessionId: 'session-other' })),
    );
    await flushEach(world, uploadsOf(8), {}, 'die');
    for (const key of await checkpointKeys(world)) await world.blocks.delete(key);
    const fromTheBeginning = await knowledge(world);
    for (const key of await checkpointKeys(other)) await world.blocks.put(key, [await other.blocks.get(key)]);
    expect(await knowledge(world)).toEqual(fromTheBeginning);
  });

  test('[CP5] two checkpoints are kept', async () => {
    const world = aWorld();
    const stats = await flushEach(world, uploadsOf(12), { checkpointEveryFlushes: 2 });
    expect(stats.checkpoints).toBe(6);
    expect(await checkpointKeys(world)).toEqual(['checkpoints/p0000/0000000000000009', 'checkpoints/p0000/0000000000000011']);
  });
});

describe('marks', () => {
  test('[CP4] marks are kept for the horizon of the partition’s own time', () => {
    const known = new KnownSessions();
    const nowMs = START_MS + 100 * LIMITS.dedupeHorizonMs;
    const upload = (sessionId: string, receivedAtMs: number) => anUpload({ sessionId, receivedAtMs });
    known.accept(upload('session-a', START_MS), nowMs);
    known.forget(LIMITS.dedupeHorizonMs);
    expect(known.accept(upload('session-a', START_MS), nowMs)).toBe(false);
    known.accept(upload('session-b', START_MS + LIMITS.dedupeHorizonMs), nowMs);
    known.forget(LIMITS.dedupeHorizonMs);
    expect(known.size).toBe(2);
    known.accept(upload('session-b', START_MS + LIMITS.dedupeHorizonMs + 1), nowMs);
    known.forget(LIMITS.dedupeHorizonMs);
    expect([...known.values()].map(({ sessionId }) => sessionId)).toEqual(['session-b']);
  });

  test('[CP4] a receipt ahead of our clock makes nothing old', () => {
    const known = new KnownSessions();
    known.accept(anUpload({ sessionId: 'session-a', receivedAtMs: START_MS }), START_MS);
    known.accept(anUpload({ sessionId: 'session-b', receivedAtMs: START_MS + 10 * LIMITS.dedupeHorizonMs }), START_MS + 1_000);
    known.forget(LIMITS.dedupeHorizonMs);
    expect(known.size).toBe(2);
  });
});

describe('bytes', () => {
  const id = fc.string({ minLength: 1, maxLength: 20 });
  const ms = fc.nat(2 ** 31);
  const marks = fc.array(fc.tuple(id, fc.nat(50))).map((identities) => {
    const some = new Marks();
    for (const [windowId, counter] of identities) some.accept({ windowId, counter, uploadId: 'u' });
    return some;
  });
  const name = fc.uniqueArray(fc.record({ projectId: id, sessionId: id.map((text) => text.replaceAll(' ', '_')) }), {
    selector: ({ projectId, sessionId }) => `${sessionId} ${projectId}`,
    maxLength: 6,
  });
  const window = fc.record({ windowId: id, lastSeenMs: ms, goodbye: fc.boolean(), goodbyeCounter: fc.option(fc.nat(99)) });
  const windows = fc.uniqueArray(window, { selector: ({ windowId }) => windowId, maxLength: 3 });
  const checkpoint: fc.Arbitrary<Checkpoint> = fc
    .record({ names: name, marks: fc.array(marks, { minLength: 6, maxLength: 6 }), windows, ms, next: ms, objectKey: id })
    .map(({ names, marks: all, windows: some, ...rest }) => ({
      partition: 3,
      flushesOffset: toOffset(rest.next),
      flush: { prevLastOffset: toOffset(-1), firstOffset: toOffset(0), lastOffset: toOffset(rest.ms), objectKey: rest.objectKey },
      sessionsNext: toOffset(rest.next),
      newestMs: rest.ms,
      known: names.flatMap((one, i) => (i % 3 < 2 ? [{ ...one, seenAtMs: rest.ms, marks: all[i] ?? new Marks() }] : [])),
      open: names.flatMap((one, i) =>
        i % 2 === 0 ? [{ ...one, lastReceivedAtMs: rest.ms, windows: new Map(some.map((each) => [each.windowId, { ...each }])) }] : [],
      ),
      ended: names.flatMap((one, i) => (i % 2 === 1 ? [{ ...one, endedAtMs: rest.ms }] : [])),
    }));
  const sorted = <T extends { readonly projectId: string; readonly sessionId: string }>(sessions: readonly T[]): T[] =>
    sessions.toSorted((one, two) => (`${one.sessionId} ${one.projectId}` < `${two.sessionId} ${two.projectId}` ? -1 : 1));
  /** The order of sessions means nothing. */
  const comparable = ({ known, open, ended, ...rest }: Checkpoint) => ({
    ...rest,
    known: sorted(known).map(({ projectId, sessionId, seenAtMs, marks: some }) => ({
      projectId,
      sessionId,
      seenAtMs,
      marks: some.encode(),
    })),
    open: sorted(open),
    ended: sorted(ended),
  });

  test('[CP6] a checkpoint is decoded as it was encoded', () => {
    fc.assert(
      fc.property(checkpoint, (one) => {
        expect(comparable(decodeCheckpoint(encodeCheckpoint(one)))).toEqual(comparable(one));
      }),
    );
  });

  test('[CP6] any damaged or missing byte is noticed', () => {
    fc.assert(
      fc.property(checkpoint, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, place, flip) => {
        const bytes = encodeCheckpoint(one);
        const damaged = bytes.slice();
        const at = place % bytes.length;
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        expect(() => decodeCheckpoint(damaged)).toThrow(/checkpoint/);
        expect(() => decodeCheckpoint(bytes.subarray(0, at))).toThrow(/checkpoint|needs/);
      }),
    );
  });
});
