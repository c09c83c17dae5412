import type { Asking } from './core/asking.ts';
import { ASKING, afterAnswer, afterWord, askFromMs } from './core/asking.ts';
import { outcomeOf, parseRetryAfterMs } from './core/retry.ts';
import type { Reply, Transport } from './transport.ts';

export interface WatchRequestParts {
  readonly transport: Transport;
  readonly sessionId: () => string;
  readonly hidden: () => boolean;
  /** Does what an answer asks for, whatever it answered. */
  readonly heed: (sessionId: string, reply: Reply) => void;
  readonly now: () => number;
  readonly chance: () => number;
  readonly guard: (task: () => void) => () => void;
}

/** The one request that this window holds open to hear of a watch. What to do is decided in core/asking.ts; here it is done. */
export class WatchRequest {
  readonly #parts: WatchRequestParts;
  #asking: Asking = ASKING;
  #open: { readonly sessionId: string; readonly abort: AbortController } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stopped = false;

  constructor(parts: WatchRequestParts) {
    this.#parts = parts;
  }

  /** Ingest said something of a session. */
  heard(sessionId: string, reply: Reply): void {
    this.#asking = afterWord(this.#asking, sessionId, reply);
    this.adjust();
  }

  stop(): void {
    this.#stopped = true;
    this.adjust();
  }

  resume(): void {
    this.#stopped = false;
    this.adjust();
  }

  /** Something may have changed (visibility, session, what ingest said): opens, leaves open or ends the request. */
  adjust(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const sessionId = this.#parts.sessionId();
    const from = this.#stopped ? null : askFromMs(this.#asking, { sessionId, visible: !this.#parts.hidden() });
    if (this.#open !== null) {
      if (from !== null && this.#open.sessionId === sessionId) return;
      const { abort } = this.#open;
      this.#open = null;
      abort.abort();
    }
    if (from === null) return;
    const waitMs = from - this.#parts.now();
    if (waitMs <= 0) void this.#ask(sessionId);
    else
      this.#timer = setTimeout(
        this.#parts.guard(() => this.adjust()),
        waitMs,
      );
  }

  async #ask(sessionId: string): Promise<void> {
    const { transport, now, chance, guard, heed } = this.#parts;
    const mine = { sessionId, abort: new AbortController() };
    this.#open = mine;
    const askedAtMs = now();
    const reply = await transport.watch(sessionId, mine.abort);
    if (this.#open !== mine) return;
    this.#open = null;
    const outcome = outcomeOf(reply.status);
    this.#asking = afterAnswer(this.#asking, {
      sessionId,
      askedAtMs,
      answeredAtMs: now(),
      outcome,
      news: reply.flushMs !== null || reply.ended,
      retryAfterMs: parseRetryAfterMs(reply.retryAfter, now()),
      chance: chance(),
    });
    if (outcome === 'stored') guard(() => heed(sessionId, reply))();
    guard(() => this.adjust())();
  }
}
