import { setTimeout as sleep } from 'node:timers/promises';
import type { OneProcess } from '@playhead/e2e/deployment';
import { untilUp } from '@playhead/e2e/deployment';
import { openSessions } from '../cluster/opening.ts';
import type { Recorded } from '../cluster/recorder.ts';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import { median } from '../table.ts';

/** Sessions are over, and in blocks, soon after their only upload. */
const SHORT_SESSIONS: readonly string[] = ['--session-silence-ms', '1000', '--flush-age-ms', '1000'];
const OVER_MS_MAX = 300_000;
const LOOK_MS = 200;
/** Of the sessions that are stored. */
const LOOKED_AT = 100;

/**
 * How long one process takes from its launch until it is ready, with sessions stored that are over, beside one that has none; after a
 * stop as by Ctrl-C, in turns.
 */
export async function benchStartUp({ quick, progress }: Run): Promise<GoalTable> {
  const [count, rounds] = quick ? [20, 1] : [10_000, 5];
  return withOneProcess(
    (_, none) =>
      withOneProcess(async (target, some) => {
        progress(`${count} sessions are stored`);
        await untilOver(target, await openSessions(target, count));
        const seconds: { some: number[]; none: number[] } = { some: [], none: [] };
        for (let round = 0; round < rounds; round++) {
          progress(`round ${round + 1} of ${rounds}`);
          seconds.none.push(await startAgain(none));
          seconds.some.push(await startAgain(some));
        }
        const [measured, baseline] = [median(seconds.some), median(seconds.none)];
        const goal = {
          what: `start-up with ${count} sessions stored (against none)`,
          measured: `${measured.toFixed(2)} s`,
          baseline: `${baseline.toFixed(2)} s`,
          ratio: measured / baseline,
          bound: { atMost: 2 },
        };
        return goalTable(`one process on LMDB, from its launch until /readyz says yes; median of ${rounds}`, [goal]);
      }, SHORT_SESSIONS),
    SHORT_SESSIONS,
  );
}

/** Looks at some of the sessions, from the first to the last. @throws {Error} when one is not over after five minutes */
async function untilOver({ gateway, token }: Target, sessions: readonly Recorded[]): Promise<void> {
  const late = performance.now() + OVER_MS_MAX;
  const isOver = async ({ sessionId }: Recorded): Promise<boolean> => {
    const answer = await fetch(`${gateway}/v1/sessions/${sessionId}`, { headers: { authorization: `Bearer ${token}` } });
    const { live } = (await answer.json()) as { readonly live?: boolean };
    return answer.ok && live === false;
  };
  for (let at = 0; at < sessions.length; at += Math.ceil(sessions.length / LOOKED_AT)) {
    while (!(await isOver(sessions[at] as Recorded))) {
      if (performance.now() > late) throw new Error('sessions do not end');
      await sleep(LOOK_MS);
    }
  }
}

/** Seconds until it is ready again. */
async function startAgain(process: OneProcess): Promise<number> {
  await process.stop();
  const began = performance.now();
  await process.start();
  await untilUp(`${process.url}/readyz`);
  return (performance.now() - began) / 1000;
}
