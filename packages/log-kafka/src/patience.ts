import type { Clock } from '@playhead/ports';
import { pause } from '@playhead/ports';
import { isPassing } from './kafka-client.ts';

/** For how long, and how often, a question to the cluster is repeated while the failures are such that pass. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 100;

/** Repeats what fails for a reason that passes; rejects with the last failure when the time is up or the signal aborts. */
export async function patiently<T>(clock: Clock, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  const untilMs = clock.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || signal.aborted || clock.now() >= untilMs) throw error;
      await pause(clock, PAUSE_MS, signal);
    }
  }
}
