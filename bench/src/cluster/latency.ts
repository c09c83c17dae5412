import type { BenchTable } from '../table.ts';
import { quantile } from '../table.ts';
import type { Body } from './bodies.ts';
import { makeBodies } from './bodies.ts';
import { listed, ratio } from './cells.ts';
import { Freshness } from './freshness.ts';
import { openLoop } from './load.ts';
import { ABOUT_MACHINE, PLAN, SMALL_BYTES } from './plan.ts';
import { openRecorders } from './recorder.ts';
import type { Target } from './target.ts';

const WATCHED = 20;
const BODIES = 512;
const WARM_S = 2;

/** How fresh a live view was under one load. */
export interface Latency {
  readonly name: string;
  readonly load: string;
  /** Order of the loads in the table. */
  readonly step: number;
  readonly perS: number;
  /** Ascending. */
  readonly ms: readonly number[];
  readonly missing: number;
  readonly refusals: ReadonlyMap<string, number>;
}

/** Each session uploads once a second; the first twenty have a viewer. */
export async function measureLatency(target: Target, load: string, perS: number): Promise<Omit<Latency, 'step'>> {
  const bodies = makeBodies(BODIES, SMALL_BYTES);
  const recorders = openRecorders(target.doors, target.key);
  const freshness = new Freshness();
  try {
    const sessions = await Promise.all(Array.from({ length: Math.max(WATCHED, Math.round(perS)) }, () => recorders.start()));
    for (const { sessionId } of sessions.slice(0, WATCHED)) await freshness.watch(target.gateway, target.token, sessionId);
    const send = async (n: number): Promise<string> => {
      const session = sessions[n % sessions.length] as (typeof sessions)[number];
      const body = bodies[n % BODIES] as Body;
      const isWatched = n % sessions.length < WATCHED;
      if (isWatched) freshness.sent(session.sessionId, body.lastPicture);
      const refusal = await recorders.upload(session, body);
      if (isWatched && refusal !== '') freshness.refused(session.sessionId, body.lastPicture);
      return refusal;
    };
    await openLoop(send, sessions.length, WARM_S);
    await freshness.taken();
    const { acknowledged, seconds, refusals } = await openLoop(send, sessions.length, PLAN.watchS);
    return { name: target.name, load, perS: acknowledged / seconds, refusals, ...(await freshness.taken()) };
  } finally {
    freshness.close();
    recorders.close();
  }
}

/** The first of a load is its baseline. */
export function latencyTable(all: readonly Latency[]): BenchTable {
  return {
    about:
      `from the beginning of an upload's request to its last picture in the hands of a viewer: ${WATCHED} watched sessions, each with an upload of ` +
      `${SMALL_BYTES / 1000} KB a second, the others unwatched; recorders and viewers in one process; ${ABOUT_MACHINE}`,
    columns: [
      'load',
      'where',
      'uploads/s',
      'median, ms',
      ': one process',
      'p90, ms',
      'p99, ms',
      'most, ms',
      'seen',
      'never came',
      'refused',
    ],
    rows: all.map(({ name, load, perS, ms, missing, refusals }) => {
      const baseline = all.find((other) => other.load === load)?.ms ?? [];
      const at = (share: number): string => quantile(ms, share).toFixed(1);
      return [
        load,
        name,
        perS.toFixed(0),
        at(0.5),
        ratio(quantile(ms, 0.5), quantile(baseline, 0.5)),
        at(0.9),
        at(0.99),
        at(1),
        String(ms.length),
        String(missing),
        listed(refusals),
      ];
    }),
  };
}
