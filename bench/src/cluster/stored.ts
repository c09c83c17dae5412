import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OneProcess } from '@playhead/e2e/deployment';
import { openSessions } from './opening.ts';
import type { Recorded } from './recorder.ts';
import type { Target } from './target.ts';

/** What a process is told so that sessions are over, and in blocks, soon after their last upload. */
export const SHORT_SESSIONS: readonly string[] = ['--session-silence-ms', '1000', '--flush-age-ms', '1000'];

const OVER_MS_MAX = 300_000;
const LOOK_MS = 200;
/** Of the sessions that are stored. */
const LOOKED_AT = 100;

/** Sessions with an upload each that are over and in blocks; of a process that was told {@link SHORT_SESSIONS}. @throws {Error} when one is not over after five minutes */
export async function storeSessions(target: Target, count: number): Promise<readonly Recorded[]> {
  const sessions = await openSessions(target, count);
  const late = performance.now() + OVER_MS_MAX;
  // Some of them, from the first to the last.
  for (let at = 0; at < sessions.length; at += Math.ceil(sessions.length / LOOKED_AT)) {
    while (!(await isOver(target, sessions[at] as Recorded))) {
      if (performance.now() > late) throw new Error('sessions do not end');
      await sleep(LOOK_MS);
    }
  }
  return sessions;
}

async function isOver({ gateway, token }: Target, { sessionId }: Recorded): Promise<boolean> {
  const answer = await fetch(`${gateway}/v1/sessions/${sessionId}`, { headers: { authorization: `Bearer ${token}` } });
  const { live } = (await answer.json()) as { readonly live?: boolean };
  return answer.ok && live === false;
}

/** Lengthens the objects of a process by holes until they are of so many bytes together: the disk does not pay for them. */
export async function lengthenObjects({ data }: OneProcess, bytes: number): Promise<void> {
  const found = await readdir(join(data, 'blocks', 'objects'), { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  for (const { parentPath, name } of files) await truncate(join(parentPath, name), Math.ceil(bytes / files.length));
}
