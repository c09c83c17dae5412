import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { Kind } from '../cost/figures.ts';
import { KINDS } from '../cost/figures.ts';
import type { Goal, GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import { quantile } from '../table.ts';
import { joinBySocket } from './join-by-socket.ts';
import { FAST_FLUSHES, recordLongSession } from './long-session.ts';
import { joinByClick } from './viewer-page.ts';

const HOUR_MS = 3_600_000;
const LATE_MS = 300;

/** How often each session is joined: first for the compilers of browser and server, then for the table. */
interface Joins {
  readonly warm: number;
  readonly measured: number;
}

interface Session {
  readonly kind: Kind;
  readonly sessionId: string;
}

/**
 * How long it takes from a click on a live session of an hour until its first picture is drawn: in a browser, and, to tell how much of that is
 * the server's, from the begin of a connection to the first keyframe on it. One process on LMDB; browser and server share the machine.
 */
export async function benchJoin({ quick, progress }: Run): Promise<GoalTable> {
  const durationMs = quick ? HOUR_MS / 120 : HOUR_MS;
  const joins: Joins = quick ? { warm: 0, measured: 1 } : { warm: 2, measured: 25 };
  return withOneProcess(async (target) => {
    progress('sessions are recorded');
    const sessions = await Promise.all(
      KINDS.map(async (kind): Promise<Session> => ({ kind, sessionId: await recordLongSession(target, kind, durationMs) })),
    );
    const goals: Goal[] = [];
    for (const { kind, sessionId } of sessions) {
      progress(`sockets, ${kind}`);
      const ms = await repeated(joins, () => timedJoin(target, sessionId));
      goals.push(...goalsOf(`connection to first keyframe, ${kind}`, ms));
    }
    if (chromiumPath === undefined) progress(`clicks are left out: ${NO_CHROMIUM}`);
    else goals.push(...(await clicks(target, sessions, joins, progress)));
    const blocks = await Promise.all(
      sessions.map(async ({ kind, sessionId }) => `${kind} in ${await blockCount(target, sessionId)} blocks`),
    );
    return goalTable(
      `${joins.measured} joins of live sessions of ${durationMs / 60_000} min, ${blocks.join(', ')}; one process on LMDB`,
      goals,
    );
  }, FAST_FLUSHES);
}

async function clicks(target: Target, sessions: readonly Session[], joins: Joins, progress: Run['progress']): Promise<readonly Goal[]> {
  const goals: Goal[] = [];
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(`${target.gateway}/?token=${target.token}`);
    for (const { kind, sessionId } of sessions) {
      progress(`clicks, ${kind}`);
      const ms = await repeated(joins, () => joinByClick(page, sessionId));
      goals.push(...goalsOf(`click to first picture, ${kind}`, ms, { atMost: 1 }));
    }
  } finally {
    await browser.close();
  }
  return goals;
}

/** Milliseconds, ascending. */
async function repeated({ warm, measured }: Joins, run: () => Promise<number>): Promise<readonly number[]> {
  const ms: number[] = [];
  for (let time = -warm; time < measured; time++) {
    const tookMs = await run();
    if (time >= 0) ms.push(tookMs);
  }
  return ms.toSorted((a, b) => a - b);
}

async function timedJoin(target: Target, sessionId: string): Promise<number> {
  const began = performance.now();
  await joinBySocket(target, sessionId);
  return performance.now() - began;
}

async function blockCount({ gateway, token }: Target, sessionId: string): Promise<number> {
  const answer = await fetch(`${gateway}/v1/sessions/${sessionId}/blocks`, { headers: { authorization: `Bearer ${token}` } });
  const { blocks } = (await answer.json()) as { readonly blocks: readonly unknown[] };
  return blocks.length;
}

function goalsOf(what: string, ms: readonly number[], bound?: Goal['bound']): readonly Goal[] {
  return ([0.5, 0.95] as const).map((share) => ({
    what: `p${share * 100}, ${what} (against ${LATE_MS} ms)`,
    measured: `${quantile(ms, share).toFixed(0)} ms`,
    baseline: `${LATE_MS} ms`,
    ratio: quantile(ms, share) / LATE_MS,
    bound: share === 0.95 ? bound : undefined,
  }));
}
