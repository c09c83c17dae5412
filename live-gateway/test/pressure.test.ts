import type { EventLog } from '@playhead/ports';
import { sparingLogger, Waits } from '@playhead/ports';
import type { PositionedFrame } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import type { ManualClock } from '@playhead/testkit';
import { anUpload, keepingLogger, lineRate, manualClock, memoryLog, Presence, silentLogger } from '@playhead/testkit';
import { readUploadAsync } from '@playhead/uploads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { LiveGatewayDeps } from '../src/index.ts';
import { DEFAULT_SETTINGS } from '../src/settings.ts';
import { PartitionWindow } from '../src/window/partition-window.ts';
import { EPOCH_MS, GatewayWorld, SESSION } from './gateway-world.ts';
import type { WsClient } from './ws-client.ts';

/** Poison (uploads that break what reads them) and pressure (stores away, one session with the traffic of a hundred). */

const HOT = 'session-hot-1';

// Many virtual seconds, each with turns of the event loop: on a busy machine they take their time.
vi.setConfig({ testTimeout: 90_000 });

let world: GatewayWorld;
afterEach(() => world.close());

const gapsOf = (viewer: WsClient): object[] => viewer.controls.filter(({ type }) => type === 'gap');

describe('an upload that breaks its decoder', () => {
  const POISON = 'poison';
  const poisoned =
    (decode: () => never | PositionedFrame[]): NonNullable<LiveGatewayDeps['readUpload']> =>
    async (upload) =>
      'uploadId' in upload && upload.uploadId === POISON ? { frames: decode(), fault: null } : readUploadAsync(upload);
  const broken: Record<string, () => never | PositionedFrame[]> = {
    'that throws': () => {
      throw new Error('a bug in the decoder');
    },
    'that gives frames of nothing': () => [{ ...({} as PositionedFrame), track: 'image' }],
  };

  test.for(Object.entries(broken))(
    '[LH6] %s, is a gap to those who watch and to those who join; they go on behind it',
    async ([, decode]) => {
      const logger = keepingLogger();
      world = await GatewayWorld.open({ partitions: 1, readUpload: poisoned(decode), logger });
      await world.start();
      await world.start('session-0002');
      const [watching, other] = [world.join(), world.join('start', { session: 'session-0002' })];
      await watching.until(() => watching.story.includes('live'));
      await other.until(() => other.story.includes('live'));
      await world.pictures(0);
      await world.pictures(1, 2, { uploadId: POISON });
      await world.pictures(2);
      await world.pictures(0, 2, { sessionId: 'session-0002' });
      const joining = world.join();
      for (const viewer of [watching, joining]) {
        await viewer.until(() => viewer.positions.length === 4);
        expect(viewer.positions).toEqual(['0.0', '0.1', '2.0', '2.1']);
        expect(gapsOf(viewer)).toEqual([{ type: 'gap', firstOffset: 1, lastOffset: 1, reason: 'unreadable' }]);
      }
      await other.until(() => other.positions.length === 2);
      const said = logger.lines.find(({ level }) => level === 'error');
      expect(said).toMatchObject({
        message: 'an upload cannot be decoded; viewers go on behind it',
        data: { sessionId: SESSION, offset: 1 },
      });
    },
  );

  test('[LH9] is passed once: a viewer that comes again behind it hears nothing of it', async () => {
    world = await GatewayWorld.open({ partitions: 1, readUpload: poisoned(broken['that throws'] as () => never) });
    await world.start();
    await world.pictures(0, 1, { uploadId: POISON });
    await world.pictures(1, 2);
    const again = world.join('1.0');
    await again.until(() => again.positions.length === 1);
    expect([again.positions, gapsOf(again)]).toEqual([['1.1'], []]);
  });
});

test('a catalog that is slow is asked once about a session, however often viewers come back meanwhile', async () => {
  let isSlow = false;
  let asked = 0;
  const answer = Promise.withResolvers<void>();
  world = await GatewayWorld.open({
    wrapCatalog: (catalog) => ({
      ...catalog,
      async session(projectId, sessionId) {
        if (isSlow) {
          asked++;
          await answer.promise;
        }
        return catalog.session(projectId, sessionId);
      },
    }),
  });
  await world.start();
  await world.pictures(0);
  isSlow = true;
  for (let times = 0; times < 10; times++) {
    const leaving = world.join();
    await leaving.until(() => leaving.status === 101);
    leaving.drop();
  }
  const staying = world.join();
  await staying.until(() => staying.status === 101);
  answer.resolve();
  await staying.until(() => staying.positions.length === 2);
  expect(asked).toBe(1);
});

