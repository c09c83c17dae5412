import type { BlockStore, EventLog } from '@playhead/ports';
import { sparingLogger, Waits } from '@playhead/ports';
import type { PositionedFrame, Upload } from '@playhead/schemas';
import { encodeFrames, formatPosition, LIMITS, partitionOf } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import type { ManualClock } from '@playhead/testkit';
import {
  aDomChange,
  aDomKeyframe,
  anUpload,
  aSignalFrame,
  EXAMPLE_PROJECT,
  keepingLogger,
  lineRate,
  manualClock,
  memoryBlocks,
  memoryCatalog,
  memoryLog,
  Presence,
} from '@playhead/testkit';
import { readUploadAsync } from '@playhead/uploads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Projection } from '../src/catalog/projection-driver.ts';
import type { CompactorDeps } from '../src/compactor/compactor-driver.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import { BufferBudget } from '../src/runtime/buffer-budget.ts';
import type { ProcessorSettings } from '../src/settings.ts';
import { DEFAULT_SETTINGS } from '../src/settings.ts';
import { framesInBlocks, recordsOf, START_MS, settle, until, validFlushes, whileTimePasses } from './fixtures.ts';

/** Poison (uploads that break what reads them) and pressure (stores away, buffers full, one session with the traffic of a hundred). */

// Many virtual seconds, each with turns of the event loop: on a busy machine they take their time.
vi.setConfig({ testTimeout: 90_000 });

const MB = 1024 * 1024;
const STEP_MS = 1_000;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface ScenarioOptions {
  readonly partitions?: number;
  readonly settings?: Partial<ProcessorSettings>;
  readonly readUpload?: CompactorDeps['readUpload'];
  readonly wrapBlocks?: (blocks: BlockStore) => BlockStore;
  readonly wrapLog?: (log: EventLog) => EventLog;
}

/** The processors of all partitions as a process has them: one budget, every engine watched, its log sparing. Records are Avro bytes. */
function scenario({ partitions = 1, settings, readUpload, wrapBlocks = (same) => same, wrapLog = (same) => same }: ScenarioOptions = {}) {
  const clock = manualClock(START_MS);
  const log = memoryLog({ partitions, codec: avroCodec, now: () => clock.now(), setTimer: (ms, run) => clock.setTimer(ms, run) });
  const [blocks, catalog] = [memoryBlocks(), memoryCatalog()];
  const kept = keepingLogger(clock);
  const logger = sparingLogger(kept, clock);
  const waits = new Waits(clock, logger);
  const presence = {
    log: new Presence(clock, 'log_unavailable'),
    blocks: new Presence(clock, 'unavailable'),
    catalog: new Presence(clock, 'unavailable'),
  };
  const all: ProcessorSettings = { ...DEFAULT_SETTINGS, ...settings };
  const budget = new BufferBudget(all.bufferBytesMax);
  const deps = {
    log: waits.watched('log', presence.log.of(wrapLog(log))),
    blocks: waits.watched('blocks', presence.blocks.of(wrapBlocks(blocks))),
    catalog: waits.watched('catalog', presence.catalog.of(catalog)),
    clock,
    logger,
    random: () => 0.5,
    writer: 'w',
    settings: all,
    budget,
    ...(readUpload === undefined ? {} : { readUpload }),
  };
  const abort = new AbortController();
  const compactors = Array.from({ length: partitions }, (_, partition) => new Compactor(deps, partition));
  const projections = Array.from({ length: partitions }, (_, partition) => new Projection(deps, partition));
  const ended = Promise.all([...compactors, ...projections].map((one) => one.run(abort.signal)));
  stops.push(async () => {
    abort.abort();
    await whileTimePasses(clock, ended);
  });
  return { clock, log, blocks, catalog, presence, waits, budget, compactors, projections, lines: kept.lines, settings: all };
}

type Scenario = ReturnType<typeof scenario>;

async function pass(clock: ManualClock, ms: number, each: () => Promise<void> | void = () => undefined): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    clock.advance(STEP_MS);
    await settle(4);
    await each();
  }
}

