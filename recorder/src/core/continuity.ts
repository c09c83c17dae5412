import type { RecorderConfig } from '@playhead/schemas';
import { isSessionId, isWindowId, LIMITS } from '@playhead/schemas';

/** What the pages and tabs of one origin share: kept in localStorage. */
export interface StoredSession {
  readonly id: string;
  readonly startedAtMs: number;
  /** When ingest last heard of the session, Unix ms. */
  readonly activeAtMs: number;
  /** Ingest has been told that the session started. */
  readonly announced: boolean;
  readonly userId: string;
  readonly config: RecorderConfig;
}

/** What the page loads of one tab share: kept in sessionStorage. */
export interface StoredWindow {
  readonly id: string;
  readonly sessionId: string;
  /** The next upload's counter. Written before the upload leaves, so a number is never used twice. */
  readonly nextCounter: number;
  /**
   * A page is using this window. A duplicated tab starts with a copy of sessionStorage, in which the original's window is
   * open: that is how the copy knows that the window is not its own.
   */
  readonly open: boolean;
  /** Watches that have had their keyframe, newest last. */
  readonly keyframesFor: readonly string[];
}

/** A crash-looping tab must not fill sessionStorage. */
export const KEYFRAMES_REMEMBERED = 16;

export const DEFAULT_CONFIG: RecorderConfig = {
  flushMs: LIMITS.recorderFlushMs,
  batchBytesMax: LIMITS.recorderBatchBytesMax,
  heartbeatMs: LIMITS.recorderHeartbeatMs,
  bufferBytesMax: LIMITS.recorderBufferBytesMax,
  sessionSilenceMs: LIMITS.sessionSilenceMs,
  sessionDurationMaxMs: LIMITS.sessionDurationMaxMs,
};

/** True while ingest would still add to the session: not silent for too long, not too old, and not from the future. */
export function isAlive(session: Pick<StoredSession, 'activeAtMs' | 'startedAtMs' | 'config'>, nowMs: number): boolean {
  const silence = nowMs - session.activeAtMs;
  const age = nowMs - session.startedAtMs;
  return silence <= session.config.sessionSilenceMs && age <= session.config.sessionDurationMaxMs && silence > -60_000;
}

export interface FreshSession {
  readonly id: string;
  readonly userId: string;
  readonly config: RecorderConfig;
}

/** The session that a page belongs to: the stored one while it is alive, a fresh one otherwise. */
export function chooseSession(stored: StoredSession | null, nowMs: number, fresh: FreshSession): StoredSession {
  if (stored !== null && isAlive(stored, nowMs)) return stored;
  return { id: fresh.id, startedAtMs: nowMs, activeAtMs: nowMs, announced: false, userId: fresh.userId, config: fresh.config };
}

/** The session after the one that ingest called ended: what another tab has begun meanwhile, or a fresh one. */
export function sessionAfter(endedId: string, stored: StoredSession | null, nowMs: number, fresh: FreshSession): StoredSession {
  return chooseSession(stored?.id === endedId ? null : stored, nowMs, fresh);
}

/** The window of a page, open: the tab's own when it belongs to the session and no page has it open, a fresh one otherwise. */
export function chooseWindow(stored: StoredWindow | null, sessionId: string, freshId: string): StoredWindow {
  if (stored !== null && !stored.open && stored.sessionId === sessionId) return { ...stored, open: true };
  return { id: freshId, sessionId, nextCounter: 0, open: true, keyframesFor: [] };
}

export function takeCounter(window: StoredWindow): { readonly counter: number; readonly window: StoredWindow } {
  return { counter: window.nextCounter, window: { ...window, nextCounter: window.nextCounter + 1 } };
}

export function rememberKeyframe(window: StoredWindow, watchId: string): StoredWindow {
  return { ...window, keyframesFor: [...window.keyframesFor, watchId].slice(-KEYFRAMES_REMEMBERED) };
}

/** The identity of an upload: the same on every retry, and on every way that it can leave. Unique by window and counter. */
export function uploadIdOf(windowId: string, counter: number): string {
  return `${windowId}-${counter}`;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function objectOf(text: string | null): Record<string, unknown> | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Settings from an answer or from storage; what is missing or absurd is taken from the limits. */
export function parseConfig(value: unknown): RecorderConfig {
  const given = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const within = (key: keyof RecorderConfig, least: number, most: number): number => {
    const number = given[key];
    return isCount(number) && number >= least && number <= most ? number : DEFAULT_CONFIG[key];
  };
  return {
    flushMs: within('flushMs', 50, 600_000),
    batchBytesMax: within('batchBytesMax', 1_024, LIMITS.uploadBytesMax),
    heartbeatMs: within('heartbeatMs', 1_000, 600_000),
    bufferBytesMax: within('bufferBytesMax', 64 * 1024, 256 * 1024 * 1024),
    sessionSilenceMs: within('sessionSilenceMs', 1_000, 24 * 60 * 60_000),
    sessionDurationMaxMs: within('sessionDurationMaxMs', 60_000, LIMITS.sessionDurationMaxMs),
  };
}

/** Storage can be written by anybody on the page: what does not have the shape is as good as nothing. */
export function parseSession(text: string | null): StoredSession | null {
  const value = objectOf(text);
  if (value === null || typeof value.id !== 'string' || !isSessionId(value.id)) return null;
  if (!isCount(value.startedAtMs) || !isCount(value.activeAtMs)) return null;
  return {
    id: value.id,
    startedAtMs: value.startedAtMs,
    activeAtMs: value.activeAtMs,
    announced: value.announced === true,
    userId: typeof value.userId === 'string' ? value.userId : '',
    config: parseConfig(value.config),
  };
}

export function parseWindow(text: string | null): StoredWindow | null {
  const value = objectOf(text);
  if (value === null || typeof value.id !== 'string' || !isWindowId(value.id)) return null;
  if (typeof value.sessionId !== 'string' || !isCount(value.nextCounter)) return null;
  const keyframesFor = Array.isArray(value.keyframesFor) ? value.keyframesFor.filter((id) => typeof id === 'string') : [];
  // An unknown flag counts as open: a new window too many is harmless, a counter used twice is not.
  return { id: value.id, sessionId: value.sessionId, nextCounter: value.nextCounter, open: value.open !== false, keyframesFor };
}
