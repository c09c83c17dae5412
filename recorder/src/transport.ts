import type { StartRequest, UploadQuery } from '@playhead/schemas';
import { LIMITS, REPLY_HEADERS } from '@playhead/schemas';
import { answerWithinMs } from './core/retry.ts';

export interface Reply {
  /** HTTP status; null when no answer came. */
  readonly status: number | null;
  readonly retryAfter: string | null;
  /** What ingest asks for, see REPLY_HEADERS. */
  readonly flushMs: number | null;
  readonly keyframeFor: string | null;
  readonly ended: boolean;
  /** The answer's JSON, for a start. */
  readonly answer?: unknown;
}

/** How a recorder reaches ingest. */
export interface Transport {
  start(request: StartRequest): Promise<Reply>;
  /** `survives`: the request may outlive the page (browsers allow that for small bodies only). */
  upload(sessionId: string, query: UploadQuery, body: Uint8Array<ArrayBuffer>, survives: boolean): Promise<Reply>;
  /** Answered when there is news of the session, within LIMITS.watchPollMs. */
  watch(sessionId: string, abort: AbortController): Promise<Reply>;
  /** For a page that is going away: no answer. False when the browser does not take it. */
  beacon(sessionId: string, query: UploadQuery, body: Uint8Array<ArrayBuffer>): boolean;
}

const WATCH_ANSWER_WITHIN_MS = LIMITS.watchPollMs + 10_000;

const NO_REPLY: Reply = { status: null, retryAfter: null, flushMs: null, keyframeFor: null, ended: false };

function replyOf(response: Response): Reply {
  const flushMs = Number(response.headers.get(REPLY_HEADERS.flushMs) ?? Number.NaN);
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    flushMs: Number.isFinite(flushMs) && flushMs > 0 ? flushMs : null,
    keyframeFor: response.headers.get(REPLY_HEADERS.keyframe),
    ended: response.headers.get(REPLY_HEADERS.session) === 'ended',
  };
}

/**
 * Transport over fetch and sendBeacon. Every body is `text/plain` and the key is in the URL: so no request needs a CORS
 * preflight, which a page that is going away could not wait for, and which would double the requests of a live session.
 *
 * @param endpoint origin of ingest
 */
export function httpTransport(endpoint: string, key: string): Transport {
  // The page may replace these later; what it records must not depend on it.
  const fetch = window.fetch.bind(window);
  const sendBeacon = navigator.sendBeacon?.bind(navigator);

  const uploadUrl = (sessionId: string, query: UploadQuery): string => {
    const parameters = new URLSearchParams({ key });
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(name, String(value));
    }
    return `${endpoint}/v1/sessions/${sessionId}/uploads?${parameters}`;
  };

  const ask = async (url: string, init: RequestInit, abort: AbortController, withinMs: number): Promise<Response | null> => {
    const timer = setTimeout(() => abort.abort(), withinMs);
    try {
      return await fetch(url, { ...init, credentials: 'omit', cache: 'no-store', referrerPolicy: 'origin', signal: abort.signal });
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  };

  const post = (url: string, body: Blob | string, survives: boolean): Promise<Response | null> => {
    const init = { method: 'POST', body, headers: { 'content-type': 'text/plain' }, keepalive: survives };
    return ask(url, init, new AbortController(), answerWithinMs(typeof body === 'string' ? body.length : body.size));
  };

  const textBlob = (body: Uint8Array<ArrayBuffer>): Blob => new Blob([body], { type: 'text/plain' });

  return {
    async start(request) {
      const response = await post(`${endpoint}/v1/sessions?${new URLSearchParams({ key })}`, JSON.stringify(request), false);
      if (response === null) return NO_REPLY;
      let answer: unknown = null;
      try {
        answer = await response.json();
      } catch {
        // An answer without a readable body still has a status.
      }
      return { ...replyOf(response), answer };
    },
    async upload(sessionId, query, body, survives) {
      const response = await post(uploadUrl(sessionId, query), textBlob(body), survives);
      return response === null ? NO_REPLY : replyOf(response);
    },
    async watch(sessionId, abort) {
      const response = await ask(
        `${endpoint}/v1/sessions/${sessionId}/watch?${new URLSearchParams({ key })}`,
        {},
        abort,
        WATCH_ANSWER_WITHIN_MS,
      );
      return response === null ? NO_REPLY : replyOf(response);
    },
    beacon(sessionId, query, body) {
      const url = uploadUrl(sessionId, query);
      if (sendBeacon) return sendBeacon(url, textBlob(body));
      void post(url, textBlob(body), true);
      return true;
    },
  };
}
