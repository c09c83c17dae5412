/** How long a viewer waits before it connects again: doubling, bounded, and spread so that many viewers do not come at once. */
export const BACKOFF = { firstMs: 300, maxMs: 10_000 } as const;

/**
 * @param attempt 0 for the first try after a connection was lost
 * @param random 0 .. 1
 * @returns ms, between half and all of the doubled wait
 */
export function reconnectDelayMs(attempt: number, random: number): number {
  const full = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(attempt, 20));
  return full * (0.5 + random / 2);
}
