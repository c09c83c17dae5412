import { LIMITS } from '@playhead/schemas';
import type { Outcome } from './retry.ts';
import { retryDelayMs } from './retry.ts';

/**
 * When a window asks ingest to say at once that somebody watches. An unwatched window uploads so rarely that it would hear of a
 * watch seconds late, so it keeps one request open that ingest answers when there is news.
 */
export interface Asking {
  /** The session of which ingest said last that nobody watches; null while it has said nothing, or that somebody does. */
  readonly unwatched: string | null;
  /** The session for which there is no use in asking: it is over, or ingest does not know the request. */
  readonly useless: string | null;
  /** Failures in a row. */
  readonly failures: number;
  /** The next request begins no sooner, Unix ms. */
  readonly notBeforeMs: number;
}

export const ASKING: Asking = { unwatched: null, useless: null, failures: 0, notBeforeMs: 0 };

/** Held this long, ms, an empty answer is what was agreed on and a cut connection is the impatience of a proxy. Below it something is wrong. */
export const HELD_MS = 5_000;
/** Requests begin at this distance at least, ms: ingest processes that disagree must not keep the window spinning. */
export const ASK_EVERY_MS = LIMITS.recorderWatchedFlushMs;

/** What ingest said of a session, in an answer to whatever. */
export function afterWord(asking: Asking, sessionId: string, word: { readonly flushMs: number | null; readonly ended: boolean }): Asking {
  if (word.ended) return { ...asking, unwatched: null, useless: sessionId };
  return { ...asking, unwatched: word.flushMs === null ? sessionId : null };
}

export interface Asked {
  readonly sessionId: string;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly outcome: Outcome;
  /** The answer said something. */
  readonly news: boolean;
  readonly retryAfterMs: number | null;
  /** Uniform in [0, 1). */
  readonly chance: number;
}

/** A request has come back; one that was aborted here has not. */
export function afterAnswer(asking: Asking, asked: Asked): Asking {
  const wasHeld = asked.answeredAtMs - asked.askedAtMs >= HELD_MS;
  if (asked.outcome === 'stored' && (asked.news || wasHeld)) {
    return { ...asking, failures: 0, notBeforeMs: asked.askedAtMs + ASK_EVERY_MS };
  }
  if (asked.outcome === 'stored' || asked.outcome === 'again') {
    const failures = wasHeld ? 1 : asking.failures + 1;
    return { ...asking, failures, notBeforeMs: asked.answeredAtMs + retryDelayMs(failures, asked.chance, asked.retryAfterMs) };
  }
  return { ...asking, useless: asked.sessionId };
}

/**
 * From when on a request should be open, Unix ms; null: there should be none.
 *
 * @param page the window's session now, and whether the page is visible
 */
export function askFromMs(asking: Asking, page: { readonly sessionId: string; readonly visible: boolean }): number | null {
  if (!page.visible || asking.unwatched !== page.sessionId || asking.useless === page.sessionId) return null;
  return asking.notBeforeMs;
}