async function put(log: EventLog, upload: Upload): Promise<void> {
  await log.append('playhead.uploads', partitionOf(upload.sessionId, log.partitions), upload.sessionId, upload);
}

/** Random bytes, which do not get smaller; in hex, so that they are text. */
function textOf(bytes: number, seed: number): string {
  let state = seed + 1;
  let text = '';
  while (text.length < bytes) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(16);
  }
  return text.slice(0, bytes);
}

/** Everything that was accepted: by session, the positions of its frames in order of the log. */
async function acceptedIn(log: EventLog): Promise<Map<string, string[]>> {
  const sessions = new Map<string, string[]>();
  for (let partition = 0; partition < log.partitions; partition++) {
    for (const [offset, upload] of (await recordsOf(log, 'playhead.uploads', partition)).entries()) {
      if (upload === null) continue;
      const { frames } = await readUploadAsync(upload);
      const positions = sessions.get(upload.sessionId) ?? [];
      for (const index of frames.keys()) positions.push(`${offset}.${index}`);
      sessions.set(upload.sessionId, positions);
    }
  }
  return sessions;
}

/** Everything accepted is in blocks once and in order, and the catalog knows all of it. */
async function expectAllStored({ clock, log, blocks, catalog, compactors, projections }: Scenario): Promise<void> {
  await whileTimePasses(clock, Promise.all(compactors.map((compactor) => compactor.flushNow())));
  await whileTimePasses(clock, Promise.all(projections.map((projection) => projection.catchUp())));
  const stored = new Map<string, string[]>();
  for (let partition = 0; partition < log.partitions; partition++) {
    for (const [sessionId, frames] of await framesInBlocks({ log, blocks }, partition)) {
      stored.set(
        sessionId,
        frames.map(({ position }) => formatPosition(position)),
      );
    }
    const { chainEnd } = await catalog.progress(partition);
    expect(chainEnd).toBe((await validFlushes(log, partition)).at(-1)?.lastOffset ?? -1);
  }
  const accepted = await acceptedIn(log);
  expect(stored).toEqual(accepted);
  for (const [sessionId, positions] of accepted) {
    expect((await catalog.session(EXAMPLE_PROJECT, sessionId))?.counts.frames).toBe(positions.length);
  }
}

describe('an upload that breaks its decoder', () => {
  const good = aDomKeyframe();
  const garbage: Record<string, readonly unknown[] | null> = {
    'no list of frames': null,
    'frames of nothing': [{}],
    'a time that is no number': [{ ...good, timestampMs: Number.NaN }],
    'a time before all time': [{ ...good, timestampMs: -1 }],
    'a time between two ms': [{ ...good, timestampMs: 0.5 }],
    'times as far apart as numbers go': [
      { ...good, timestampMs: Number.MAX_SAFE_INTEGER },
      { ...good, timestampMs: 0 },
    ],
    'a payload that is none': [{ ...good, payload: 'text' }],
    'a payload without a length': [{ ...good, payload: {} }],
    'a signal that is no bytes': [{ ...aSignalFrame(), payload: null }],
    'a frame larger than any may be': [{ ...good, payload: new Uint8Array(LIMITS.frameBytesMax + 1) }],
  };

  test.for(Object.entries(garbage))(
    '[FC7] with %s, costs only itself: it is told, the others are in blocks, the partition goes on',
    async ([, decoded]) => {
      const world = scenario({
        readUpload: async (upload) =>
          'uploadId' in upload && upload.uploadId === 'poison'
            ? { frames: decoded as readonly PositionedFrame[], fault: null }
            : readUploadAsync(upload),
      });
      await put(world.log, anUpload({ counter: 0 }));
      await put(world.log, anUpload({ counter: 1, uploadId: 'poison' }));
      await put(world.log, anUpload({ counter: 2 }));
      await put(world.log, anUpload({ counter: 0, sessionId: 'other-session' }));
      const [compactor] = world.compactors as [Compactor];
      await whileTimePasses(world.clock, compactor.flushNow());
      await put(world.log, anUpload({ counter: 3 }));
      await whileTimePasses(world.clock, compactor.flushNow());
      const [flush, next] = await validFlushes(world.log);
      expect(flush?.blocks).toMatchObject([
        { uploads: 3, rejected: 1 },
        { uploads: 1, rejected: 0 },
      ]);
      expect(next?.blocks).toMatchObject([{ uploads: 1, rejected: 0 }]);
      expect(await recordsOf(world.log, 'playhead.rejected')).toMatchObject([{ offset: 1, uploadId: 'poison', code: 'internal' }]);
      const frames = [...(await framesInBlocks(world)).values()].flat();
      const offsets = new Set(frames.map(({ position }) => position.offset));
      expect([...offsets].toSorted((a, b) => a - b)).toEqual([0, 2, 3, 4]);
    },
  );
});

