import type { Body } from '../cluster/bodies.ts';
import { makeBodies } from '../cluster/bodies.ts';
import { openLoop } from '../cluster/load.ts';
import { openSessions } from '../cluster/opening.ts';
import { cpuSeconds } from '../cluster/proc.ts';
import type { Recorded, Recorders } from '../cluster/recorder.ts';
import { openRecorders } from '../cluster/recorder.ts';
import { lengthenObjects, SHORT_SESSIONS, storeSessions } from '../cluster/stored.ts';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { Goal, GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import { joinBySocket } from '../join/join-by-socket.ts';
import type { Run } from '../run.ts';
import { median } from '../table.ts';

const BODY_BYTES = 5_000;
const BODIES = 256;
/** Open sessions of a process that has others stored. */
const OPEN = 100;

interface Plan {
  readonly opened: readonly [few: number, many: number];
  readonly stored: readonly [few: Stored, many: Stored];
  readonly perS: number;
  readonly seconds: number;
  readonly joins: number;
  readonly rounds: number;
}

interface Stored {
  readonly sessions: number;
  readonly gb: number;
}

const FULL: Plan = {
  opened: [100, 20_000],
  stored: [
    { sessions: 100, gb: 1 },
    { sessions: 10_000, gb: 100 },
  ],
  perS: 200,
  seconds: 12,
  joins: 50,
  rounds: 3,
};

const QUICK: Plan = {
  opened: [10, 100],
  stored: [
    { sessions: 5, gb: 1 },
    { sessions: 20, gb: 4 },
  ],
  perS: 50,
  seconds: 0.5,
  joins: 2,
  rounds: 1,
};

/** CPU-seconds of the whole process. */
interface Costs {
  readonly perUpload: number[];
  readonly perJoin: number[];
}

/** A process with sessions in it. */
interface Side {
  readonly what: string;
  readonly target: Target;
  readonly recorders: Recorders;
  /** That are open, and go on. */
  readonly recorded: readonly Recorded[];
  readonly joined: readonly Recorded[];
  readonly costs: Costs;
}

/**
 * What an upload and a join cost a process in which many sessions are open, or much is stored, beside one with little: CPU of everything in it, at
 * the same rate of uploads, in turn over all sessions. Each stands by while the other is measured. What is stored are sessions of one upload, whose
 * objects are lengthened by holes.
 */
export async function benchGrowth({ quick, progress }: Run): Promise<GoalTable> {
  const plan = quick ? QUICK : FULL;
  const besides = async (few: Side, many: Side): Promise<readonly Goal[]> => {
    for (let round = 0; round < plan.rounds; round++) {
      for (const side of [few, many]) {
        progress(`${side.what}, round ${round + 1} of ${plan.rounds}`);
        await measure(side, plan);
      }
    }
    return [
      goalOf(`an upload with ${many.what} (against ${few.what})`, many.costs.perUpload, few.costs.perUpload),
      goalOf(`a join with ${many.what} (against ${few.what})`, many.costs.perJoin, few.costs.perJoin),
    ];
  };
  const goals = [
    ...(await withOpen(plan.opened[0], progress, (few) => withOpen(plan.opened[1], progress, (many) => besides(few, many)))),
    ...(await withStored(plan.stored[0], progress, (few) => withStored(plan.stored[1], progress, (many) => besides(few, many)))),
  ];
  return goalTable(
    `CPU of one process on LMDB; ${plan.perS} uploads/s of ${BODY_BYTES / 1000} KB for ${plan.seconds} s, then ${plan.joins} joins; median of ${plan.rounds}`,
    goals,
  );
}

/** A process of its own in which so many sessions are open. */
function withOpen<T>(count: number, progress: Run['progress'], use: (side: Side) => Promise<T>): Promise<T> {
  return withOneProcess(async (target) => {
    progress(`${count} sessions are opened`);
    const sessions = await openSessions(target, count);
    return withRecorders({ what: `${count} sessions open`, target, recorded: sessions, joined: sessions }, use);
  });
}

/** A process of its own that has so much stored. */
function withStored<T>({ sessions, gb }: Stored, progress: Run['progress'], use: (side: Side) => Promise<T>): Promise<T> {
  return withOneProcess(async (target, process) => {
    progress(`${sessions} sessions are stored`);
    const joined = await storeSessions(target, sessions);
    await lengthenObjects(process, gb * 1e9);
    const recorded = await openSessions(target, OPEN);
    return withRecorders({ what: `${gb} GB in ${sessions} sessions stored`, target, recorded, joined }, use);
  }, SHORT_SESSIONS);
}

async function withRecorders<T>(side: Omit<Side, 'recorders' | 'costs'>, use: (side: Side) => Promise<T>): Promise<T> {
  const recorders = openRecorders(side.target.doors, side.target.key);
  try {
    return await use({ ...side, recorders, costs: { perUpload: [], perJoin: [] } });
  } finally {
    recorders.close();
  }
}

async function measure({ target, recorders, recorded, joined, costs }: Side, { perS, seconds, joins }: Plan): Promise<void> {
  const cpu = (): number => cpuSeconds(target.pids[0] ?? 0);
  const bodies = makeBodies(BODIES, BODY_BYTES);
  const nth = (sessions: readonly Recorded[], n: number): Recorded => sessions[n % sessions.length] as Recorded;
  const first = Math.floor(Math.random() * recorded.length);
  const before = cpu();
  const { acknowledged } = await openLoop((n) => recorders.upload(nth(recorded, first + n), bodies[n % BODIES] as Body), perS, seconds);
  costs.perUpload.push((cpu() - before) / acknowledged);
  const firstJoined = Math.floor(Math.random() * joined.length);
  const beforeJoins = cpu();
  for (let n = 0; n < joins; n++) await joinBySocket(target, nth(joined, firstJoined + n).sessionId);
  costs.perJoin.push((cpu() - beforeJoins) / joins);
}

function goalOf(what: string, many: readonly number[], few: readonly number[]): Goal {
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(2)} ms`;
  return { what, measured: ms(median(many)), baseline: ms(median(few)), ratio: median(many) / median(few), bound: { atMost: 1.2 } };
}
