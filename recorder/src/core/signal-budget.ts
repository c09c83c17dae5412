import type { SignalKind } from '@playhead/schemas';
import type { Loss } from './losses.ts';

/** Signals of one kind at once, and per second after that: a page that throws in a loop must not fill its own recording. */
export const SIGNALS_BURST = 100;
export const SIGNALS_PER_SECOND = 5;

/** Signals that were left out are told when none of their kind was for this long, or when it has gone on for longer, ms. */
export const MISSED_QUIET_MS = 10_000;
export const MISSED_MOST_MS = 60_000;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** A token bucket for each kind: a page that moves with every key pressed must not silence its errors. */
export class SignalBudget {
  readonly #buckets = new Map<SignalKind, Bucket>();
  readonly #missed = new Map<SignalKind, Loss>();

  /** True when one more signal of the kind may be taken. */
  take(kind: SignalKind, nowMs: number): boolean {
    const before = this.#buckets.get(kind) ?? { tokens: SIGNALS_BURST, atMs: nowMs };
    const passedMs = Math.max(0, nowMs - before.atMs);
    const tokens = Math.min(SIGNALS_BURST, before.tokens + (passedMs / 1_000) * SIGNALS_PER_SECOND);
    const taken = tokens >= 1;
    this.#buckets.set(kind, { tokens: taken ? tokens - 1 : tokens, atMs: nowMs });
    if (!taken) this.#miss(kind, nowMs);
    return taken;
  }

  #miss(kind: SignalKind, nowMs: number): void {
    const { fromMs = nowMs, frames = 0 } = this.#missed.get(kind) ?? {};
    this.#missed.set(kind, { reason: 'too_many_signals', fromMs, toMs: nowMs, frames: frames + 1, bytes: 0, track: 'signal', of: kind });
  }

  /**
   * Takes the stretches in which signals were left out and that are over.
   *
   * @param all those that may go on, too: nobody will ask later
   */
  missed(nowMs: number, all = false): Loss[] {
    const over = [...this.#missed.values()].filter(
      ({ fromMs, toMs }) => all || nowMs - toMs >= MISSED_QUIET_MS || nowMs - fromMs >= MISSED_MOST_MS,
    );
    for (const { of } of over) if (of !== undefined) this.#missed.delete(of);
    return over;
  }
}