test('[LH10] a frame index that is damaged costs its block, also whoever joins at the last keyframe', async () => {
  world = await GatewayWorld.open({
    partitions: 1,
    wrapCatalog: (catalog) => ({
      ...catalog,
      async blocks(...asked) {
        const found = await catalog.blocks(...asked);
        return {
          ...found,
          blocks: found.blocks.map((block, at) => (at > 0 ? block : Object.assign(block, { frameIndex: Uint8Array.of(9, 9, 9) }))),
        };
      },
    }),
  });
  await world.start();
  for (const counter of [0, 1]) {
    await world.pictures(counter);
    await world.flush();
  }
  await world.apply();
  for (const [from, positions] of Object.entries({ start: ['1.0', '1.1'], keyframe: ['1.1'] })) {
    const viewer = world.join(from);
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.positions).toEqual(positions);
    expect(gapsOf(viewer)).toEqual([{ type: 'gap', firstOffset: 0, lastOffset: 0, reason: 'unreadable' }]);
  }
});

test('[LH6] in a partition full of damaged uploads and unreadable records, viewers get what is whole', async () => {
  world = await GatewayWorld.open({
    partitions: 1,
    wrapLog: (log) => ({
      ...log,
      async *read(topic, ...asked) {
        for await (const batch of log.read(topic, ...asked)) {
          if (topic !== 'playhead.uploads') yield batch;
          // Of every three records one is no Avro.
          else
            yield {
              ...batch,
              records: batch.records.map((one) =>
                one.offset % 3 === 1 ? { offset: one.offset, key: one.key, record: null, fault: 'no Avro' } : one,
              ),
            };
        }
      },
    }),
  });
  await world.start();
  const watching = world.join();
  await watching.until(() => watching.story.includes('live'));
  for (let i = 0; i < 100; i++) {
    for (let damaged = 0; damaged < 5; damaged++)
      await world.append({ counter: null, uploadId: `damaged-${i}-${damaged}`, body: Uint8Array.of(1, 2, 3, damaged) });
    await world.pictures(i, 1);
  }
  // Whole ones are at offsets 5, 11, 17...: none of them is one of the unreadable third.
  const whole = Array.from({ length: 100 }, (_, i) => `${i * 6 + 5}.0`);
  await watching.until(() => watching.positions.length === 100);
  const joining = world.join();
  await joining.until(() => joining.positions.length === 100);
  expect([watching.positions, joining.positions]).toEqual([whole, whole]);
});

describe('one session with a hundred times the traffic of the others', () => {
  test('never holds more of the window than its bytes and the newest upload', async () => {
    world = await GatewayWorld.open();
    const log = memoryLog({ partitions: 1 });
    const windowBytesMax = 200_000;
    const window = new PartitionWindow(0, log, manualClock(), silentLogger, { ...DEFAULT_SETTINGS, windowBytesMax });
    const view = window.open('shop', HOT);
    view.reaches(toOffset(-1));
    let largest = 0;
    for (let i = 0; i < 2_000; i++) {
      const upload = anUpload({ projectId: 'shop', sessionId: i % 100 === 0 ? SESSION : HOT, counter: i, body: new Uint8Array(10_000) });
      const offset = await log.append('playhead.uploads', 0, upload.sessionId, upload);
      if (i % 50 === 0) await view.wait(offset, offset, AbortSignal.timeout(10_000));
      largest = Math.max(largest, window.bytes);
    }
    expect(largest).toBeGreaterThan(windowBytesMax / 2);
    expect(largest).toBeLessThanOrEqual(windowBytesMax + 10_000 + 2_048);
    view.close();
    await window.close();
  });

  test('[LH15] pushes a slow viewer of another out of the window: it goes back to history and gets everything once', async () => {
    const settings = { windowBytesMax: 60_000, viewerBufferBytesMax: 30_000, messageBytesMax: 25_000 };
    world = await GatewayWorld.open({ partitions: 1, settings });
    await world.start();
    await world.start(HOT);
    const [slow, quick, hot] = [world.join(), world.join(), world.join('start', { session: HOT })];
    for (const viewer of [slow, quick, hot]) await viewer.until(() => viewer.story.includes('live'));
    slow.pause();
    for (let i = 0; i < 8; i++) {
      // Larger than what the kernel's buffers take, so that it really lags.
      await world.pictures(i, 1, { bytesMin: 700_000 });
      await quick.until(() => quick.positions.length === i + 1);
      for (let other = 0; other < 100; other++) await world.pictures(i * 100 + other, 1, { sessionId: HOT });
      await world.flush();
      await world.apply();
    }
    await hot.until(() => hot.positions.length === 800);
    slow.resume();
    await slow.until(() => slow.positions.length === 8);
    expect(slow.positions).toEqual(await world.acknowledged());
    expect(quick.positions).toEqual(await world.acknowledged());
    expect(hot.positions).toEqual(await world.acknowledged(HOT));
    expect([quick, hot].map(({ story }) => story.includes('lagged'))).toEqual([false, false]);
  });
});

