/** When the frames that wait leave as a batch, and how many of them. Sizes are bytes before compression. */
export interface BatchRules {
  /** Batches follow each other at this distance while frames keep coming, ms. */
  readonly flushMs: number;
  /** After a quiet time the first frame waits this long only, ms: a live viewer should see it soon. */
  readonly leadingMs: number;
  /** A batch holds at most this; a single larger frame travels alone. */
  readonly batchBytesMax: number;
}

export interface Waiting {
  /** When the oldest waiting frame came, Unix ms; null when none waits. */
  readonly firstAtMs: number | null;
  readonly bytes: number;
}

/**
 * When the next batch should leave, Unix ms: in the past means now, null means nothing waits.
 *
 * @param lastFlushAtMs when the batch before it was formed
 */
export function batchDueAtMs(waiting: Waiting, lastFlushAtMs: number, rules: BatchRules): number | null {
  if (waiting.firstAtMs === null) return null;
  if (waiting.bytes >= rules.batchBytesMax) return waiting.firstAtMs;
  const soon = waiting.firstAtMs + Math.min(rules.leadingMs, rules.flushMs);
  const paced = Math.min(lastFlushAtMs, waiting.firstAtMs) + rules.flushMs;
  return Math.max(soon, paced);
}

/** How many of the oldest frames go into the next batch: as many as fit, at least one if there is one. */
export function batchCount(sizes: readonly number[], batchBytesMax: number): number {
  let bytes = 0;
  let count = 0;
  for (const size of sizes) {
    if (count > 0 && bytes + size > batchBytesMax) break;
    bytes += size;
    count++;
  }
  return count;
}
