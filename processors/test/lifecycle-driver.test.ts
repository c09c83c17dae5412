import { LIMITS } from '@playhead/schemas';
import { anUpload, aSessionStarted, manualClock } from '@playhead/testkit';
import { expect, test } from 'vitest';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import type { World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, recordsOf, START_MS, settle, until, whileTimePasses } from './fixtures.ts';

async function endsOf(world: World) {
  return (await recordsOf(world.log, 'playhead.sessions')).filter((fact) => fact?.kind === 'ended');
}

function run(world: World, overrides: Parameters<typeof compactorDeps>[1] = {}) {
  const compactor = new Compactor(compactorDeps(world, overrides), 0);
  const stop = new AbortController();
  const ended = compactor.run(stop.signal);
  return {
    compactor,
    stop: async () => {
      stop.abort();
      await whileTimePasses(world.clock, ended);
    },
  };
}

test('[LC8] sessions end once, by silence and by goodbye', async () => {
  const world = aWorld();
  const { stop } = run(world);
  await world.log.append('playhead.sessions', 0, 'session-c', aSessionStarted({ sessionId: 'session-c' }));
  await appendUploads(world.log, [
    anUpload({ sessionId: 'session-a', receivedAtMs: START_MS }),
    anUpload({ sessionId: 'session-b', receivedAtMs: START_MS, goodbye: true }),
  ]);
  await until(world.clock, async () => (await endsOf(world)).length === 3);
  world.clock.advance(200_000);
  await settle();
  const ends = await endsOf(world);
  expect(new Set(ends.map((end) => end?.kind === 'ended' && `${end.sessionId} ${end.reason}`))).toEqual(
    new Set(['session-a silence', 'session-b closed', 'session-c silence']),
  );
  expect(ends).toHaveLength(3);
  await stop();
});

test('[LC5] an offset without a record at the end of the log keeps no session open', async () => {
  const world = aWorld({ holeEvery: 1 });
  const { stop } = run(world);
  await world.log.append('playhead.sessions', 0, 'session-a', aSessionStarted({ sessionId: 'session-a' }));
  await appendUploads(world.log, [anUpload({ sessionId: 'session-a', receivedAtMs: START_MS })]);
  await until(world.clock, async () => (await endsOf(world)).length === 1);
  expect(await endsOf(world)).toMatchObject([{ sessionId: 'session-a', reason: 'silence' }]);
  await stop();
});

test('[LC7] an open session is still open after a restart and ends by silence of the new process', async () => {
  const world = aWorld();
  const first = run(world);
  await appendUploads(world.log, [anUpload({ receivedAtMs: START_MS })]);
  await whileTimePasses(world.clock, first.compactor.flushNow());
  await first.stop();
  world.clock.advance(3_600_000);
  const second = run(world);
  await settle();
  world.clock.advance(LIMITS.sessionSilenceMs - 1_000);
  await settle();
  expect(await endsOf(world)).toEqual([]);
  await until(world.clock, async () => (await endsOf(world)).length === 1);
  expect(await endsOf(world)).toMatchObject([{ endedAtMs: START_MS, reason: 'silence' }]);
  await second.stop();
  const third = run(world);
  await settle();
  world.clock.advance(600_000);
  await settle();
  expect(await endsOf(world)).toHaveLength(1);
  await third.stop();
});

test('[LC5] a compactor that cannot go on ends no session whose uploads it has not read', async () => {
  const world = aWorld();
  let isDown = true;
  const { blocks } = world;
  const put: typeof blocks.put = (key, parts) => (isDown ? Promise.reject(new Error('down')) : blocks.put(key, parts));
  const { stop } = run({ ...world, blocks: { ...blocks, put } }, { settings: { flushBytesMax: 1, retryMaxMs: 1_000 } });
  await appendUploads(world.log, [anUpload({ receivedAtMs: START_MS })]);
  await settle();
  for (let second = 0; second < 120; second += 10) {
    world.clock.advance(10_000);
    await settle(3);
    await appendUploads(world.log, [anUpload({ counter: 1 + second, receivedAtMs: world.clock.now() })]);
  }
  expect(await endsOf(world)).toEqual([]);
  isDown = false;
  const lastMs = world.clock.now();
  await until(world.clock, async () => (await endsOf(world)).length === 1);
  expect(await endsOf(world)).toMatchObject([{ endedAtMs: lastMs }]);
  await stop();
});

test('[LC8] an append that fails is repeated until the end is told', async () => {
  const world = { ...aWorld(), clock: manualClock(START_MS) };
  let failures = 3;
  const { log } = world;
  const append: typeof log.append = (topic, ...rest) =>
    topic === 'playhead.sessions' && failures-- > 0 ? Promise.reject(new Error('no')) : log.append(topic, ...rest);
  const { stop } = run({ ...world, log: { ...log, append } });
  await appendUploads(log, [anUpload({ receivedAtMs: START_MS, goodbye: true })]);
  await until(world.clock, async () => (await endsOf(world)).length === 1);
  expect(failures).toBeLessThanOrEqual(0);
  await stop();
});
