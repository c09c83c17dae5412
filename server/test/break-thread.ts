/** Loaded before the program of every thread (`node --import`): breaks the one that is not the first. */
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) {
  setTimeout(() => {
    throw new Error('planted');
  }, 200);
}