describe('ten minutes without', () => {
  const AWAY_MS = 600_000;
  const STEP_MS = 2_000;
  const VIEWERS = 16;

  async function settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async function pass(clock: ManualClock, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      clock.advance(STEP_MS);
      await settle();
    }
  }

  /** A gateway as the server puts it together: every engine watched, its log sparing. */
  async function open(clock: ManualClock) {
    const kept = keepingLogger(clock);
    const logger = sparingLogger(kept, clock);
    const waits = new Waits(clock, logger);
    const engines = {
      log: new Presence(clock, 'log_unavailable'),
      blocks: new Presence(clock, 'unavailable'),
      catalog: new Presence(clock, 'unavailable'),
    };
    world = await GatewayWorld.open({
      partitions: 4,
      clock,
      logger,
      settings: { retryMs: DEFAULT_SETTINGS.retryMs },
      wrapLog: (log: EventLog) => waits.watched('log', engines.log.of(log)),
      wrapBlocks: (blocks) => waits.watched('blocks', engines.blocks.of(blocks)),
      wrapCatalog: (catalog) => waits.watched('catalog', engines.catalog.of(catalog)),
    });
    return { engines, waits, lines: kept.lines };
  }

  test.for([
    ['blocks and catalog', ['blocks', 'catalog'], 0],
    ['blocks and catalog, which hang', ['blocks', 'catalog'], 15_000],
  ] as const)('%s, who watches live sees every upload as it comes; who joins is told to come again', async ([, away, hangMs]) => {
    const clock = manualClock(EPOCH_MS);
    const { engines, waits } = await open(clock);
    await world.start();
    const watching = world.join();
    await watching.until(() => watching.story.includes('live'));
    for (const name of away) engines[name].leave(hangMs);
    for (let i = 0; i < 60; i++) {
      await world.pictures(i);
      await watching.until(() => watching.positions.length === 2 * (i + 1));
      await pass(clock, 10_000);
    }
    const refused = world.join();
    while (refused.closed === null) await pass(clock, STEP_MS);
    expect(refused.closed.reason).not.toBe('session_not_found');
    expect(waits.report().map(({ engine }) => engine)).toContain('catalog');
    for (const name of away) engines[name].comeBack();
    await world.flush();
    await world.apply();
    const joining = world.join();
    await joining.until(() => joining.story.includes('live'));
    expect([watching.positions, joining.positions]).toEqual([await world.acknowledged(), await world.acknowledged()]);
    expect(watching.closed).toBe(null);
  });

  test('the log, viewers keep their connections, the log of the process says so all the while, sparingly; then they get everything once', async () => {
    const clock = manualClock(EPOCH_MS);
    const { engines, waits, lines } = await open(clock);
    const sessions = Array.from({ length: 8 }, (_, i) => `session-many-${i}`);
    for (const session of sessions) await world.start(session);
    const viewers = Array.from({ length: VIEWERS }, (_, i) => world.join('start', { session: sessions[i % sessions.length] ?? '' }));
    for (const viewer of viewers) await viewer.until(() => viewer.story.includes('live'));
    await pass(clock, 5_000);
    engines.log.leave();
    const fromMs = clock.now();
    const timersAtFirst = clock.waiting;
    let mostTimers = 0;
    for (let ms = 0; ms < AWAY_MS; ms += 10_000) {
      await pass(clock, 10_000);
      mostTimers = Math.max(mostTimers, clock.waiting);
    }
    expect(waits.report().map(({ engine, sinceMs }) => [engine, sinceMs <= fromMs + 10_000])).toContainEqual(['log', true]);
    const warned = lines.filter(({ level }) => level === 'warn').map(({ atMs }) => atMs);
    const rate = lineRate(warned, fromMs, clock.now());
    expect(rate.mostInASecond).toBeLessThanOrEqual(15);
    expect(rate.lines).toBeLessThanOrEqual((AWAY_MS / 10_000) * 15);
    expect(rate.longestSilenceMs).toBeLessThanOrEqual(10_000 + STEP_MS);
    expect(mostTimers).toBeLessThanOrEqual(timersAtFirst + VIEWERS + 20);
    // Meanwhile another process, or the log before it was cut off from us, has taken uploads.
    for (const [at, sessionId] of sessions.entries()) await world.pictures(at, 2, { sessionId });
    engines.log.comeBack();
    await pass(clock, 10_000);
    for (const [at, viewer] of viewers.entries()) {
      await viewer.until(() => viewer.positions.length === 2);
      expect(viewer.positions).toEqual(await world.acknowledged(sessions[at % sessions.length]));
      expect(viewer.closed).toBe(null);
    }
  });
});
