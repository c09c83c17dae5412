import type { SignalKind } from '@playhead/schemas';

/** Signals of one kind at once, and per second after that: a page that throws in a loop must not fill its own recording. */
export const SIGNALS_BURST = 100;
export const SIGNALS_PER_SECOND = 5;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** A token bucket for each kind: a page that moves with every key pressed must not silence its errors. */
export class SignalBudget {
  readonly #buckets = new Map<SignalKind, Bucket>();

  /** True when one more signal of the kind may be taken. */
  take(kind: SignalKind, nowMs: number): boolean {
    const before = this.#buckets.get(kind) ?? { tokens: SIGNALS_BURST, atMs: nowMs };
    const passedMs = Math.max(0, nowMs - before.atMs);
    const tokens = Math.min(SIGNALS_BURST, before.tokens + (passedMs / 1_000) * SIGNALS_PER_SECOND);
    const taken = tokens >= 1;
    this.#buckets.set(kind, { tokens: taken ? tokens - 1 : tokens, atMs: nowMs });
    return taken;
  }
}
