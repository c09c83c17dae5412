import type { PartitionWork } from '@playhead/ports';
import { PartitionGroups } from '@playhead/ports';
import { expect, test } from 'vitest';

const noTimer = () => () => {};

/** Work that lasts until its signal aborts, and says what it has at the moment. */
function worker(): { readonly held: Set<number>; readonly work: PartitionWork } {
  const held = new Set<number>();
  const work: PartitionWork = (partition, signal) => {
    held.add(partition);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        held.delete(partition);
        resolve();
      });
    });
  };
  return { held, work };
}

test('partition p falls to member p mod members, in order of joining, and back when one leaves', async () => {
  const groups = new PartitionGroups(4, noTimer);
  const [one, two] = [worker(), worker()];
  groups.join('group', one.work);
  expect([...one.held]).toEqual([0, 1, 2, 3]);
  const membership = groups.join('group', two.work);
  await expect.poll(() => [...two.held]).toEqual([1, 3]);
  expect([...one.held]).toEqual([0, 2]);
  await membership.leave();
  expect(two.held.size).toBe(0);
  await expect.poll(() => one.held.size).toBe(4);
  await groups.close();
});

test('groups share nothing; after close their work has ended and nobody joins', async () => {
  const groups = new PartitionGroups(2, noTimer);
  const [one, two] = [worker(), worker()];
  groups.join('one', one.work);
  groups.join('two', two.work);
  expect([one.held.size, two.held.size]).toEqual([2, 2]);
  await groups.close();
  expect([one.held.size, two.held.size]).toEqual([0, 0]);
  expect(() => groups.join('one', one.work)).toThrow(expect.objectContaining({ code: 'log_unavailable' }));
});

test('work that rejects is called again after pauses that double up to 5 s', async () => {
  const pauses: number[] = [];
  const groups = new PartitionGroups(1, (ms, run) => {
    pauses.push(ms);
    queueMicrotask(run);
    return () => {};
  });
  let calls = 0;
  const { held, work } = worker();
  groups.join('group', (partition, signal) => (++calls < 9 ? Promise.reject(new Error('no')) : work(partition, signal)));
  await expect.poll(() => held.size).toBe(1);
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  await groups.close();
});
