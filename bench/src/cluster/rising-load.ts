import type { Cluster } from '@playhead/e2e/cluster';
import type { BenchTable } from '../table.ts';
import type { Body } from './bodies.ts';
import { makeBodies } from './bodies.ts';
import { listed, ratio } from './cells.ts';
import type { Lag, LagProbe } from './lag.ts';
import { LOOK_MS } from './lag.ts';
import { openLoop } from './load.ts';
import { ABOUT_MACHINE, FLUSH_AGE_MS, PLAN, SMALL_BYTES } from './plan.ts';
import { startProcessors } from './processors.ts';
import { newSession, openRecorders } from './recorder.ts';
import { targetOf } from './target.ts';

const SESSIONS = 300;
const BODIES = 512;
const DRAIN_S_MAX = 60;

interface Step {
  readonly processors: number;
  readonly load: string;
  readonly offeredPerS: number;
  readonly perS: number;
  readonly atTheEnd: Lag;
  readonly most: Lag;
  readonly refusals: ReadonlyMap<string, number>;
}

/** @param fullPerS uploads a second that one ingest takes in a closed loop */
export async function benchRisingLoad(cluster: Cluster, probe: LagProbe, fullPerS: number): Promise<BenchTable> {
  const steps: Step[] = [];
  const drains: string[] = [];
  for (const processors of [1, 3]) {
    await startProcessors(cluster, probe, processors);
    for (const share of PLAN.steps) steps.push(await step(cluster, probe, processors, share, fullPerS));
    const drained = await probe.drained(DRAIN_S_MAX);
    drains.push(`with ${processors}: ${drained === undefined ? `not in ${DRAIN_S_MAX} s` : `${drained.toFixed(1)} s`}`);
  }
  return {
    about:
      `uploads acknowledged and not yet in a flush that the catalog has, under a load of ${SMALL_BYTES / 1000} KB uploads that rises every ` +
      `${PLAN.stepS} s to what one ingest takes (${fullPerS.toFixed(0)}/s); flushes every ${FLUSH_AGE_MS / 1000} s, so about as much is always ` +
      `behind; ages true to ${LOOK_MS} ms; ${ABOUT_MACHINE}. From the end of the load until nothing was behind: ${drains.join(', ')}`,
    columns: [
      'processors',
      'load',
      'offered/s',
      'acknowledged/s',
      'behind at the end',
      's',
      'most behind',
      's',
      's : 1 processor',
      'refused',
    ],
    rows: steps.map(({ processors, load, offeredPerS, perS, atTheEnd, most, refusals }) => [
      String(processors),
      load,
      offeredPerS.toFixed(0),
      perS.toFixed(0),
      String(atTheEnd.records),
      atTheEnd.seconds.toFixed(1),
      String(most.records),
      most.seconds.toFixed(1),
      ratio(most.seconds, steps.find((other) => other.load === load)?.most.seconds),
      listed(refusals),
    ]),
  };
}

async function step(cluster: Cluster, probe: LagProbe, processors: number, share: number, fullPerS: number): Promise<Step> {
  const { doors, key } = targetOf(cluster);
  const bodies = makeBodies(BODIES, SMALL_BYTES);
  const recorders = openRecorders(doors, key);
  try {
    const sessions = Array.from({ length: SESSIONS }, newSession);
    const send = (n: number): Promise<string> => {
      const session = sessions[n % SESSIONS] as (typeof sessions)[number];
      return recorders.upload(session, bodies[n % BODIES] as Body);
    };
    probe.begin();
    const { acknowledged, seconds, refusals } = await openLoop(send, fullPerS * share, PLAN.stepS);
    const atTheEnd = await probe.now();
    const { most } = probe;
    const load = `${share * 100} %`;
    return { processors, load, offeredPerS: fullPerS * share, perS: acknowledged / seconds, atTheEnd, most, refusals };
  } finally {
    recorders.close();
  }
}
