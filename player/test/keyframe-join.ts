import type { Position, PositionedFrame } from '@playhead/schemas';
import { comparePositions, PartRuns } from '@playhead/schemas';

/** What a join at `keyframe` gives (LH5) of frames of which the first `stored` are in blocks. */
export function keyframeJoin<Placed extends PositionedFrame>(frames: readonly Placed[], stored = frames.length): Placed[] {
  const floors = new Map<string, Position>();
  const runs = new PartRuns<Placed>();
  for (const frame of frames.slice(0, stored)) {
    const first = runs.take(frame).whole?.[0];
    if (first?.keyframe === true) floors.set(trackOf(first), first.position);
  }
  const earliest = (windowId: string): Position | undefined =>
    [...floors]
      .filter(([key]) => key.startsWith(`${windowId} `))
      .map(([, position]) => position)
      .toSorted(comparePositions)[0];
  return frames.filter((frame, at) => {
    const floor = floors.get(trackOf(frame)) ?? earliest(frame.windowId);
    return at >= stored || floor === undefined || comparePositions(frame.position, floor) >= 0;
  });
}

function trackOf({ windowId, track }: PositionedFrame): string {
  return `${windowId} ${track}`;
}
