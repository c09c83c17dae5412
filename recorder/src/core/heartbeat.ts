/** For how long a window without a single frame still says that it is there, ms. After it the session ends by silence. */
export const IDLE_VISIBLE_MS = 30 * 60_000;
export const IDLE_HIDDEN_MS = 5 * 60_000;

export interface Quiet {
  /** When the last upload left, Unix ms. */
  readonly lastSentAtMs: number;
  /** When the last frame came, Unix ms. */
  readonly lastFrameAtMs: number;
  readonly hidden: boolean;
  readonly nowMs: number;
  readonly heartbeatMs: number;
  readonly sessionSilenceMs: number;
}

/** When the next heartbeat is due, Unix ms; null when the window has been idle for so long that its session may end. */
export function heartbeatAtMs(quiet: Quiet): number | null {
  // The computer slept, or the browser held the timers back: the session has ended by silence, and a heartbeat would only begin another.
  if (quiet.nowMs - quiet.lastSentAtMs > quiet.sessionSilenceMs) return null;
  const at = quiet.lastSentAtMs + quiet.heartbeatMs;
  const idleFrom = quiet.lastFrameAtMs + (quiet.hidden ? IDLE_HIDDEN_MS : IDLE_VISIBLE_MS);
  return at <= idleFrom ? at : null;
}
