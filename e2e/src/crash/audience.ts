import { setTimeout as sleep } from 'node:timers/promises';
import type { PositionedFrame } from '@playhead/schemas';
import { formatPosition } from '@playhead/schemas';
import type { ViewerClient } from '../viewer-client.ts';
import { joinSession } from '../viewer-client.ts';
import type { From } from './core/compare.ts';
import type { Random } from './core/random.ts';
import { between, oneOf, randomOf } from './core/random.ts';
import type { Tally } from './tally.ts';

/** A viewer, and where it began. */
export interface Spectator {
  readonly name: string;
  readonly from: From;
  readonly viewer: ViewerClient;
}

export interface AudienceOptions {
  readonly url: string;
  readonly token: string;
  readonly sessionId: string;
  readonly seeds: readonly number[];
  readonly tally: Tally;
}

/** Those who watch one session: one from its start on, and guests who come at random moments and begin anywhere. All lose their connection now and then. */
export interface Audience {
  readonly spectators: readonly Spectator[];
  /** Lets nobody in any more, and nobody loses a connection any more. */
  settle(): Promise<void>;
  leave(): void;
}

const GUESTS = 2;
const GUEST_COMES_MS_MAX = 25_000;
const DROP_MS_MAX = 20_000;
/** A door that lets nobody in for so long is a failure of its own. */
const JOIN_MS_MAX = 180_000;

export async function openAudience(options: AudienceOptions): Promise<Audience> {
  const { seeds, tally } = options;
  const spectators: Spectator[] = [];
  const settling = new AbortController();
  const join = async (name: string, from: From): Promise<Spectator> => {
    const viewer = await joinWhenOpen(options, from);
    const spectator = { name, from, viewer };
    spectators.push(spectator);
    tally.viewers++;
    return spectator;
  };
  const drops = async ({ viewer }: Spectator, random: Random): Promise<void> => {
    while (await slept(between(random, 0, DROP_MS_MAX), settling.signal)) viewer.drop();
  };
  const first = await join('who watched from the start', 'start');
  const guest = async (_: unknown, number: number): Promise<void> => {
    const random = randomOf(...seeds, number + 1);
    if (!(await slept(between(random, 0, GUEST_COMES_MS_MAX), settling.signal))) return;
    const from = fromOf(random, first.viewer.frames);
    await drops(await join(`who joined from ${typeof from === 'string' ? from : formatPosition(from)}`, from), random);
  };
  const going = Promise.all([drops(first, randomOf(...seeds, 0)), ...Array.from({ length: GUESTS }, guest)]);
  going.catch(() => undefined);
  return {
    spectators,
    async settle() {
      settling.abort();
      await going;
    },
    leave() {
      settling.abort();
      for (const { viewer } of spectators) {
        tally.rejoins += viewer.rejoins;
        viewer.close();
      }
    },
  };
}

/** Joins as somebody who tries again while nobody answers. */
export async function joinWhenOpen(
  { url, token, sessionId }: Pick<AudienceOptions, 'url' | 'token' | 'sessionId'>,
  from: From,
): Promise<ViewerClient> {
  const deadline = Date.now() + JOIN_MS_MAX;
  for (;;) {
    try {
      return await joinSession(url, token, sessionId, typeof from === 'string' ? from : formatPosition(from), { rejoins: true });
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

function fromOf(random: Random, frames: readonly PositionedFrame[]): From {
  const choice = oneOf(random, ['start', 'keyframe', 'position', 'position'] as const);
  return choice === 'position' && frames.length > 0 ? oneOf(random, frames).position : choice === 'keyframe' ? 'keyframe' : 'start';
}

/** False when it was cut short. */
async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}
