import { setTimeout as sleep } from 'node:timers/promises';
import { sessionIn } from '../session-in.ts';
import type { Audience } from './audience.ts';
import { openAudience } from './audience.ts';
import type { Cycle } from './core/cycles.ts';
import { cyclesOf } from './core/cycles.ts';
import { between, randomOf } from './core/random.ts';
import type { Recorder } from './recorder.ts';
import { startRecorder } from './recorder.ts';
import type { Tally } from './tally.ts';
import { count, newTally } from './tally.ts';
import type { CrashTarget } from './target.ts';
import { PARTITIONS } from './target.ts';
import type { Finding, Verified } from './verify.ts';
import { verifySession, verifyStores } from './verify.ts';

export interface CrashOptions {
  readonly cycles: number;
  readonly seed: number;
  /** How long a reader may get nothing new, ms. */
  readonly patienceMs: number;
  /** Hears of each step, for people. */
  readonly say?: (line: string) => void;
}

export interface CrashResult {
  readonly tally: Tally;
  /** What must not be. Empty: nothing was lost, nothing doubled. */
  readonly findings: readonly Finding[];
  readonly seconds: number;
  /** What the processes wrote. */
  readonly log: string;
}

/** Sessions live for so many cycles, are compared and forgotten: memory does not grow with cycles. */
const ROUND_CYCLES = 10;
/** Of each round: one in every partition. */
const SESSIONS = PARTITIONS;
const INTERVAL_MS = 400;
/** Uploads of each session that show that the load goes on, before the first kill and after the last. */
const GOES_ON = 3;

/** A session and those who watch it. */
interface Show {
  readonly recorder: Recorder;
  readonly audience: Audience;
}

/**
 * Kills processes under load, cycle after cycle, and compares everything that was acknowledged with everything that can be replayed. Stops
 * after the round in which something differs, a process has ended by itself, or nothing is acknowledged any more.
 */
export async function runCrashes(target: CrashTarget, options: CrashOptions): Promise<CrashResult> {
  const { cycles, seed, patienceMs, say = () => undefined } = options;
  const beganAt = performance.now();
  const tally = newTally();
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    say(`NOT AS IT MUST BE: session ${finding.sessionId}, ${finding.reader}: ${finding.what}`);
  };
  const plan = cyclesOf(seed, target.on);
  const verified: Verified[] = [];
  let shows: Show[] = [];
  let before: readonly Recorder[] = [];
  try {
    shows = await openShows(target, seed, 0, tally);
    for (let round = 0; tally.cycles < cycles && findings.length === 0; round++) {
      await goesOn(shows);
      const echoes = echoed(before, randomOf(seed, 2, round));
      for (let left = Math.min(ROUND_CYCLES, cycles - tally.cycles); left > 0; left--) {
        await runCycle(target, plan.next().value, tally, say);
        for (const { recorder } of shows) recorder.cycleIsOver();
      }
      await target.untilUp();
      await echoes;
      await goesOn(shows);
      const [over, isLast] = [shows, tally.cycles >= cycles];
      // The load goes on while those of this round are compared.
      shows = isLast ? [] : await openShows(target, seed, round + 1, tally);
      const checking = over.map(async ({ recorder, audience }) => {
        await recorder.finish();
        verified.push(await verifySession({ target, tally, patienceMs, found }, recorder, audience));
        audience.leave();
      });
      await Promise.all(checking).finally(() => leave(over));
      before = over.map(({ recorder }) => recorder);
      say(`${tally.cycles} of ${cycles} cycles: ${tally.acknowledged} uploads acknowledged, ${tally.replayed} frames compared`);
    }
    const stores = await target.openStores();
    try {
      await verifyStores(stores, verified, tally, found);
    } finally {
      await stores.close();
    }
  } catch (error) {
    found({ sessionId: 'none', reader: 'the run itself', what: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  } finally {
    leave(shows);
  }
  return { tally, findings, seconds: (performance.now() - beganAt) / 1000, log: target.log() };
}

async function openShows(target: CrashTarget, seed: number, round: number, tally: Tally): Promise<Show[]> {
  return Promise.all(
    Array.from({ length: SESSIONS }, async (_, number) => {
      const seeds = [seed, 3, round, number];
      const random = randomOf(...seeds, 0);
      const sessionId = sessionIn(number % PARTITIONS, PARTITIONS, () => Uint8Array.from({ length: 10 }, () => between(random, 0, 255)));
      const shape = (number + round) % 2 === 0 ? 'pictures' : 'page';
      const { url, writeKey, token } = target;
      const recorder = await startRecorder({ url, writeKey, sessionId, shape, seeds: [...seeds, 1], intervalMs: INTERVAL_MS, tally });
      return { recorder, audience: await openAudience({ url, token, sessionId, seeds: [...seeds, 2], tally }) };
    }),
  );
}

async function goesOn(shows: readonly Show[]): Promise<void> {
  await Promise.all(shows.map(({ recorder }) => recorder.more(GOES_ON)));
}

function leave(shows: readonly Show[]): void {
  for (const { recorder, audience } of shows) {
    recorder.abort();
    audience.leave();
  }
}

const ECHO_PAUSE_MS_MAX = 4000;

/** Sends an upload of each session of the round before once more, at some moment of this one. */
async function echoed(recorders: readonly Recorder[], random: () => number): Promise<void> {
  for (const recorder of recorders) {
    await sleep(between(random, 0, ECHO_PAUSE_MS_MAX));
    await recorder.echo();
  }
}

async function runCycle(target: CrashTarget, cycle: Cycle, tally: Tally, say: (line: string) => void): Promise<void> {
  const names = cycle.victims.map(({ role, place }) => `${role} ${place}`).join(', ');
  tally.cycles++;
  if (cycle.kind === 'kill' && cycle.whileStarting !== undefined) await sleep(cycle.whileStarting * target.startMs(cycle.victims));
  else await target.untilUp();
  await sleep(cycle.delayMs);
  if (cycle.kind === 'freeze') {
    const [zombie] = cycle.victims;
    say(`cycle ${tally.cycles}: ${names} frozen for ${cycle.frozenMs} ms`);
    tally.freezes++;
    target.freeze(zombie);
    await sleep(cycle.frozenMs).finally(() => target.thaw(zombie));
    return;
  }
  const ups = await Promise.all(cycle.victims.map((victim) => target.kill(victim)));
  for (const [index, { role }] of cycle.victims.entries()) {
    count(tally.kills, role);
    if (!ups[index]) count(tally.killsInStart, role);
  }
  const met = ups.every(Boolean) ? 'up' : 'starting';
  say(`cycle ${tally.cycles}: ${names} killed (${met}), down for ${cycle.downMs} ms`);
  await sleep(cycle.downMs);
  for (const victim of cycle.victims) target.launch(victim);
}
