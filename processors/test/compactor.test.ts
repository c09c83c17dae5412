import { encodeFrames, formatPosition, partitionOf } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, anUpload, anUploadOf, aSignalFrame, EXAMPLE_SESSION, uploadsOf } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import {
  appendUploads,
  aWorld,
  compactorDeps,
  framesInBlocks,
  recordsOf,
  settle,
  until,
  validFlushes,
  whileTimePasses,
} from './fixtures.ts';

describe('flush chain', () => {
  test('[FC1] uploads become one flush with one block a session, and every frame is in it once, in order', async () => {
    const world = aWorld();
    const stop = new AbortController();
    const compactor = new Compactor(compactorDeps(world), 0);
    const running = compactor.run(stop.signal);
    await appendUploads(world.log, [...uploadsOf(3), anUpload({ sessionId: 'other-session' })]);
    await until(world.clock, () => compactor.stats.flushes === 1);
    stop.abort();
    await running;
    const [flush, ...more] = await validFlushes(world.log);
    expect(more).toEqual([]);
    expect(flush?.objectKey).toMatch(/^uploads\/p0000\/0{16}-0{15}3-[0-9a-f]{16}$/);
    expect(flush?.blocks.map((block) => block.sessionId)).toEqual([EXAMPLE_SESSION, 'other-session']);
    const frames = await framesInBlocks(world);
    expect(frames.get(EXAMPLE_SESSION)?.map(({ position }) => formatPosition(position))).toEqual([
      '0.0',
      '0.1',
      '0.2',
      '1.0',
      '1.1',
      '2.0',
      '2.1',
    ]);
  });
});
