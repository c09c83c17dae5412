import type { BlockIndex, FrameEntry, Position, PositionedFrame } from '@playhead/schemas';
import { comparePositions, PartRuns } from '@playhead/schemas';

/**
 * Where a join at `keyframe` begins. Each track of a window begins at its last keyframe; a track that has none (signals)
 * begins with the earliest of the window's other tracks; a window without any keyframe begins at its start. A keyframe in
 * parts counts from its first part, and only once its last part is there: until then the one before it is drawn from.
 */
export interface Floors {
  readonly tracks: ReadonlyMap<string, Position>;
  readonly windows: ReadonlyMap<string, Position>;
}

type Place = Pick<PositionedFrame, 'position' | 'windowId' | 'track'>;

function trackKey(frame: Pick<Place, 'windowId' | 'track'>): string {
  return `${frame.windowId} ${frame.track}`;
}

/** The floors of all frames that the indexes hold. */
export function floorsOf(indexes: readonly BlockIndex[]): Floors {
  const tracks = new Map<string, Position>();
  const windowOfTrack = new Map<string, string>();
  const runs = new PartRuns<FrameEntry>();
  for (const index of indexes) {
    for (const entry of index.frames) {
      const frame = runs.take(entry).whole?.[0];
      if (frame?.keyframe !== true) continue;
      const key = trackKey(frame);
      const before = tracks.get(key);
      if (before === undefined || comparePositions(before, frame.position) < 0) tracks.set(key, frame.position);
      windowOfTrack.set(key, frame.windowId);
    }
  }
  const windows = new Map<string, Position>();
  for (const [key, position] of tracks) {
    const windowId = windowOfTrack.get(key) ?? '';
    const before = windows.get(windowId);
    if (before === undefined || comparePositions(position, before) < 0) windows.set(windowId, position);
  }
  return { tracks, windows };
}

/** True when the frame is at or behind its floor, or has none. */
export function isAboveFloor(floors: Floors | null, frame: Place): boolean {
  if (floors === null) return true;
  const floor = floors.tracks.get(trackKey(frame)) ?? floors.windows.get(frame.windowId);
  return floor === undefined || comparePositions(frame.position, floor) >= 0;
}
