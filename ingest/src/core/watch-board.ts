import type { Watch } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { sessionKey } from './session-id.ts';

/** Sessions on the board: more than viewers of one gateway is no use, several gateways rarely watch as many. */
const SESSIONS_MAX = LIMITS.viewersMax;
/** Watches remembered of one session; the newest are the ones that a recorder has to hear of. */
const WATCHES_MAX = 64;

export interface WatchBoardBounds {
  readonly sessionsMax: number;
  readonly watchesMax: number;
}

/**
 * Which sessions are watched now: the live leases of `playhead.watches`, as far as this process has read them. Bounded; a lease
 * that was pushed out comes back with its next renewal.
 */
export class WatchBoard {
  readonly #bounds: WatchBoardBounds;
  /**
   * Per session watch id → expiry, in the order in which watches appeared: renewing keeps the place, so that the newest watch
   * is the newest viewer. Sessions are in order of their latest lease: the first is the next to be pushed out.
   */
  readonly #sessions = new Map<string, Map<string, number>>();

  constructor(bounds: Partial<WatchBoardBounds> = {}) {
    this.#bounds = { sessionsMax: SESSIONS_MAX, watchesMax: WATCHES_MAX, ...bounds };
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /**
   * Takes over one record. One that has expired already is how a gateway lets go.
   *
   * @returns whether the session is watched now
   */
  apply(watch: Watch, nowMs: number): boolean {
    const key = sessionKey(watch.projectId, watch.sessionId);
    const watches = this.#sessions.get(key) ?? new Map<string, number>();
    this.#sessions.delete(key);
    // A gateway whose clock is far ahead must not hold a recorder at its fastest for hours.
    const expiresAtMs = Math.min(watch.expiresAtMs, nowMs + 2 * LIMITS.watchLeaseMs);
    if (expiresAtMs > nowMs) watches.set(watch.watchId, expiresAtMs);
    else watches.delete(watch.watchId);
    dropExpired(watches, nowMs);
    if (watches.size > this.#bounds.watchesMax) dropFirst(watches);
    if (watches.size === 0) return false;
    this.#sessions.set(key, watches);
    if (this.#sessions.size > this.#bounds.sessionsMax) dropFirst(this.#sessions);
    return true;
  }

  /** The newest live watch of a session; undefined when nobody watches. */
  newestWatch(projectId: string, sessionId: string, nowMs: number): string | undefined {
    const key = sessionKey(projectId, sessionId);
    const watches = this.#sessions.get(key);
    if (!watches) return undefined;
    dropExpired(watches, nowMs);
    if (watches.size === 0) this.#sessions.delete(key);
    return [...watches.keys()].at(-1);
  }
}

function dropExpired(watches: Map<string, number>, nowMs: number): void {
  for (const [watchId, expiresAtMs] of watches) if (expiresAtMs <= nowMs) watches.delete(watchId);
}

function dropFirst(map: Map<string, unknown>): void {
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
}
