import type { Body } from '../cluster/bodies.ts';
import { makeBodies } from '../cluster/bodies.ts';
import { openLoop } from '../cluster/load.ts';
import { openSessions } from '../cluster/opening.ts';
import { cpuSeconds } from '../cluster/proc.ts';
import type { Recorded, Recorders } from '../cluster/recorder.ts';
import { openRecorders } from '../cluster/recorder.ts';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { Goal, GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import { joinBySocket } from '../join/join-by-socket.ts';
import type { Run } from '../run.ts';
import { median } from '../table.ts';

const BODY_BYTES = 5_000;
const BODIES = 256;

interface Plan {
  readonly sessions: readonly [few: number, many: number];
  readonly perS: number;
  readonly seconds: number;
  readonly joins: number;
  readonly rounds: number;
}

/** CPU-seconds of the whole process. */
interface Costs {
  readonly perUpload: number[];
  readonly perJoin: number[];
}

/** A process with open sessions in it. */
interface Side {
  readonly target: Target;
  readonly recorders: Recorders;
  readonly sessions: readonly Recorded[];
  readonly costs: Costs;
}

/**
 * What an upload and a join cost a process in which many sessions are open, beside one with few: CPU of everything in it, at the same rate of
 * uploads, in turn over all sessions. Each stands by while the other is measured.
 */
export async function benchGrowth({ quick, progress }: Run): Promise<GoalTable> {
  const plan: Plan = quick
    ? { sessions: [10, 100], perS: 50, seconds: 0.5, joins: 2, rounds: 1 }
    : { sessions: [100, 20_000], perS: 200, seconds: 12, joins: 50, rounds: 3 };
  return withSessions(plan.sessions[0], progress, (few) =>
    withSessions(plan.sessions[1], progress, async (many) => {
      for (let round = 0; round < plan.rounds; round++) {
        for (const side of [few, many]) {
          progress(`${side.sessions.length} sessions, round ${round + 1} of ${plan.rounds}`);
          await measure(side, plan);
        }
      }
      const goals = [
        goalOf(`an upload with ${plan.sessions[1]} sessions (against ${plan.sessions[0]})`, many.costs.perUpload, few.costs.perUpload),
        goalOf(`a join with ${plan.sessions[1]} sessions (against ${plan.sessions[0]})`, many.costs.perJoin, few.costs.perJoin),
      ];
      return goalTable(
        `CPU of one process on LMDB; ${plan.perS} uploads/s of ${BODY_BYTES / 1000} KB for ${plan.seconds} s, then ${plan.joins} joins; median of ${plan.rounds}`,
        goals,
      );
    }),
  );
}

/** A process of its own in which so many sessions are open. */
async function withSessions<T>(count: number, progress: Run['progress'], use: (side: Side) => Promise<T>): Promise<T> {
  return withOneProcess(async (target) => {
    progress(`${count} sessions are opened`);
    const recorders = openRecorders(target.doors, target.key);
    try {
      return await use({ target, recorders, sessions: await openSessions(target, count), costs: { perUpload: [], perJoin: [] } });
    } finally {
      recorders.close();
    }
  });
}

async function measure({ target, recorders, sessions, costs }: Side, { perS, seconds, joins }: Plan): Promise<void> {
  const cpu = (): number => cpuSeconds(target.pids[0] ?? 0);
  const bodies = makeBodies(BODIES, BODY_BYTES);
  const first = Math.floor(Math.random() * sessions.length);
  const sessionOf = (n: number): Recorded => sessions[(first + n) % sessions.length] as Recorded;
  const before = cpu();
  const { acknowledged } = await openLoop((n) => recorders.upload(sessionOf(n), bodies[n % BODIES] as Body), perS, seconds);
  costs.perUpload.push((cpu() - before) / acknowledged);
  const beforeJoins = cpu();
  for (let n = 0; n < joins; n++) await joinBySocket(target, sessionOf(n).sessionId);
  costs.perJoin.push((cpu() - beforeJoins) / joins);
}

function goalOf(what: string, many: readonly number[], few: readonly number[]): Goal {
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(2)} ms`;
  return { what, measured: ms(median(many)), baseline: ms(median(few)), ratio: median(many) / median(few), bound: { atMost: 1.2 } };
}
