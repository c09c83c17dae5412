import type { Clock } from '@playhead/ports';

/** Waits, or less when the signal aborts. Never rejects. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** The pause before attempt number `attempt` (from 0): doubled each time, at most 32 times the base. */
export function backoffMs(baseMs: number, attempt: number): number {
  return baseMs * 2 ** Math.min(attempt, 5);
}

/** An error as data for the log. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
