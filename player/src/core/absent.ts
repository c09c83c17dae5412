import type { PositionedFrame } from '@playhead/schemas';
import type { TimeRange } from './inactivity.ts';

/** Of which stream a frame came: that which begins at the last keyframes, or that which brings what was before. */
export type Origin = 'edge' | 'history';

/**
 * Which stretch of the timeline is on its way: between what history has brought so far, and the moment from which on the edge has
 * everything. Of several windows the one that begins last decides: before it nobody knows what is missing.
 */
export class Absence {
  readonly #windows = new Set<string>();
  #edgeFromMs = Number.NEGATIVE_INFINITY;
  #historyToMs = Number.NEGATIVE_INFINITY;

  /** A frame of a page, or a picture. */
  note({ windowId, track, timestampMs }: Pick<PositionedFrame, 'windowId' | 'track' | 'timestampMs'>, origin: Origin): void {
    if (origin === 'history') {
      this.#historyToMs = Math.max(this.#historyToMs, timestampMs);
      return;
    }
    const key = `${windowId} ${track}`;
    if (this.#windows.has(key)) return;
    this.#windows.add(key);
    this.#edgeFromMs = Math.max(this.#edgeFromMs, timestampMs);
  }

  /** While history is not complete; of no length when nothing between `startMs` and the edge is known to be missing. */
  range(startMs: number): TimeRange {
    const toMs = Math.max(startMs, this.#edgeFromMs);
    return { fromMs: Math.min(Math.max(startMs, this.#historyToMs), toMs), toMs };
  }
}

/** True for a moment that cannot be shown yet. */
export function isAbsent(absent: TimeRange | null, timeMs: number): boolean {
  return absent !== null && absent.fromMs <= timeMs && timeMs < absent.toMs;
}
