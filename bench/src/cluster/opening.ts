import type { Body } from './bodies.ts';
import { makeBodies } from './bodies.ts';
import { closedLoop } from './load.ts';
import { IN_FLIGHT } from './plan.ts';
import type { Recorded } from './recorder.ts';
import { newSession, openRecorders } from './recorder.ts';
import type { Target } from './target.ts';

/** What opens a session: three tiny pictures. */
export const OPENING_BYTES = 1_000;
const BODIES = 256;
const SECONDS_MAX = 600;

/** Opens so many sessions with an upload each. @throws {Error} when one is refused, or it takes ten minutes */
export async function openSessions({ doors, key }: Target, count: number): Promise<readonly Recorded[]> {
  const bodies = makeBodies(Math.min(count, BODIES), OPENING_BYTES);
  const sessions = Array.from({ length: count }, () => newSession());
  const recorders = openRecorders(doors, key);
  try {
    const send = (n: number): Promise<string> => recorders.upload(sessions[n] as Recorded, bodies[n % bodies.length] as Body);
    const { acknowledged } = await closedLoop(send, IN_FLIGHT, SECONDS_MAX, count);
    if (acknowledged < count) throw new Error(`${acknowledged} of ${count} sessions could be opened in ${SECONDS_MAX} s`);
    return sessions;
  } finally {
    recorders.close();
  }
}
