import { createHash } from 'node:crypto';
import type { Frame, PositionedFrame, SessionCounts } from '@playhead/schemas';
import { NO_COUNTS } from '@playhead/schemas';
import type { ShownFrame } from './core/compare.ts';

/** SHA-256 over everything that a frame is, its position apart. */
export function digestOf(windowId: string, { track, keyframe, timestampMs, payload }: Frame): string {
  return createHash('sha256').update(`${windowId} ${track} ${keyframe} ${timestampMs}\n`).update(payload).digest('base64');
}

export function shownFrame(frame: PositionedFrame): ShownFrame {
  const { position, windowId, track, keyframe } = frame;
  return { position, windowId, track, keyframe, digest: digestOf(windowId, frame) };
}

/** SHA-256 over frames and their positions: what a session is, when its frames are forgotten. */
export function digestOfAll(frames: readonly ShownFrame[]): string {
  const hash = createHash('sha256');
  for (const { position, digest } of frames) hash.update(`${position.offset}.${position.index} ${digest}\n`);
  return hash.digest('base64');
}

const COUNTED = {
  click: 'clicks',
  tap: 'clicks',
  input: 'inputs',
  navigation: 'navigations',
  console: 'consoles',
  request: 'requests',
  error: 'errors',
  crash: 'crashes',
  custom: 'customs',
} as const;

/** What the catalog has to count. */
export function countsOf(frames: readonly PositionedFrame[]): SessionCounts {
  const counts = { ...NO_COUNTS, frames: frames.length };
  for (const { track, keyframe, payload } of frames) {
    if (track === 'image') counts.images++;
    if (keyframe) counts.keyframes++;
    if (track === 'signal') counts[COUNTED[(JSON.parse(new TextDecoder().decode(payload)) as { kind: keyof typeof COUNTED }).kind]]++;
  }
  return counts;
}
