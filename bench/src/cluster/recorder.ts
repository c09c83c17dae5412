import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { BodyFormat } from '@playhead/schemas';
import { uuidv7 } from '@playhead/schemas';
import type { Body } from './bodies.ts';

/** A session that a benchmark records, and how many uploads it has sent. */
export interface Recorded {
  readonly sessionId: string;
  readonly epochMs: number;
  sent: number;
}

/** Sends what recorders send, to some doors in turn. Nothing is repeated. */
export interface Recorders {
  start(source?: 'phone' | 'web', epochMs?: number): Promise<Recorded>;
  /** Resolves with '' once the upload is acknowledged, otherwise with what came instead. The first upload of a session makes it known. */
  upload(session: Recorded, body: Pick<Body, 'bytes'>, format?: BodyFormat): Promise<string>;
  close(): void;
}

/** An answer that takes longer is no answer. */
const ANSWER_MS_MAX = 30_000;
const CONNECTIONS_MAX = 256;

export function newSession(epochMs = Date.now()): Recorded {
  return { sessionId: uuidv7(epochMs, randomBytes(10)), epochMs, sent: 0 };
}

/** @param doors origins of processes that take uploads; @param key write key */
export function openRecorders(doors: readonly string[], key: string): Recorders {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, scheduling: 'fifo' });
  let turn = 0;
  const post = (path: string, contentType: string, body: Uint8Array | string): Promise<string> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
    const url = new URL(path, doors[turn++ % doors.length]);
    return new Promise((resolve) => {
      const sending = request(url, { method: 'POST', agent, headers, timeout: ANSWER_MS_MAX }, (answer) => {
        answer.resume();
        const { statusCode = 0 } = answer;
        answer.once('close', () => resolve(statusCode >= 200 && statusCode < 300 ? '' : String(statusCode)));
      });
      sending.once('timeout', () => sending.destroy(new Error('no answer')));
      sending.once('error', ({ message }) => resolve(message));
      sending.end(body);
    });
  };
  return {
    async start(source = 'phone', startedAtMs = Date.now()) {
      const session = newSession(startedAtMs);
      const { sessionId } = session;
      const refusal = await post('/v1/sessions', 'application/json', JSON.stringify({ sessionId, source, startedAtMs }));
      if (refusal !== '') throw new Error(`no session was started: ${refusal}`);
      return session;
    },
    upload(session, { bytes }, format = 'frame-bundle') {
      const query = `window=app&upload=${session.sent++}&format=${format}&codec=gzip&epochMs=${session.epochMs}&sentAtMs=${Date.now()}`;
      return post(`/v1/sessions/${session.sessionId}/uploads?${query}`, 'application/octet-stream', bytes);
    },
    close: () => agent.destroy(),
  };
}
