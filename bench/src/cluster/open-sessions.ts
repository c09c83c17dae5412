import type { Cluster } from '@playhead/e2e/cluster';
import type { BenchTable } from '../table.ts';
import { quantile } from '../table.ts';
import type { Body } from './bodies.ts';
import { makeBodies } from './bodies.ts';
import { listed, ratio } from './cells.ts';
import { Freshness } from './freshness.ts';
import type { Lag, LagProbe } from './lag.ts';
import { closedLoop, openLoop } from './load.ts';
import { OPENING_BYTES } from './opening.ts';
import { ABOUT_MACHINE, FLUSH_AGE_MS, IN_FLIGHT, PLAN, SMALL_BYTES } from './plan.ts';
import { residentMb } from './proc.ts';
import { startProcessors } from './processors.ts';
import type { Recorded, Recorders } from './recorder.ts';
import { newSession, openRecorders } from './recorder.ts';
import type { Target } from './target.ts';
import { pidsOf, running, startAnew, targetOf } from './target.ts';

/** Of what one ingest takes. */
const SHARE = 0.25;
const BODIES = 512;
/** One upload of so many is of the session that is watched. */
const WATCHED_EVERY = 16;
const LISTS = 5;

interface Row {
  readonly sessions: number;
  readonly processors: number;
  /** From their start until they are at work on every partition. */
  readonly startS: number;
  readonly perS: number;
  readonly ms: readonly number[];
  readonly most: Lag;
  readonly memoryMb: Readonly<Record<'processors' | 'live-gateway' | 'ingest', number>>;
  readonly listMs: number;
  readonly troubles: string;
}

/** @param fullPerS uploads a second that one ingest takes in a closed loop */
export async function benchOpenSessions(cluster: Cluster, probe: LagProbe, fullPerS: number): Promise<BenchTable> {
  const perS = Math.max(WATCHED_EVERY, Math.round(fullPerS * SHARE));
  for (const role of ['ingest', 'live-gateway'] as const) await startAnew(cluster, role, 1);
  const target = targetOf(cluster);
  const recorders = openRecorders(target.doors, target.key);
  const sessions: Recorded[] = [];
  const rows: Row[] = [];
  const opening: string[] = [];
  try {
    for (const count of PLAN.openSessions) {
      opening.push(await open(recorders, sessions, count));
      for (const processors of [1, 3]) {
        const startS = await startProcessors(cluster, probe, processors);
        rows.push({ processors, startS, ...(await load(cluster, target, probe, recorders, sessions, perS)) });
      }
    }
  } finally {
    recorders.close();
  }
  const [first] = rows;
  return {
    about:
      `${perS} uploads/s of ${SMALL_BYTES / 1000} KB for ${PLAN.watchS} s, in turn over sessions that are all open; one of them is watched; flushes every ` +
      `${FLUSH_AGE_MS / 1000} s; processors are started anew for each row, ingest and gateway once; memory is resident, of the largest process ` +
      `of a role; ${ABOUT_MACHINE}. Opened with one upload each, ${IN_FLIGHT} in flight: ${opening.join('; ')}`,
    columns: [
      'open sessions',
      'processors',
      'at work after, s',
      'acknowledged/s',
      'live median, ms',
      ': first row',
      'p90, ms',
      'most, ms',
      'most behind',
      's',
      ': first row',
      'processor, MB',
      'gateway, MB',
      'ingest, MB',
      'list of sessions, ms',
      'troubles',
    ],
    rows: rows.map((row) => [
      String(row.sessions),
      String(row.processors),
      row.startS.toFixed(1),
      row.perS.toFixed(0),
      quantile(row.ms, 0.5).toFixed(1),
      ratio(quantile(row.ms, 0.5), quantile(first?.ms ?? [], 0.5)),
      quantile(row.ms, 0.9).toFixed(1),
      quantile(row.ms, 1).toFixed(1),
      String(row.most.records),
      row.most.seconds.toFixed(1),
      ratio(row.most.seconds, first?.most.seconds),
      row.memoryMb.processors.toFixed(0),
      row.memoryMb['live-gateway'].toFixed(0),
      row.memoryMb.ingest.toFixed(0),
      row.listMs.toFixed(0),
      row.troubles,
    ]),
  };
}

/** Opens sessions until there are `count`, or the time for it is over. Answers how that went. */
async function open(recorders: Recorders, sessions: Recorded[], count: number): Promise<string> {
  const bodies = makeBodies(BODIES, OPENING_BYTES);
  const missing = count - sessions.length;
  const send = async (n: number): Promise<string> => {
    const session = newSession();
    const refusal = await recorders.upload(session, bodies[n % BODIES] as Body);
    if (refusal === '') sessions.push(session);
    return refusal;
  };
  const { acknowledged, seconds, refusals } = await closedLoop(send, IN_FLIGHT, PLAN.openS, missing);
  const short = acknowledged < missing ? ` of ${missing}, at most ${PLAN.openS} s are given to it; refused: ${listed(refusals)};` : '';
  return `${acknowledged}${short} in ${seconds.toFixed(0)} s (${(acknowledged / seconds).toFixed(0)}/s)`;
}

async function load(
  cluster: Cluster,
  target: Target,
  probe: LagProbe,
  recorders: Recorders,
  sessions: readonly Recorded[],
  perS: number,
): Promise<Omit<Row, 'processors' | 'startS'>> {
  const bodies = makeBodies(BODIES, SMALL_BYTES);
  const freshness = new Freshness();
  try {
    const watched = await recorders.start();
    await freshness.watch(target.gateway, target.token, watched.sessionId);
    let watchedNext = 0;
    const send = async (n: number): Promise<string> => {
      if (n % WATCHED_EVERY !== 0) return recorders.upload(sessions[n % sessions.length] as Recorded, bodies[n % BODIES] as Body);
      const body = bodies[watchedNext++ % BODIES] as Body;
      freshness.sent(watched.sessionId, body.lastPicture);
      const refusal = await recorders.upload(watched, body);
      if (refusal !== '') freshness.refused(watched.sessionId, body.lastPicture);
      return refusal;
    };
    probe.begin();
    const { acknowledged, seconds, refusals } = await openLoop(send, perS, PLAN.watchS);
    const { ms, missing } = await freshness.taken();
    const listMs = await timeOfList(target);
    return {
      sessions: sessions.length,
      perS: acknowledged / seconds,
      ms,
      most: probe.most,
      memoryMb: {
        processors: memory(cluster, 'processors'),
        'live-gateway': memory(cluster, 'live-gateway'),
        ingest: memory(cluster, 'ingest'),
      },
      listMs,
      troubles:
        [refusals.size > 0 ? `refused ${listed(refusals)}` : '', missing > 0 ? `${missing} never came` : ''].filter(Boolean).join(', ') ||
        'none',
    };
  } finally {
    freshness.close();
  }
}

function memory(cluster: Cluster, role: 'processors' | 'live-gateway' | 'ingest'): number {
  return Math.max(...pidsOf(running(cluster, role)).map(residentMb));
}

/** The newest sessions, as the first page of the web app asks for them: the middle of some times, ms. */
async function timeOfList({ gateway, token }: Target): Promise<number> {
  const ms: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const began = performance.now();
    const answer = await fetch(`${gateway}/v1/sessions`, { headers: { authorization: `Bearer ${token}` } });
    await answer.arrayBuffer();
    if (!answer.ok) return Number.NaN;
    ms.push(performance.now() - began);
  }
  return quantile(
    ms.toSorted((a, b) => a - b),
    0.5,
  );
}
