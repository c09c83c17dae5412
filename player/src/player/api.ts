import type { Offset, Position, SessionInfo, Track } from '@playhead/schemas';
import { formatPosition } from '@playhead/schemas';
import type { Refusal } from '../core/words.ts';

/** The answer of `GET /v1/sessions/:sessionId/blocks`, as far as the player reads it. */
export interface BlockListing {
  readonly blocks: readonly {
    readonly frames: readonly {
      readonly position: string;
      readonly windowId: string;
      readonly track: Track;
      readonly timestampMs: number;
      readonly bytes: number;
    }[];
  }[];
  /** Uploads that the log had dropped before they were stored. A server from before they were listed lists none. */
  readonly gaps?: readonly { readonly firstOffset: Offset; readonly lastOffset: Offset }[];
}

/** An answer that is not the one that was asked for. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault';
  readonly status: number;

  constructor(status: number) {
    super(`the server answered ${status}`);
    this.status = status;
  }

  /** Why nothing is to be had; null when it is worth another try. */
  get refusal(): Refusal | null {
    if (this.status === 401) return 'unauthorized';
    if (this.status === 403) return 'forbidden';
    if (this.status === 404 || this.status === 410) return 'not-found';
    return this.status === 400 || this.status === 422 ? 'invalid' : null;
  }
}

/** The read API of one origin. */
export class ReadApi {
  readonly #base: string;

  /** @param base what comes before `/v1`: '' for the page's own origin */
  constructor(base = '') {
    this.#base = base.replace(/\/+$/, '');
  }

  /** @throws {ApiFault} */
  session(sessionId: string): Promise<SessionInfo> {
    return this.#json(`/v1/sessions/${encodeURIComponent(sessionId)}`);
  }

  /** @throws {ApiFault} */
  sessions(query: { readonly before?: number; readonly live?: boolean; readonly limit: number }): Promise<SessionPage> {
    const params = new URLSearchParams({ limit: String(query.limit) });
    if (query.before !== undefined) params.set('before', String(query.before));
    if (query.live) params.set('live', 'true');
    return this.#json(`/v1/sessions?${params.toString()}`);
  }

  feed(): EventSource {
    return new EventSource(`${this.#base}/v1/sessions/feed`);
  }

  /** @throws {ApiFault} */
  blocks(sessionId: string): Promise<BlockListing> {
    return this.#json(`/v1/sessions/${encodeURIComponent(sessionId)}/blocks`);
  }

  /** Payload of one frame that is in a block. @throws {ApiFault} */
  async frame(sessionId: string, position: Position, signal?: AbortSignal): Promise<Uint8Array> {
    const path = `/v1/sessions/${encodeURIComponent(sessionId)}/frames/${formatPosition(position)}`;
    const answer = await fetch(this.#base + path, signal ? { signal } : {});
    if (!answer.ok) throw new ApiFault(answer.status);
    return new Uint8Array(await answer.arrayBuffer());
  }

  /** What the server tells the web app; nothing where it does not know the address. */
  async appConfig(): Promise<{ readonly demoShopUrl?: string; readonly writeKey?: string }> {
    try {
      return await this.#json('/v1/app-config');
    } catch {
      return {};
    }
  }

  openLive(sessionId: string, from: string): WebSocket {
    const url = new URL(`${this.#base}/v1/sessions/${encodeURIComponent(sessionId)}/live`, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('from', from);
    return new WebSocket(url);
  }

  async #json<T>(path: string): Promise<T> {
    const answer = await fetch(this.#base + path, { headers: { accept: 'application/json' } });
    if (!answer.ok) throw new ApiFault(answer.status);
    return (await answer.json()) as T;
  }
}

export interface SessionPage {
  readonly sessions: readonly SessionInfo[];
  readonly next: number | null;
}
