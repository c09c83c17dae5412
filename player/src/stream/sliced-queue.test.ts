import { describe, expect, test } from 'vitest';
import { SlicedQueue } from './sliced-queue.ts';

/** Each item takes a millisecond; the browser comes back when the test says so. */
function aQueue(hidden = false) {
  const planned: (() => void)[] = [];
  const taken: number[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  const queue = new SlicedQueue<number>({
    take: (item) => {
      taken.push(item);
      nowMs++;
    },
    onPause: () => pauses.push(taken.length),
    later: (run) => planned.push(run),
    now: () => nowMs,
    hidden: () => hidden,
  });
  return { queue, taken, pauses, planned, turn: () => planned.shift()?.() };
}

const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('work in slices', () => {
  test('is done in order, a few milliseconds at a time, and nothing at once', () => {
    const { queue, taken, pauses, planned, turn } = aQueue();
    queue.push(numbers(15));
    expect(taken).toEqual([]);
    turn();
    expect([taken.length, queue.isEmpty, planned.length]).toEqual([6, false, 1]);
    queue.push([15]);
    while (planned.length > 0) turn();
    expect(taken).toEqual(numbers(16));
    expect(pauses).toEqual([6, 12, 16]);
    expect(queue.isEmpty).toBe(true);
  });

  test('takes longer slices where nobody looks', () => {
    const { queue, taken, turn } = aQueue(true);
    queue.push(numbers(150));
    turn();
    expect(taken).toHaveLength(150);
  });

  test('what waits when it is closed is dropped', () => {
    const { queue, taken, planned, turn } = aQueue();
    queue.push(numbers(20));
    turn();
    queue.close();
    while (planned.length > 0) turn();
    queue.push([99]);
    expect([taken.length, planned.length, queue.isEmpty]).toEqual([6, 0, true]);
  });
});
