import type { Frame, PositionedFrame } from './frame.ts';
import { FRAME_PARTS_MAX } from './frame.ts';
import { LIMITS } from './limits.ts';

/**
 * A frame that is too large to travel alone travels as parts, in order, each a frame of its own: servers move, store and
 * send parts as they do whole frames, and never hold or join a large payload. Who draws frames joins them.
 *
 * A recorder may break off in the middle, and an upload in the middle may be lost. So a part has a number, and only parts
 * that follow each other make a frame; anything else is an incomplete frame, which is dropped as a whole and told.
 */

/** What tells that one part goes on with another. */
type PartOf = Pick<PositionedFrame, 'windowId' | 'track' | 'timestampMs' | 'part'>;

/** True when `next` goes on with `before`, a part of the same window and track. */
export function isNextPart(before: Pick<PartOf, 'timestampMs' | 'part'>, next: Pick<PartOf, 'timestampMs' | 'part'>): boolean {
  if (before.part?.continues !== true || next.part === undefined) return false;
  return next.part.number === before.part.number + 1 && next.timestampMs === before.timestampMs;
}

/** True for a part that goes on with another: not the beginning of a frame. */
export function isContinuation(frame: Pick<Frame, 'part'>): boolean {
  return frame.part !== undefined && frame.part.number > 0;
}

/**
 * The frame as parts of at most `partBytesMax` bytes, views of its payload; itself when it is no larger.
 *
 * @throws {RangeError} for a payload of more than FRAME_PARTS_MAX such parts
 */
export function splitFrame(frame: Frame, partBytesMax: number = LIMITS.framePartBytesMax): Frame[] {
  const { length } = frame.payload;
  if (length <= partBytesMax) return [frame];
  const parts: Frame[] = [];
  for (let at = 0; at < length; at += partBytesMax)
    parts.push(partOf(frame, parts.length, frame.payload.subarray(at, at + partBytesMax), at + partBytesMax < length));
  return parts;
}

/**
 * One part of a frame.
 *
 * @throws {RangeError} for a number that flags cannot tell
 */
export function partOf(frame: Omit<Frame, 'payload' | 'part'>, number: number, payload: Uint8Array, continues: boolean): Frame {
  if (number >= FRAME_PARTS_MAX) throw new RangeError(`a frame has at most ${FRAME_PARTS_MAX} parts`);
  const { track, timestampMs } = frame;
  return { track, keyframe: frame.keyframe && number === 0, timestampMs, payload, part: { number, continues } };
}

/** What {@link PartRuns} made of a frame of the stream. */
export interface TakenPart<Part> {
  /** The parts of the frame that is whole now; of a frame that always was, itself alone. */
  readonly whole: readonly Part[] | null;
  /** Frames that nothing can complete any more, each told once: the parts that are there. */
  readonly broken: readonly (readonly Part[])[];
}

/**
 * Finds the parts that make whole frames, whatever they hold: frames of a stream, or entries of a frame index. Windows and
 * tracks may be interleaved in any way.
 */
export class PartRuns<Part extends PartOf> {
  readonly #open = new Map<string, Part[]>();
  /** Time of the frame that was broken last: parts of that time are more of it. */
  readonly #broken = new Map<string, number>();

  /** The parts of frames that are not whole yet; first those of the frame that waits longest for its next part. */
  get open(): readonly (readonly Part[])[] {
    return [...this.#open.values()];
  }

  /** The parts of the frame of this window and track that is not whole yet. */
  runOf(frame: Pick<PartOf, 'windowId' | 'track'>): readonly Part[] | undefined {
    return this.#open.get(runKey(frame));
  }

  /** Takes the next frame of the stream. */
  take(frame: Part): TakenPart<Part> {
    const key = runKey(frame);
    const run = this.#open.get(key);
    const last = run?.at(-1);
    // Deleted and set again: the run that waits longest stays first.
    this.#open.delete(key);
    if (run !== undefined && last !== undefined && isNextPart(last, frame)) {
      run.push(frame);
      if (frame.part?.continues !== true) return { whole: run, broken: [] };
      this.#open.set(key, run);
      return { whole: null, broken: [] };
    }
    const broken: Part[][] = [];
    if (run !== undefined && last !== undefined) {
      broken.push(run);
      this.#broken.set(key, last.timestampMs);
    }
    if (!isContinuation(frame)) {
      if (frame.part?.continues !== true) return { whole: [frame], broken };
      this.#open.set(key, [frame]);
    } else if (this.#broken.get(key) !== frame.timestampMs) {
      broken.push([frame]);
      this.#broken.set(key, frame.timestampMs);
    }
    return { whole: null, broken };
  }

  /** Drops a frame that is not whole yet; what still comes of it is passed over. */
  giveUp(parts: readonly Part[]): void {
    const last = parts.at(-1);
    if (last === undefined) return;
    this.#open.delete(runKey(last));
    this.#broken.set(runKey(last), last.timestampMs);
  }
}

function runKey(frame: Pick<PartOf, 'windowId' | 'track'>): string {
  return `${frame.windowId} ${frame.track}`;
}
