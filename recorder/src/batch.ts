import type { Frame, GapReason, UploadQuery } from '@playhead/schemas';
import { fromBase64, toBase64 } from './compress.ts';
import { uploadIdOf } from './core/continuity.ts';
import type { KeptUpload } from './core/leaving.ts';
import type { Losses } from './core/losses.ts';

/** An upload with its identity. The identity is fixed when the batch is formed and never changes, however it leaves. */
export interface Batch {
  readonly sessionId: string;
  readonly windowId: string;
  readonly counter: number;
  /** Null: an earlier page formed it, and what is in it is not known here. */
  readonly frames: readonly Frame[] | null;
  readonly formedAtMs: number;
  readonly facts: string;
  body: Uint8Array<ArrayBuffer> | null;
  /** On its way as a beacon or keepalive request: it arrives even if the page dies. */
  survives: boolean;
}

/** What an upload says in its URL, besides the key. */
export function queryOf(batch: Batch, goodbye: boolean, nowMs: number): UploadQuery {
  return {
    window: batch.windowId,
    upload: uploadIdOf(batch.windowId, batch.counter),
    counter: batch.counter,
    format: 'frames',
    codec: 'gzip',
    sentAtMs: nowMs,
    ...(goodbye ? { goodbye: 1 as const } : {}),
    ...(batch.facts === '' ? {} : { facts: batch.facts }),
  };
}

/** What goes with a batch that will never arrive. */
export function loseBatch(batch: Batch, losses: Losses, reason: GapReason): void {
  if (batch.frames !== null) losses.drop(batch.frames, reason);
  else losses.add({ reason, fromMs: batch.formedAtMs, toMs: batch.formedAtMs, frames: 0, bytes: 0, track: null });
}

/** Batches as the tab's next page load finds them; those without a body cannot be kept. */
export function toKept(batches: readonly Batch[]): KeptUpload[] {
  return batches.flatMap((batch): KeptUpload[] => {
    if (batch.body === null) return [];
    const { sessionId, windowId, counter, formedAtMs } = batch;
    return [{ sessionId, windowId, counter, formedAtMs, body: toBase64(batch.body) }];
  });
}

/** The way back; what cannot be read is left out. */
export function fromKept(kept: readonly KeptUpload[]): Batch[] {
  return kept.flatMap((upload): Batch[] => {
    const body = fromBase64(upload.body);
    if (body === null) return [];
    const { sessionId, windowId, counter, formedAtMs } = upload;
    return [{ sessionId, windowId, counter, formedAtMs, frames: null, facts: '', body, survives: false }];
  });
}
