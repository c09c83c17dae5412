/**
 * A thread that scans a store, again and again, while another one writes. `workerData`: its path. Posts how many values it has seen, or a
 * value that is not as it was written, when it is asked to end.
 */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { toOffset } from '@playhead/schemas';
import { openLmdbReads } from '../src/lmdb-store.ts';
import { keyOf, offsetOf } from '../src/record-layout.ts';

const store = await openLmdbReads(workerData as string);
const [first, behind] = [keyOf('playhead.uploads', 0, toOffset(0)), keyOf('playhead.uploads', 0, toOffset(1_000_000))];
const state = { ended: false };
parentPort?.once('message', () => (state.ended = true));
let seen = 0;
let damaged: number | null = null;
while (!state.ended) {
  store.renew();
  for (const { key, value } of store.scan(first, behind)) {
    seen++;
    if (value.some((byte) => byte !== offsetOf(key) % 251)) damaged = offsetOf(key);
  }
  await setImmediate();
}
await store.close();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
parentPort?.postMessage({ seen, damaged });
