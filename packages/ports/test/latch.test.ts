import { Latch } from '@playhead/ports';
import { expect, test } from 'vitest';

const never = new AbortController().signal;

test('opening wakes everybody who waits, and nobody who comes later', async () => {
  const latch = new Latch();
  const waiting = [latch.wait(never), latch.wait(never)];
  latch.open();
  await Promise.all(waiting);
  let woken = false;
  const later = latch.wait(never).then(() => (woken = true));
  await Promise.resolve();
  expect(woken).toBe(false);
  latch.open();
  await later;
});

test('an abort ends one wait and leaves the others', async () => {
  const latch = new Latch();
  const abort = new AbortController();
  const calls: string[] = [];
  const gone = latch.wait(abort.signal).then(() => calls.push('gone'));
  const stays = latch.wait(never).then(() => calls.push('stays'));
  abort.abort();
  await gone;
  await latch.wait(abort.signal);
  expect(calls).toEqual(['gone']);
  latch.open();
  await stays;
});
