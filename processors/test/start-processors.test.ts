import { NO_OFFSET } from '@playhead/schemas';
import { anUpload, aSessionStarted, EXAMPLE_PROJECT, EXAMPLE_SESSION, silentLogger, uploadsOf } from '@playhead/testkit';
import { expect, test } from 'vitest';
import type { Processors } from '../src/index.ts';
import { startProcessors } from '../src/index.ts';
import type { World } from './fixtures.ts';
import { appendUploads, aWorld, recordsOf, settle, until, validFlushes, whileTimePasses } from './fixtures.ts';

const start = ({ log, blocks, catalog, clock }: World): Promise<Processors> =>
  startProcessors({ log, blocks, catalog, clock, logger: silentLogger, writer: 'w', random: () => 0.5 });

test('a session that was uploaded is in the catalog with its blocks and signals, and ends', async () => {
  const world = aWorld();
  const { log, catalog, clock } = world;
  const processors = await start(world);
  await log.append('playhead.sessions', 0, EXAMPLE_SESSION, aSessionStarted());
  await until(clock, async () => (await catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION)) !== null, 50);
  expect(clock.now() - aSessionStarted().startedAtMs).toBeLessThanOrEqual(200);

  await appendUploads(log, uploadsOf(3));
  await whileTimePasses(clock, processors.flushNow());
  await until(clock, async () => (await catalog.blocks(EXAMPLE_PROJECT, EXAMPLE_SESSION, 0)).chainEnd === 2);
  expect(await catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION)).toMatchObject({ live: true, counts: { clicks: 3, keyframes: 1 } });
  expect((await catalog.signals(EXAMPLE_PROJECT, EXAMPLE_SESSION)).map(({ signal }) => signal.text)).toEqual([
    'button 0',
    'button 1',
    'button 2',
  ]);

  await until(clock, async () => (await catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION))?.live === false);
  expect(await catalog.session(EXAMPLE_PROJECT, EXAMPLE_SESSION)).toMatchObject({ endReason: 'silence' });
  await whileTimePasses(clock, processors.stop());
});

test('stop flushes what is buffered and writes a checkpoint', async () => {
  const world = aWorld({ partitions: 3 });
  const processors = await start(world);
  await appendUploads(world.log, uploadsOf(2), 0);
  await appendUploads(world.log, [anUpload({ sessionId: 'other-session' })], 2);
  await settle();
  expect(processors.stats()).toHaveLength(3);
  await whileTimePasses(world.clock, processors.stop());
  expect((await validFlushes(world.log, 0)).map((flush) => flush.lastOffset)).toEqual([1]);
  expect(await validFlushes(world.log, 1)).toEqual([]);
  expect((await validFlushes(world.log, 2)).map((flush) => flush.prevLastOffset)).toEqual([NO_OFFSET]);
  const keys: string[] = [];
  for await (const { key } of world.blocks.list('checkpoints/')) keys.push(key);
  expect(keys).toEqual(['checkpoints/p0000/0000000000000000', 'checkpoints/p0002/0000000000000000']);
  expect(processors.stats()).toEqual([]);
});

test('flushNow resolves when everything that the log held is in valid flushes, also before a hole in the offsets', async () => {
  const world = aWorld({ holeEvery: 1 });
  const processors = await start(world);
  await appendUploads(world.log, uploadsOf(3));
  await whileTimePasses(world.clock, processors.flushNow());
  expect((await validFlushes(world.log)).at(-1)?.lastOffset).toBe(4);
  await whileTimePasses(world.clock, processors.stop());
  expect(await recordsOf(world.log, 'playhead.rejected')).toEqual([]);
});
