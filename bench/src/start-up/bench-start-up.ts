import type { OneProcess } from '@playhead/e2e/deployment';
import { untilUp } from '@playhead/e2e/deployment';
import { SHORT_SESSIONS, storeSessions } from '../cluster/stored.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import { median } from '../table.ts';

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
        await storeSessions(target, count);
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

/** Seconds until it is ready again. */
async function startAgain(process: OneProcess): Promise<number> {
  await process.stop();
  const began = performance.now();
  await process.start();
  await untilUp(`${process.url}/readyz`);
  return (performance.now() - began) / 1000;
}