test('[PJ5] a block that breaks what reads its signals gives none, and holds up nothing', async () => {
  const world = scenario({
    wrapBlocks: (blocks) => ({
      ...blocks,
      // Not the fault that a damaged block is: what a bug would throw.
      get: async (key, range) => (key.startsWith('uploads/p0000/0000000000000000-') ? ({ length: 5 } as never) : blocks.get(key, range)),
    }),
  });
  for (const counter of [0, 1]) {
    await put(world.log, anUpload({ counter, body: encodeFrames([aSignalFrame()]) }));
    await whileTimePasses(world.clock, Promise.all(world.compactors.map((compactor) => compactor.flushNow())));
  }
  await whileTimePasses(world.clock, Promise.all(world.projections.map((projection) => projection.catchUp())));
  expect((await world.catalog.progress(0)).chainEnd).toBe(1);
  expect(await world.catalog.signals(EXAMPLE_PROJECT, anUpload().sessionId)).toHaveLength(1);
  expect(world.lines.find(({ level }) => level === 'error')?.message).toBe('a block has no signals to give');
});

describe('a partition full of', () => {
  const COUNT = 2_000;

  test('[FC7] damaged uploads goes on: each is told with its reason, its body cut; what is whole is in blocks', async () => {
    let [appending, mostAtOnce] = [0, 0];
    const world = scenario({
      settings: { flushBytesMax: 8 * MB },
      wrapLog: (log) => ({
        ...log,
        async append(...given) {
          if (given[0] === 'playhead.rejected') mostAtOnce = Math.max(mostAtOnce, ++appending);
          await new Promise((resolve) => setImmediate(resolve));
          const offset = await log.append(...given);
          if (given[0] === 'playhead.rejected') appending--;
          return offset;
        },
      }),
    });
    const damaged = new Uint8Array(20_000).fill(7);
    for (let i = 0; i < COUNT; i++) {
      const whole = i % 100 === 99;
      await put(world.log, anUpload({ counter: i, sessionId: whole ? 'whole' : `damaged-${i % 50}`, ...(whole ? {} : { body: damaged }) }));
    }
    let largest = 0;
    await until(world.clock, async () => {
      largest = Math.max(largest, world.budget.total);
      return (await world.catalog.progress(0)).chainEnd === COUNT - 1;
    });
    const rejected = await recordsOf(world.log, 'playhead.rejected');
    expect(rejected).toHaveLength(COUNT - COUNT / 100);
    expect(new Set(rejected.map((one) => one?.code))).toEqual(new Set(['invalid_body']));
    expect((await framesInBlocks(world)).get('whole')).toHaveLength((COUNT / 100) * 3);
    expect(largest).toBeLessThanOrEqual(8 * MB + damaged.length + 1024);
    // Many at once, so that they do not hold up the partition; not all at once.
    expect(mostAtOnce).toBe(64);
  });

  test('[FC7] records that are no uploads goes on, and what they hold is counted', async () => {
    const world = scenario({
      settings: { flushBytesMax: 200_000 },
      wrapLog: (log) => ({
        ...log,
        async *read(topic, ...asked) {
          for await (const batch of log.read(topic, ...asked)) {
            if (topic !== 'playhead.uploads') yield batch;
            else yield { ...batch, records: batch.records.map(({ offset, key }) => ({ offset, key, record: null, fault: 'no Avro' })) };
          }
        },
      }),
    });
    for (let i = 0; i < COUNT; i++) await put(world.log, anUpload({ counter: i }));
    let largest = 0;
    await until(world.clock, async () => {
      largest = Math.max(largest, world.budget.total);
      return (await validFlushes(world.log)).at(-1)?.lastOffset === COUNT - 1;
    });
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(200_000 + 1_024);
    expect(await recordsOf(world.log, 'playhead.rejected')).toHaveLength(COUNT);
  });
});

