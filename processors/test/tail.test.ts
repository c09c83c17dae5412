import type { EventLog } from '@playhead/ports';
import type { Offset } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import { anUpload } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { Tail } from '../src/runtime/tail.ts';
import type { World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, settle } from './fixtures.ts';

const HOLE_WAIT_MS = 5_000;

function tailOf(world: World, { log = world.log, retryMs = 100 } = {}) {
  const stop = new AbortController();
  const tail = new Tail(log, compactorDeps(world), {
    topic: 'playhead.uploads',
    partition: 0,
    from: toOffset(0),
    signal: stop.signal,
    retryFirstMs: retryMs,
    retryMaxMs: retryMs,
    wake: () => undefined,
  });
  return { tail, stop: () => stop.abort() };
}

const endOf = async ({ log }: World): Promise<Offset> => (await log.bounds('playhead.uploads', 0)).next;

describe('a tail is at the end of the log', () => {
  test('[LC5] when everything was taken, not while something waits to be', async () => {
    const world = aWorld();
    const { tail, stop } = tailOf(world);
    expect(tail.isAtEnd(toOffset(0), HOLE_WAIT_MS)).toBe(true);
    await appendUploads(world.log, [anUpload()]);
    await settle();
    const end = await endOf(world);
    expect(tail.isAtEnd(end, HOLE_WAIT_MS)).toBe(false);
    world.clock.advance(10 * HOLE_WAIT_MS);
    expect(tail.isAtEnd(end, HOLE_WAIT_MS)).toBe(false);
    expect(tail.take()).toMatchObject({ kind: 'records', next: end });
    expect(tail.isAtEnd(end, HOLE_WAIT_MS)).toBe(true);
    stop();
  });

  test('[LC5] when nothing came for a while since the end was seen first: an offset without a record is told from one that is on its way', async () => {
    const world = aWorld();
    const { tail, stop } = tailOf(world);
    // However long nothing came before.
    world.clock.advance(10 * HOLE_WAIT_MS);
    expect(tail.isAtEnd(toOffset(1), HOLE_WAIT_MS)).toBe(false);
    world.clock.advance(HOLE_WAIT_MS - 1);
    expect(tail.isAtEnd(toOffset(1), HOLE_WAIT_MS)).toBe(false);
    world.clock.advance(1);
    expect(tail.isAtEnd(toOffset(1), HOLE_WAIT_MS)).toBe(true);
    // Another end is another question.
    expect(tail.isAtEnd(toOffset(2), HOLE_WAIT_MS)).toBe(false);
    world.clock.advance(HOLE_WAIT_MS);
    expect(tail.isAtEnd(toOffset(2), HOLE_WAIT_MS)).toBe(true);
    stop();
  });

  test('[LC5] not while the log cannot be read: that silence says nothing', async () => {
    const world = aWorld();
    let isDown = true;
    let reads = 0;
    const read: EventLog['read'] = (...asked) => {
      reads++;
      if (isDown) throw new Error('down');
      return world.log.read(...asked);
    };
    // Asked again more seldom than a hole is waited for.
    const { tail, stop } = tailOf(world, { log: { ...world.log, read }, retryMs: 4 * HOLE_WAIT_MS });
    const isAtEnd = (): boolean => tail.isAtEnd(toOffset(1), HOLE_WAIT_MS);
    const wasAsked = (times: number): boolean => reads >= times;
    while (!wasAsked(4)) {
      await settle(3);
      expect(isAtEnd()).toBe(false);
      world.clock.advance(1_000);
    }
    isDown = false;
    while (!wasAsked(5)) {
      world.clock.advance(1_000);
      await settle(3);
    }
    expect(isAtEnd()).toBe(false);
    world.clock.advance(HOLE_WAIT_MS);
    expect(isAtEnd()).toBe(true);
    stop();
  });
});
