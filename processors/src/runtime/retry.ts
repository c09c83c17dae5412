import type { Clock, Logger } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';

/** What every driver has at hand. */
export interface Runtime {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 <= value < 1: the jitter of pauses. */
  readonly random: () => number;
}

/** Thrown when the time for an effect is over: the process stops, or the partition was taken away. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

/**
 * The promise's outcome, or GivenUp as soon as the signal aborts. Something that hangs (a socket without an answer) must not
 * keep a stop from ending.
 */
export function orGivenUp<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.reject(new GivenUp('the time is over'));
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new GivenUp('the time is over'));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Errors that repeating does not cure: thrown on. */
  readonly isFinal?: (error: unknown) => boolean;
}

/**
 * Repeats `attempt` until it succeeds, with pauses that double and are spread by half (so that many processes that lost
 * the same store do not come back in step). Every failure is logged with what is being waited for.
 *
 * @throws {GivenUp} when the signal aborts; whatever `isFinal` names
 */
export async function untilDone<T>(runtime: Runtime, what: string, attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, retryFirstMs, retryMaxMs, isFinal } = options;
  for (let attempts = 1; ; attempts++) {
    try {
      return await orGivenUp(attempt(), signal);
    } catch (error) {
      if (error instanceof GivenUp || isFinal?.(error)) throw error;
      const pauseMs = spreadMs(backoffMs(retryFirstMs, attempts - 1, retryMaxMs), runtime.random);
      runtime.logger.warn({ ...errorFields(error), attempts, pauseMs }, `waiting to ${what}`);
      await pause(runtime.clock, pauseMs, signal);
      if (signal.aborted) throw new GivenUp(`could not ${what}`);
    }
  }
}

/** At least half of a pause, at most the whole of it, in whole ms. */
export function spreadMs(longestMs: number, random: () => number): number {
  return Math.round(longestMs * (0.5 + random() / 2));
}

/** An error as fields of a log line. */
export function errorFields(error: unknown): { readonly code: string; readonly error: string } {
  const code = error instanceof PlayheadError ? error.code : error instanceof Error ? error.name : 'unknown';
  return { code, error: error instanceof Error ? error.message : String(error) };
}
