import type { Clock } from '@playhead/ports';

/** A clock that stands still until it is told. */
export interface ManualClock extends Clock {
  /** Moves time on by `ms` and calls the timers that come due on the way, in order of time, each at its own time. */
  advance(ms: number): void;
  /** Timers that wait. */
  readonly waiting: number;
}

/** @param startMs Unix ms */
export function manualClock(startMs = 1_750_000_000_000): ManualClock {
  let nowMs = startMs;
  let ticket = 0;
  const timers = new Map<number, { readonly dueMs: number; readonly run: () => void }>();

  /** The timer that is due first; of equal ones the one that was set first (Map keeps that order). */
  function nextDue(untilMs: number): number | undefined {
    let found: number | undefined;
    let foundMs = untilMs;
    for (const [id, timer] of timers) {
      if (timer.dueMs < foundMs || (timer.dueMs === foundMs && found === undefined)) {
        found = id;
        foundMs = timer.dueMs;
      }
    }
    return found;
  }

  return {
    now: () => nowMs,
    setTimer(ms, run) {
      const id = ticket++;
      timers.set(id, { dueMs: nowMs + Math.max(0, ms), run });
      return () => void timers.delete(id);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (let id = nextDue(untilMs); id !== undefined; id = nextDue(untilMs)) {
        const timer = timers.get(id);
        timers.delete(id);
        if (!timer) continue;
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.run();
      }
      nowMs = untilMs;
    },
    get waiting() {
      return timers.size;
    },
  };
}
