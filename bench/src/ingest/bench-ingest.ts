import { withScript } from '../bare-script.ts';
import type { Body } from '../cluster/bodies.ts';
import { makeBodies } from '../cluster/bodies.ts';
import type { Send, Tally } from '../cluster/load.ts';
import { closedLoop, openLoop } from '../cluster/load.ts';
import { residentMb } from '../cluster/proc.ts';
import { newSession, openRecorders } from '../cluster/recorder.ts';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { Goal } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import type { BenchTable } from '../table.ts';
import { median, quantile } from '../table.ts';

const CONNECTIONS = 64;
const SESSIONS = 300;
/** Bytes of a body, and how many different ones there are. */
const SIZES = [
  [5_000, 512],
  [64_000, 128],
  [1_000_000, 16],
] as const;
const SHARE = 0.7;
const LATE_MS = 50;

/**
 * Uploads that one process acknowledges durably (everything in it: compaction and catalog, too), beside a bare Fastify route that reads
 * the same bodies and answers 204; 64 requests under way. Server and load share the machine.
 */
export async function benchIngest({ quick, progress }: Run): Promise<BenchTable> {
  const [warmS, loopS, soakS, rounds] = quick ? [0.2, 0.5, 0.5, 1] : [2, 6, 20, 3];
  const goals: Goal[] = [];
  await withOneProcess(async (ours) =>
    withScript('bare Fastify route', new URL('./bare-fastify.ts', import.meta.url), async (bare) => {
      for (const [bytes, count] of quick ? SIZES.slice(0, 2) : SIZES) {
        const bodies = makeBodies(quick ? 8 : count, bytes);
        const name = bytes < 1e6 ? `${bytes / 1000} KB` : `${bytes / 1e6} MB`;
        const perS: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
        for (let round = 0; round < rounds; round++) {
          progress(`uploads of ${name}, round ${round + 1} of ${rounds}`);
          perS.bare.push(await maximum(bare, bodies, warmS, loopS));
          perS.ours.push(await maximum(ours, bodies, warmS, loopS));
        }
        const [most, baseline] = [median(perS.ours), median(perS.bare)];
        goals.push({
          what: `uploads of ${name} acknowledged durably`,
          measured: `${most.toFixed(0)}/s`,
          baseline: `${baseline.toFixed(0)}/s`,
          ratio: most / baseline,
          ...(bytes < 1e6 ? { bound: { atLeast: 0.6 } } : {}),
        });
        progress(`uploads of ${name} at ${SHARE * 100} % for ${soakS} s`);
        const before = residentMb(ours.pids[0] ?? 0);
        const p99 = await latencyMs(ours, bodies, SHARE * most, soakS);
        const after = residentMb(ours.pids[0] ?? 0);
        goals.push({
          what: `p99 at ${SHARE * 100} % of that, ${name} (against ${LATE_MS} ms)`,
          measured: `${p99.toFixed(1)} ms`,
          baseline: `${LATE_MS} ms`,
          ratio: p99 / LATE_MS,
          bound: { atMost: 1 },
        });
        goals.push({
          what: `memory after ${soakS} s of it, ${name} (against before)`,
          measured: `${after.toFixed(0)} MB`,
          baseline: `${before.toFixed(0)} MB`,
          ratio: after / before,
          bound: { atMost: 1.2 },
        });
      }
    }),
  );
  return goalTable(`one process on LMDB; ${CONNECTIONS} connections, ${SESSIONS} sessions, ${loopS} s a round, median of ${rounds}`, goals);
}

/** Uploads a second in a closed loop. */
async function maximum(target: Target, bodies: readonly Body[], warmS: number, loopS: number): Promise<number> {
  return withSend(target, bodies, async (send) => {
    await closedLoop(send, CONNECTIONS, warmS);
    return acknowledgedPerS(await closedLoop(send, CONNECTIONS, loopS));
  });
}

async function latencyMs(target: Target, bodies: readonly Body[], perS: number, seconds: number): Promise<number> {
  const tookMs: number[] = [];
  await withSend(target, bodies, async (send) => {
    const timed: Send = async (n) => {
      const began = performance.now();
      const refusal = await send(n);
      tookMs.push(performance.now() - began);
      return refusal;
    };
    acknowledgedPerS(await openLoop(timed, perS, seconds));
  });
  return quantile(
    tookMs.toSorted((a, b) => a - b),
    0.99,
  );
}

/** @throws {Error} when anything was refused: then the figure means nothing */
function acknowledgedPerS({ acknowledged, seconds, refusals }: Tally): number {
  if (refusals.size > 0) throw new Error(`refused: ${[...refusals].map(([what, times]) => `${times} × ${what}`).join(', ')}`);
  return acknowledged / seconds;
}

async function withSend<T>({ doors, key }: Target, bodies: readonly Body[], use: (send: Send) => Promise<T>): Promise<T> {
  const recorders = openRecorders(doors, key);
  const sessions = Array.from({ length: SESSIONS }, newSession);
  try {
    return await use((n) => recorders.upload(sessions[n % SESSIONS] as (typeof sessions)[number], bodies[n % bodies.length] as Body));
  } finally {
    recorders.close();
  }
}