describe('ten minutes without', () => {
  const AWAY_MS = 600_000;
  const PARTITIONS = 4;
  const SESSIONS = 12;
  const SETTINGS = { flushBytesMax: MB, bufferBytesMax: 2 * MB };
  const UPLOAD_BYTES = 20_000;
  /** A budget may be passed by one upload of each partition. */
  const HELD_MAX = SETTINGS.bufferBytesMax + PARTITIONS * (UPLOAD_BYTES + 2_048);

  /** A load that goes on whatever is away, except where the log is. */
  function loadOn(world: Scenario) {
    let sent = 0;
    return async (): Promise<void> => {
      const counter = sent++;
      const body = encodeFrames([aDomKeyframe(START_MS, 'page'), aDomChange(START_MS + counter, textOf(UPLOAD_BYTES, counter))]);
      await put(world.log, anUpload({ sessionId: `session-${counter % SESSIONS}`, counter, receivedAtMs: world.clock.now(), body }));
    };
  }

  test.for([
    ['blocks', 0],
    ['blocks', 60_000],
    ['catalog', 0],
    ['catalog', 30_000],
    ['log', 0],
  ] as const)(
    '[FC11] %s (calls fail after %i ms): memory stays within its bound, the process says so, and then everything is stored once',
    async ([name, hangMs]) => {
      const world = scenario({ partitions: PARTITIONS, settings: SETTINGS });
      const { clock, presence, budget, waits } = world;
      const load = loadOn(world);
      await pass(clock, 30_000, load);
      presence[name].leave(hangMs);
      const fromMs = clock.now();
      let [most, mostTimers] = [0, 0];
      let step = 0;
      await pass(clock, AWAY_MS, async () => {
        // The load writes into the log behind the absence: another process can reach it.
        if (step++ % 2 === 0) await load();
        most = Math.max(most, budget.total);
        mostTimers = Math.max(mostTimers, clock.waiting);
      });
      expect(most).toBeLessThanOrEqual(HELD_MAX);
      expect(mostTimers).toBeLessThanOrEqual(PARTITIONS * 20);
      const waiting = waits.report();
      expect(waiting.map(({ engine }) => engine)).toContain(name);
      expect(waiting[0]?.sinceMs).toBeLessThanOrEqual(fromMs + 20_000);
      const warned = world.lines.filter(({ level }) => level === 'warn').map(({ atMs }) => atMs);
      const rate = lineRate(warned, fromMs, clock.now());
      expect(rate.longestSilenceMs).toBeLessThanOrEqual(20_000);
      expect(rate.mostInASecond).toBeLessThanOrEqual(15);
      expect(rate.lines).toBeLessThanOrEqual((AWAY_MS / 10_000) * 12);
      presence[name].comeBack();
      const backMs = clock.now();
      await expectAllStored(world);
      expect(clock.now() - backMs).toBeLessThanOrEqual(hangMs + 60_000);
      expect(waits.report()).toEqual([]);
    },
  );
});

