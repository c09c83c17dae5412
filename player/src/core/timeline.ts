import type { Position } from '@playhead/schemas';
import { comparePositions } from '@playhead/schemas';

/** What has a place on the timeline: by time, ties by position. */
export interface Timed {
  /** Unix ms by the recorder's clock. */
  readonly timestampMs: number;
  readonly position: Position;
}

/** Negative, zero or positive, as `a` is shown before, with or after `b`. */
export function compareTimed(a: Timed, b: Timed): number {
  return a.timestampMs - b.timestampMs || comparePositions(a.position, b.position);
}

/**
 * Puts a frame in its place; frames come by position, which need not be the order of time.
 *
 * @returns its index; -1 when the frame is there already, and nothing changes
 */
export function insertTimed<T extends Timed>(list: T[], item: T): number {
  const last = list.at(-1);
  if (last === undefined || compareTimed(last, item) < 0) return list.push(item) - 1;
  const low = firstAtOrAfter(list, item);
  const there = list[low];
  if (there !== undefined && compareTimed(there, item) === 0) return -1;
  list.splice(low, 0, item);
  return low;
}

/** Index of the first item that is not shown before `item`; the length when there is none. */
export function firstAtOrAfter(list: readonly Timed[], item: Timed): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && compareTimed(there, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the last item at or before a time; -1 when there is none. */
export function lastAtOrBefore(list: readonly { readonly timestampMs: number }[], timeMs: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && there.timestampMs <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
