import type { TimeRange } from './inactivity.ts';

/**
 * The playback clock: which moment of the session is shown now.
 *
 * `following` holds to the live edge by bending its pace; `playing` runs at the chosen speed; `paused` stands still.
 * All times of the session are Unix ms by the recorder's clock.
 */
export type ClockMode = 'following' | 'playing' | 'paused';

export interface PlaybackClock {
  readonly mode: ClockMode;
  /** The moment that is shown. */
  readonly timeMs: number;
  /** Viewer's clock at which `timeMs` was right. */
  readonly atMs: number;
  /** Chosen by the viewer. */
  readonly speed: number;
  /** Pace of the last step: session ms per viewer ms. */
  readonly rate: number;
}

/** What there is to show. */
export interface Extent {
  /** First and newest frame. */
  readonly startMs: number;
  readonly endMs: number;
  /** The session goes on. */
  readonly live: boolean;
  /** The newest frame is not the end: more is coming. */
  readonly loading: boolean;
  /** What is on its way, and cannot be shown yet. */
  readonly absent: TimeRange | null;
  /** The moment that a follower shows: now minus the play-out delay; null while that is not known. */
  readonly edgeMs: number | null;
  /** What is jumped over; empty when the viewer wants to see all. */
  readonly skip: readonly TimeRange[];
}

export const SPEEDS = [0.5, 1, 2, 4, 8] as const;

export const FOLLOW = {
  /** A follower this far behind jumps: playing it faster would take too long. */
  jumpMs: 15_000,
  /** Behind less than this is not caught up with. */
  toleranceMs: 40,
  /** A follower that is this far behind plays twice as fast. */
  doubleMs: 600,
  rateMax: 8,
  rateMin: 0.5,
} as const;

/** Pace of a follower that is `behindMs` behind the edge (negative: ahead of it). */
export function followRate(behindMs: number): number {
  if (Math.abs(behindMs) <= FOLLOW.toleranceMs) return 1;
  return Math.min(FOLLOW.rateMax, Math.max(FOLLOW.rateMin, 1 + behindMs / FOLLOW.doubleMs));
}

export function startClock(timeMs: number, atMs: number): PlaybackClock {
  return { mode: 'paused', timeMs, atMs, speed: 1, rate: 0 };
}

/** The clock a moment later. Never runs backwards, never leaves the extent. */
export function advance(clock: PlaybackClock, nowMs: number, extent: Extent): PlaybackClock {
  const passedMs = Math.max(0, nowMs - clock.atMs);
  if (clock.mode === 'paused') return { ...clock, atMs: nowMs, rate: 0 };
  if (clock.mode === 'following') return follow(clock, nowMs, passedMs, extent);
  const end = extent.live ? (extent.edgeMs ?? extent.endMs) : extent.endMs;
  const timeMs = skipOver(clock.timeMs + passedMs * clock.speed, extent.skip);
  const { absent } = extent;
  if (absent !== null && timeMs >= absent.fromMs && clock.timeMs < absent.toMs)
    return { ...clock, timeMs: Math.max(clock.timeMs, Math.min(timeMs, absent.fromMs)), atMs: nowMs, rate: 0 };
  if (timeMs < end) return { ...clock, timeMs, atMs: nowMs, rate: clock.speed };
  const atEnd = Math.max(clock.timeMs, end);
  if (extent.loading) return { ...clock, timeMs: Math.max(clock.timeMs, Math.min(end, timeMs)), atMs: nowMs, rate: 0 };
  if (extent.live) return { ...clock, mode: 'following', timeMs: atEnd, atMs: nowMs, rate: 1 };
  return { ...clock, mode: 'paused', timeMs: Math.min(atEnd, extent.endMs), atMs: nowMs, rate: 0 };
}

function follow(clock: PlaybackClock, nowMs: number, passedMs: number, extent: Extent): PlaybackClock {
  if (!extent.live) {
    const timeMs = Math.min(clock.timeMs + passedMs, Math.max(clock.timeMs, extent.endMs));
    const done = timeMs >= extent.endMs && !extent.loading;
    return { ...clock, mode: done ? 'paused' : 'playing', speed: 1, timeMs, atMs: nowMs, rate: done ? 0 : 1 };
  }
  const edgeMs = extent.edgeMs ?? extent.endMs;
  const behindMs = edgeMs - clock.timeMs;
  if (behindMs > FOLLOW.jumpMs) return { ...clock, timeMs: edgeMs, atMs: nowMs, rate: 1 };
  const rate = followRate(behindMs - passedMs);
  const reached = clock.timeMs + passedMs * rate;
  // Without a known edge there is nothing to show behind the newest frame.
  const timeMs = extent.edgeMs === null ? Math.max(clock.timeMs, Math.min(reached, extent.endMs)) : reached;
  return { ...clock, timeMs, atMs: nowMs, rate };
}

function skipOver(timeMs: number, ranges: readonly TimeRange[]): number {
  const inside = ranges.find((range) => range.fromMs <= timeMs && timeMs < range.toMs);
  return inside ? inside.toMs : timeMs;
}

/** Shows another moment. A replay that had come to its end plays on from there; a follower leaves the live edge. */
export function seek(clock: PlaybackClock, timeMs: number, nowMs: number, extent: Extent): PlaybackClock {
  const to = Math.min(Math.max(timeMs, extent.startMs), Math.max(extent.startMs, extent.edgeMs ?? 0, extent.endMs));
  const wasOver = clock.mode === 'paused' && !extent.live && clock.timeMs >= extent.endMs && to < extent.endMs;
  const mode = clock.mode === 'following' || wasOver ? 'playing' : clock.mode;
  return { ...clock, mode, timeMs: to, atMs: nowMs };
}

export function pause(clock: PlaybackClock, nowMs: number): PlaybackClock {
  return { ...clock, mode: 'paused', atMs: nowMs, rate: 0 };
}

/** Plays on; from the start again when an ended session stands at its end. */
export function play(clock: PlaybackClock, nowMs: number, extent: Extent): PlaybackClock {
  if (clock.mode !== 'paused') return clock;
  const again = !extent.live && clock.timeMs >= extent.endMs;
  return { ...clock, mode: 'playing', timeMs: again ? extent.startMs : clock.timeMs, atMs: nowMs, rate: clock.speed };
}

/** Joins the live edge; the end, where nothing more is to come. */
export function goLive(clock: PlaybackClock, nowMs: number, extent: Extent): PlaybackClock {
  const timeMs = Math.max(clock.timeMs, extent.edgeMs ?? extent.endMs);
  if (!extent.live) return { ...clock, mode: 'paused', timeMs: extent.endMs, atMs: nowMs, rate: 0 };
  return { ...clock, mode: 'following', speed: 1, timeMs, atMs: nowMs, rate: 1 };
}

/** Changes the speed. A follower that is slowed down leaves the live edge; one that is sped up has nowhere to go. */
export function setSpeed(clock: PlaybackClock, speed: number): PlaybackClock {
  if (clock.mode !== 'following') return { ...clock, speed };
  return speed < 1 ? { ...clock, mode: 'playing', speed } : clock;
}

/** How far the shown moment is behind the live edge, ms; never negative. */
export function behindMs(clock: PlaybackClock, extent: Extent): number {
  return Math.max(0, (extent.edgeMs ?? extent.endMs) - clock.timeMs);
}
