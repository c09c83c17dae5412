export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export const INACTIVITY = {
  /** A pause shorter than this is part of what a person does. */
  thresholdMs: 6_000,
  /** Shown of a pause at its beginning and at its end, so that a jump over it is understood. */
  leadMs: 1_000,
  /** Moments closer together than this count as one. */
  grainMs: 250,
} as const;

/** Adds a moment at which the person did something; `times` stays sorted and thin. */
export function addActivity(times: number[], timestampMs: number): void {
  let at = times.length;
  while (at > 0 && (times[at - 1] ?? 0) > timestampMs) at--;
  const before = times[at - 1];
  const after = times[at];
  if (before !== undefined && timestampMs - before < INACTIVITY.grainMs) return;
  if (after !== undefined && after - timestampMs < INACTIVITY.grainMs) return;
  times.splice(at, 0, timestampMs);
}

/** Where nobody does anything, between `startMs` and `endMs`, in order, without overlap. */
export function inactiveRanges(times: readonly number[], startMs: number, endMs: number): TimeRange[] {
  const ranges: TimeRange[] = [];
  let from = startMs;
  const close = (to: number): void => {
    ranges.push(...skippedOf({ fromMs: from, toMs: to }));
  };
  for (const time of times) {
    if (time <= startMs || time >= endMs) continue;
    close(time);
    from = time;
  }
  close(endMs);
  return ranges;
}

/** What lies in any of the ranges, in order, without overlap. */
export function mergeRanges(ranges: readonly TimeRange[]): TimeRange[] {
  const merged: TimeRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1);
    if (last && range.fromMs <= last.toMs) merged[merged.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, range.toMs) };
    else merged.push({ fromMs: range.fromMs, toMs: range.toMs });
  }
  return merged;
}

/** What is jumped over of a stretch in which nothing is to be seen: its ends are shown, so that the jump is understood. */
export function skippedOf(range: TimeRange): readonly TimeRange[] {
  if (range.toMs - range.fromMs < INACTIVITY.thresholdMs) return [];
  return [{ fromMs: range.fromMs + INACTIVITY.leadMs, toMs: range.toMs - INACTIVITY.leadMs }];
}
