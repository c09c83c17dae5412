import { getEventListeners } from 'node:events';
import { backoffMs, pause } from '@playhead/ports';
import { expect, test } from 'vitest';

/** A clock with one timer, which comes due when the test says so. */
function oneTimer() {
  let due: (() => void) | undefined;
  const asked: number[] = [];
  return {
    asked,
    isSet: () => due !== undefined,
    comeDue: () => due?.(),
    setTimer: (ms: number, run: () => void) => {
      asked.push(ms);
      due = run;
      return () => {
        due = undefined;
      };
    },
  };
}

test('a pause lasts its time, and leaves no listener at the signal', async () => {
  const clock = oneTimer();
  const { signal } = new AbortController();
  let isOver = false;
  const pausing = pause(clock, 250, signal).then(() => (isOver = true));
  await Promise.resolve();
  expect([clock.asked, isOver]).toEqual([[250], false]);
  clock.comeDue();
  await pausing;
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('an abort ends a pause, and leaves no timer', async () => {
  const clock = oneTimer();
  const abort = new AbortController();
  const pausing = pause(clock, 250, abort.signal);
  expect(clock.isSet()).toBe(true);
  abort.abort();
  await pausing;
  expect(clock.isSet()).toBe(false);
});

test('a pause whose signal has aborted is over at once, and sets no timer', async () => {
  const clock = oneTimer();
  await pause(clock, 250, AbortSignal.abort());
  expect(clock.asked).toEqual([]);
});

test('pauses double up to 32 times the first, or up to what is given', () => {
  const attempts = [0, 1, 2, 3, 4, 5, 6, 1_000_000];
  expect(attempts.map((attempt) => backoffMs(100, attempt))).toEqual([100, 200, 400, 800, 1600, 3200, 3200, 3200]);
  expect(attempts.map((attempt) => backoffMs(100, attempt, 1000))).toEqual([100, 200, 400, 800, 1000, 1000, 1000, 1000]);
  expect(attempts.map((attempt) => backoffMs(100, attempt, 50))).toEqual(attempts.map(() => 50));
  expect(attempts.map((attempt) => backoffMs(0, attempt))).toEqual(attempts.map(() => 0));
});
