import { setTimeout as sleep } from 'node:timers/promises';
import type { StartAnswer, StartRequest, UploadQuery } from '@playhead/schemas';

/** An answer of the native door that is not a yes, after the retries. */
export class DoorRefusal extends Error {
  override readonly name = 'DoorRefusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** The same may be taken later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503;
  }
}

/** What the commands that play a recorder need of the native door. Every call is repeated while the server is not there or busy. */
export interface DoorClient {
  start(request: StartRequest): Promise<StartAnswer>;
  upload(sessionId: string, query: UploadQuery, body: Uint8Array<ArrayBuffer>): Promise<void>;
  end(sessionId: string): Promise<void>;
}

const TRIES_MAX = 8;
const BACKOFF_FIRST_MS = 250;

/** @param url origin of the server; @param key write key of the project */
export function openDoor(url: string, key: string): DoorClient {
  const post = async (path: string, body: string | Uint8Array<ArrayBuffer> | null, contentType: string): Promise<Response> => {
    for (let tries = 1; ; tries++) {
      const answer = await fetch(new URL(path, url), {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, ...(body === null ? {} : { 'content-type': contentType }) },
        body,
      }).catch((error: unknown) => error);
      if (answer instanceof Response && answer.ok) return answer;
      const retryable = !(answer instanceof Response) || answer.status === 503 || answer.status === 429;
      if (!retryable || tries === TRIES_MAX) {
        if (!(answer instanceof Response)) throw new DoorRefusal(0, `${url} does not answer. Is the server running (npm start)?`);
        throw new DoorRefusal(answer.status, `${path.split('?', 1)[0]} answered ${answer.status}: ${await answer.text()}`);
      }
      await sleep(BACKOFF_FIRST_MS * 2 ** (tries - 1));
    }
  };
  const sessionPath = (sessionId: string): string => `/v1/sessions/${encodeURIComponent(sessionId)}`;
  return {
    async start(request) {
      const answer = await post('/v1/sessions', JSON.stringify(request), 'application/json');
      return (await answer.json()) as StartAnswer;
    },
    async upload(sessionId, query, body) {
      const parameters = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
      await post(`${sessionPath(sessionId)}/uploads?${parameters.toString()}`, body, 'application/octet-stream');
    },
    async end(sessionId) {
      await post(`${sessionPath(sessionId)}/end`, null, '');
    },
  };
}
