import { encodeFrames } from '@playhead/schemas';
import type { Batch } from './batch.ts';
import { queryOf } from './batch.ts';
import { gzipNow } from './compress.ts';
import { BEACON_BYTES_MAX, LEAVING_BYTES_MAX, planLeaving } from './core/leaving.ts';
import type { Transport } from './transport.ts';

export interface Farewell {
  readonly kept: readonly Batch[];
  readonly dropped: readonly Batch[];
}

/**
 * Sends as beacons what fits, except what already outlives the page.
 *
 * @param goodbye whether the last of the batches says goodbye
 * @returns what has to be kept, and what fits neither way
 */
export function sendAsBeacons(batches: readonly Batch[], goodbye: boolean, transport: Transport, nowMs: number): Farewell {
  const waiting = batches.filter((batch) => !batch.survives);
  const reached = waiting.slice(0, compressForLeaving(waiting));
  const underWay = batches.reduce((sum, batch) => sum + (batch.survives ? (batch.body?.length ?? 0) : 0), 0);
  const plan = planLeaving(
    reached.map((batch) => batch.body?.length ?? 0),
    Math.max(0, BEACON_BYTES_MAX - underWay),
  );
  const kept: Batch[] = [];
  const last = batches.at(-1);
  for (const index of plan.beacons) {
    const batch = reached[index];
    if (!batch?.body) continue;
    // The browser has the last word: other requests of the page may have used up what it allows.
    const taken = kept.length === 0 && transport.beacon(batch.sessionId, queryOf(batch, goodbye && batch === last, nowMs), batch.body);
    if (taken) batch.survives = true;
    else kept.push(batch);
  }
  for (const index of plan.kept) {
    const batch = reached[index];
    if (batch) kept.push(batch);
  }
  const dropped = [...plan.dropped.flatMap((index) => reached[index] ?? []), ...waiting.slice(reached.length)];
  return { kept, dropped };
}

/** Compresses within the time that a leaving page has; the index behind the last batch that it reached. */
function compressForLeaving(batches: readonly Batch[]): number {
  let bytes = 0;
  for (const [index, batch] of batches.entries()) {
    if (batch.body !== null) continue;
    const raw = encodeFrames(batch.frames ?? []);
    bytes += raw.length;
    if (bytes > LEAVING_BYTES_MAX && index > 0) return index;
    batch.body = gzipNow(raw);
  }
  return batches.length;
}
