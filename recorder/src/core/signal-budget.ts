/** Signals at once, and per second after that: a page that throws in a loop must not fill its own recording. */
export const SIGNALS_BURST = 100;
export const SIGNALS_PER_SECOND = 5;

/** A token bucket. */
export class SignalBudget {
  #tokens = SIGNALS_BURST;
  #atMs: number | null = null;

  /** True when one more signal may be taken. */
  take(nowMs: number): boolean {
    const passed = this.#atMs === null ? 0 : Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(SIGNALS_BURST, this.#tokens + (passed / 1_000) * SIGNALS_PER_SECOND);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
