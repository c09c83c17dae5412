import type { Clock } from './runtime.ts';

/** Resolves after `ms`, or when the signal aborts, whichever is first; leaves neither timer nor listener behind. Never rejects. */
export function pause(clock: Pick<Clock, 'setTimer'>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/**
 * The pause, in ms, before something that failed is tried again: it doubles with every attempt.
 *
 * @param baseMs the first pause
 * @param attempt from 0
 * @param maxMs the longest pause; 32 times the first when not given
 */
export function backoffMs(baseMs: number, attempt: number, maxMs: number = baseMs * 32): number {
  // The exponent is bounded so that the product stays a number.
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
}