test('[FC11] a partition that waits for room sleeps, also while sessions are open and times have passed', async () => {
  const world = scenario({ partitions: 2, settings: { flushBytesMax: 100_000, bufferBytesMax: 20_000 } });
  const { clock, log, presence } = world;
  const upload = (sessionId: string, counter: number): Upload =>
    anUpload({ sessionId, counter, receivedAtMs: clock.now(), body: encodeFrames([aDomChange(START_MS, textOf(60_000, counter))]) });
  const names = [0, 1].map(
    (partition) => Array.from({ length: 100 }, (_, i) => `session-${i}`).find((name) => partitionOf(name, 2) === partition) ?? '',
  );
  const [greedy = '', starved = ''] = names;
  // A session is open, a checkpoint due: both partitions have something to look after.
  await put(log, upload(starved, 0));
  await pass(clock, 11_000);
  presence.blocks.leave();
  for (let counter = 1; counter < 10; counter++) await put(log, upload(greedy, counter));
  await pass(clock, 1_000);
  await put(log, upload(starved, 1));
  await pass(clock, 90_000);
  expect(world.budget.total).toBeGreaterThan(20_000);
  let timers = 0;
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (ms, run) => (timers++, setTimer(ms, run));
  const turns = 2_000;
  for (let turn = 0; turn < turns; turn++) {
    clock.advance(1);
    await settle(1);
  }
  expect(timers).toBeLessThan(turns / 20);
  presence.blocks.comeBack();
  await expectAllStored(world);
});

test('[PJ4] reading flushes stops within two batches of what the catalog has taken over', async () => {
  let read = 0;
  const world = scenario({
    settings: { flushAgeMs: 100 },
    wrapLog: (log) => ({
      ...log,
      async *read(topic, partition, from, options) {
        const batchBytesMax = 2_000;
        for await (const batch of log.read(
          topic,
          partition,
          from,
          topic === 'playhead.flushes' ? { ...options, batchBytesMax } : options,
        )) {
          if (topic === 'playhead.flushes') read += batch.records.length;
          yield batch;
        }
      },
    }),
  });
  world.presence.catalog.leave();
  for (let counter = 0; counter < 100; counter++) {
    await put(world.log, anUpload({ counter }));
    await pass(world.clock, 500);
  }
  expect((await validFlushes(world.log)).length).toBeGreaterThan(50);
  // The compactor reads its own flushes back, each once.
  const byCompactor = (await validFlushes(world.log)).length;
  expect(read - byCompactor).toBeLessThanOrEqual(2 * 10);
  world.presence.catalog.comeBack();
  await expectAllStored(world);
});

test('beside one session with a hundred times the traffic, the others are stored as soon as without it', async () => {
  const world = scenario({ partitions: 2, settings: { flushBytesMax: MB, bufferBytesMax: 2 * MB, flushAgeMs: 10_000 } });
  const { clock, log, budget } = world;
  const others = Array.from({ length: 10 }, (_, i) => `session-${i}`);
  let [sent, most] = [0, 0];
  const waitedMs: number[] = [];
  const waiting = new Map<string, { readonly sessionId: string; readonly counter: number; readonly sentMs: number }>();
  const look = async (): Promise<void> => {
    for (let partition = 0; partition < 2; partition++) {
      const { chainEnd } = await world.catalog.progress(partition);
      for (const [place, { sentMs }] of waiting) {
        const [of, offset] = place.split(' ').map(Number);
        if (of !== partition || (offset ?? 0) > chainEnd) continue;
        waitedMs.push(clock.now() - sentMs);
        waiting.delete(place);
      }
    }
  };
  await pass(clock, 60_000, async () => {
    for (let hot = 0; hot < 20; hot++) {
      const body = encodeFrames([aDomChange(START_MS, textOf(10_000, sent))]);
      await put(log, anUpload({ sessionId: 'session-hot', counter: sent++, receivedAtMs: clock.now(), body }));
    }
    if (sent % 100 === 0) {
      const sessionId = others[(sent / 100) % others.length] ?? '';
      const partition = partitionOf(sessionId, 2);
      const offset = await log.append(
        'playhead.uploads',
        partition,
        sessionId,
        anUpload({ sessionId, counter: sent, receivedAtMs: clock.now() }),
      );
      waiting.set(`${partition} ${offset}`, { sessionId, counter: sent, sentMs: clock.now() });
    }
    most = Math.max(most, budget.total);
    await look();
  });
  await pass(clock, 11_000, look);
  expect(waiting.size).toBe(0);
  expect(Math.max(...waitedMs)).toBeLessThanOrEqual(10_000 + 4 * STEP_MS);
  expect(most).toBeLessThanOrEqual(2 * MB + 2 * 12_048);
  await expectAllStored(world);
});
