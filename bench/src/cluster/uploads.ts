import type { BenchTable } from '../table.ts';
import type { Body } from './bodies.ts';
import { makeBodies } from './bodies.ts';
import { listed, ratio } from './cells.ts';
import type { Tally } from './load.ts';
import { closedLoop } from './load.ts';
import { ABOUT_MACHINE, FLUSH_AGE_MS, IN_FLIGHT, LARGE_BYTES, PARTITIONS, PLAN, SMALL_BYTES } from './plan.ts';
import { cpuSeconds } from './proc.ts';
import { newSession, openRecorders } from './recorder.ts';
import type { Target } from './target.ts';

const SESSIONS = 300;

/** What a target took in a closed loop of bodies of one size. */
export interface Uploads {
  readonly name: string;
  readonly bodyBytes: number;
  readonly perS: number;
  /** CPU-seconds that 1,000 uploads cost the processes that take them. */
  readonly cpuS: number;
  readonly refusals: ReadonlyMap<string, number>;
}

const BODIES: ReadonlyMap<number, number> = new Map([
  [SMALL_BYTES, 512],
  [LARGE_BYTES, 96],
]);

export async function measureUploads(target: Target, bodyBytes: number, loopS = PLAN.loopS): Promise<Uploads> {
  const bodies = makeBodies(BODIES.get(bodyBytes) ?? 1, bodyBytes);
  const recorders = openRecorders(target.doors, target.key);
  try {
    const sessions = Array.from({ length: SESSIONS }, newSession);
    const send = (n: number): Promise<string> => {
      const session = sessions[n % SESSIONS] as (typeof sessions)[number];
      return recorders.upload(session, bodies[n % bodies.length] as Body);
    };
    await closedLoop(send, IN_FLIGHT, PLAN.warmS);
    const cpu = cpuOf(target);
    const { acknowledged, seconds, refusals }: Tally = await closedLoop(send, IN_FLIGHT, loopS);
    const cpuS = ((cpuOf(target) - cpu) / acknowledged) * 1000;
    return { name: target.name, bodyBytes, perS: acknowledged / seconds, cpuS, refusals };
  } finally {
    recorders.close();
  }
}

function cpuOf({ pids }: Target): number {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

/** The first of a size is its baseline. */
export function uploadsTable(all: readonly Uploads[]): BenchTable {
  return {
    about:
      `uploads acknowledged: ${IN_FLIGHT} in flight for ${PLAN.loopS} s, ${SESSIONS} sessions over ${PARTITIONS} partitions, flushes every ` +
      `${FLUSH_AGE_MS / 1000} s, one processor; CPU of the processes that take uploads (of the one process: of everything in it); ${ABOUT_MACHINE}`,
    columns: ['body', 'where', 'uploads/s', 'MB/s', ': one process', 'CPU-s/1,000', 'refused'],
    rows: all.map(({ name, bodyBytes, perS, cpuS, refusals }) => [
      `${bodyBytes / 1000} KB`,
      name,
      perS.toFixed(0),
      ((perS * bodyBytes) / 1e6).toFixed(1),
      ratio(perS, all.find((other) => other.bodyBytes === bodyBytes)?.perS),
      cpuS.toFixed(2),
      listed(refusals),
    ]),
  };
}
