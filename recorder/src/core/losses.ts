import type { Frame, GapReason, Signal, SignalKind, Track } from '@playhead/schemas';
import { isNextPart } from '@playhead/schemas';

/** A stretch of which something is missing, and why. */
export interface Loss {
  readonly reason: GapReason;
  /** Unix ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** What is missing; 0 and 0 where nobody knows. */
  readonly frames: number;
  readonly bytes: number;
  /** Null: of several tracks, or not known. */
  readonly track: Track | null;
  /** Kind of the signals that are missing; absent for everything else. */
  readonly of?: SignalKind;
}

const encoder = new TextEncoder();

/** Two stretches as one. */
function merged(a: Loss, b: Loss): Loss {
  return {
    ...a,
    fromMs: Math.min(a.fromMs, b.fromMs),
    toMs: Math.max(a.toMs, b.toMs),
    frames: a.frames + b.frames,
    bytes: a.bytes + b.bytes,
    track: a.track === b.track ? a.track : null,
  };
}

function lossOf(frame: Frame, reason: GapReason): Loss {
  const { timestampMs, track, payload } = frame;
  return { reason, fromMs: timestampMs, toMs: timestampMs, frames: 1, bytes: payload.length, track };
}

function gapOf({ reason, fromMs, toMs, frames, bytes, track, of }: Loss): Signal {
  return {
    kind: 'gap',
    reason,
    fromMs,
    toMs,
    ...(frames > 0 ? { frames } : {}),
    ...(bytes > 0 ? { bytes } : {}),
    ...(track === null ? {} : { track }),
    ...(of === undefined ? {} : { value: of }),
  };
}

/**
 * What is missing and has not been told yet: one stretch for each reason, however much is lost, so it needs no bound. What
 * was told is a frame like others and can be dropped like others; then its stretch waits here again.
 */
export class Losses {
  readonly #waiting = new Map<string, Loss>();
  readonly #told = new WeakMap<Frame, Loss>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(loss: Loss): void {
    const key = `${loss.reason} ${loss.of ?? ''}`;
    const there = this.#waiting.get(key);
    this.#waiting.set(key, there === undefined ? loss : merged(there, loss));
  }

  /** These frames are gone. */
  drop(frames: readonly Frame[], reason: GapReason): void {
    let before: Frame | null = null;
    for (const frame of frames) {
      const loss = this.#told.get(frame) ?? lossOf(frame, reason);
      // A frame in parts is one frame.
      this.add(before !== null && isNextPart(before, frame) ? { ...loss, frames: 0 } : loss);
      before = frame;
    }
  }

  /** Takes what waits, as signals to be sent. */
  tell(nowMs: number): Frame[] {
    const losses = [...this.#waiting.values()];
    this.#waiting.clear();
    return losses.map((loss) => {
      const frame: Frame = { track: 'signal', keyframe: false, timestampMs: nowMs, payload: encoder.encode(JSON.stringify(gapOf(loss))) };
      this.#told.set(frame, loss);
      return frame;
    });
  }
}
