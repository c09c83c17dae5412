/** What an answer to an upload means for the recorder. */
export type Outcome =
  /** Durable: forget it. */
  | 'stored'
  /** Not now: the same bytes with the same identity, later. */
  | 'again'
  /** The session takes no more uploads: this one is lost, the next ones belong to a new session. */
  | 'expired'
  /** These bytes are not wanted: drop and count them. */
  | 'refused'
  /** This key or origin may not record: stop. */
  | 'forbidden';

/** @param status HTTP status; null when no answer came (offline, reset, timed out) */
export function outcomeOf(status: number | null): Outcome {
  if (status === null || status === 408 || status === 425 || status === 429 || status >= 500) return 'again';
  if (status >= 200 && status < 300) return 'stored';
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 410) return 'expired';
  return 'refused';
}

export const RETRY = {
  firstMs: 1_000,
  mostMs: 60_000,
  /** A server may ask for more patience than we would have, up to this. */
  retryAfterMostMs: 10 * 60_000,
} as const;

/**
 * Exponential backoff with jitter: half of the delay is fixed, half is chance, so that recorders which failed together
 * do not come back together.
 *
 * @param attempt failures so far, from 1
 * @param chance uniform in [0, 1)
 * @param retryAfterMs what the server asked for, a lower bound; null when it did not
 */
export function retryDelayMs(attempt: number, chance: number, retryAfterMs: number | null): number {
  const full = Math.min(RETRY.mostMs, RETRY.firstMs * 2 ** Math.min(attempt - 1, 30));
  const delay = full / 2 + (full / 2) * chance;
  return Math.max(delay, Math.min(retryAfterMs ?? 0, RETRY.retryAfterMostMs));
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds or a date. Null for anything else. */
export function parseRetryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** Longer than ingest ever takes; a connection that hangs must not stop the recording. */
const ANSWER_WITHIN_MS = 30_000;
/** A line this slow is still one: 64 kbit/s. */
const SLOWEST_BYTES_PER_MS = 8;

/** How long an answer is waited for, ms: a large part of a page takes its time, and given up too soon it would never get through. */
export function answerWithinMs(bodyBytes: number): number {
  return ANSWER_WITHIN_MS + Math.ceil(bodyBytes / SLOWEST_BYTES_PER_MS);
}
