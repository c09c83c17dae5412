import { setTimeout as sleep } from 'node:timers/promises';
import type { Upload } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { openRecorders } from '../cluster/recorder.ts';
import type { Target } from '../cluster/target.ts';
import type { Kind } from '../cost/figures.ts';
import { batchesOf, drawnScreens, longVisit, ourUpload, PICTURES_IN_BUNDLE, pictureUpload, recordedEvents } from '../workload.ts';

/** The shortest that can be set. */
const FLUSH_AGE_MS = 100;
/** What a server is told so that a long session can be recorded in a short time. */
export const FAST_FLUSHES: readonly string[] = ['--flush-age-ms', String(FLUSH_AGE_MS)];
/** As many uploads come between two flushes as with flushes of the default age. */
const UPLOADS_IN_FLUSH: Readonly<Record<Kind, number>> = {
  pages: LIMITS.flushAgeMs / LIMITS.recorderFlushMs,
  pictures: Math.floor(LIMITS.flushAgeMs / 1000 / PICTURES_IN_BUNDLE),
};

/** Records a session that has lasted for so long and goes on, in about as many blocks as if that time had passed. Answers its id. */
export async function recordLongSession(target: Target, kind: Kind, durationMs: number): Promise<string> {
  const recorders = openRecorders(target.doors, target.key);
  try {
    const session = await recorders.start(kind === 'pages' ? 'web' : 'phone', Date.now() - durationMs);
    const uploads = await uploadsOf(kind, session.epochMs, durationMs);
    for (const [at, { body, format }] of uploads.entries()) {
      if (at % UPLOADS_IN_FLUSH[kind] === 0) await sleep(FLUSH_AGE_MS);
      const refusal = await recorders.upload(session, { bytes: new Uint8Array(body) }, format);
      if (refusal !== '') throw new Error(`refused: ${refusal}`);
    }
    return session.sessionId;
  } finally {
    recorders.close();
  }
}

async function uploadsOf(kind: Kind, beganMs: number, durationMs: number): Promise<readonly Upload[]> {
  if (kind === 'pages') return batchesOf(longVisit(recordedEvents(), beganMs, durationMs)).map((batch, at) => ourUpload('', at, batch));
  const screens = await drawnScreens();
  return Array.from({ length: durationMs / 1000 / PICTURES_IN_BUNDLE }, (_, at) => pictureUpload(screens, '', at));
}
