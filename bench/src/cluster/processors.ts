import type { Cluster } from '@playhead/e2e/cluster';
import { makeBodies } from './bodies.ts';
import type { LagProbe } from './lag.ts';
import { PARTITIONS, SMALL_BYTES } from './plan.ts';
import { newSession, openRecorders } from './recorder.ts';
import { startAnew, targetOf } from './target.ts';

const AT_WORK_S_MAX = 60;
/** So many sessions that no partition is left out. */
const SESSIONS = PARTITIONS * 10;

/** Starts processors anew; resolves when they are at work on every partition and have nothing before them, with the seconds that it took. */
export async function startProcessors(cluster: Cluster, probe: LagProbe, count: number): Promise<number> {
  await startAnew(cluster, 'processors', 0);
  const began = performance.now();
  await startAnew(cluster, 'processors', count);
  const { doors, key } = targetOf(cluster);
  const recorders = openRecorders(doors, key);
  try {
    const bodies = makeBodies(SESSIONS, SMALL_BYTES);
    await Promise.all(bodies.map((body) => recorders.upload(newSession(), body)));
  } finally {
    recorders.close();
  }
  if ((await probe.drained(AT_WORK_S_MAX)) === undefined) throw new Error(`${count} processors are behind after ${AT_WORK_S_MAX} s`);
  return (performance.now() - began) / 1000;
}
