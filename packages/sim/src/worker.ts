import { parentPort, workerData } from 'node:worker_threads';
import { runSimulation } from './run.ts';

/** The seeds that fall to one thread of `npm run sim`. */
export interface WorkerSeeds {
  readonly first: number;
  readonly step: number;
  readonly end: number;
}

const { first, step, end } = workerData as WorkerSeeds;
for (let seed = first; seed < end; seed += step) {
  const result = await runSimulation(seed);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
  parentPort?.postMessage(result);
}
