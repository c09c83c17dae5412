import { partitionOf, uuidv7 } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import { errorText } from '../error-text.ts';

interface Lease {
  readonly watchId: string;
  readonly projectId: string;
  readonly sessionId: string;
  viewers: number;
  cancelRenewal: () => void;
}

/**
 * Tells ingest, over the log, which sessions somebody watches: a `Watch` when the first viewer comes and three times per
 * lease while there is one. What has no viewer expires by itself.
 */
export class Leases {
  readonly #gateway: Gateway;
  readonly #leases = new Map<string, Lease>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /**
   * One viewer more. The viewers of one session at one time share a watch id, and so one keyframe.
   *
   * @returns to be called when the viewer is gone
   */
  watch(projectId: string, sessionId: string): () => void {
    const key = `${sessionId} ${projectId}`;
    let lease = this.#leases.get(key);
    if (lease === undefined) {
      lease = { watchId: this.newWatchId(), projectId, sessionId, viewers: 0, cancelRenewal: () => {} };
      this.#leases.set(key, lease);
      this.#renew(lease);
    }
    lease.viewers++;
    const shared = lease;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      shared.viewers--;
      if (shared.viewers === 0) this.#end(key, shared);
    };
  }

  /** The session is over: nothing is renewed any more. */
  ended(projectId: string, sessionId: string): void {
    const key = `${sessionId} ${projectId}`;
    const lease = this.#leases.get(key);
    if (lease !== undefined) this.#end(key, lease);
  }

  newWatchId(): string {
    return uuidv7(this.#gateway.clock.now(), this.#gateway.randomBytes(10));
  }

  close(): void {
    for (const [key, lease] of this.#leases) this.#end(key, lease);
  }

  #end(key: string, lease: Lease): void {
    lease.cancelRenewal();
    if (this.#leases.get(key) === lease) this.#leases.delete(key);
  }

  /** A renewal that fails is left to the next one: a lease outlives two of them. */
  #renew(lease: Lease): void {
    const { log, clock, logger, settings } = this.#gateway;
    const { projectId, sessionId, watchId } = lease;
    const expiresAtMs = clock.now() + settings.watchLeaseMs;
    log
      .append('playhead.watches', partitionOf(sessionId, log.partitions), sessionId, { projectId, sessionId, watchId, expiresAtMs })
      .catch((error: unknown) => logger.warn({ sessionId, error: errorText(error) }, 'a watch could not be renewed'));
    lease.cancelRenewal = clock.setTimer(settings.watchLeaseMs / 3, () => this.#renew(lease));
  }
}
