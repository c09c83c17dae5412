import type { PositionedFrame } from './frame.ts';
import { isContinuation, PartRuns } from './frame-parts.ts';
import { LIMITS } from './limits.ts';

/**
 * Why a frame is missing although parts of it came.
 *
 * - `interrupted`: its recorder began anew, or an upload in the middle is lost
 * - `no-beginning`: its first part is not in the stream
 * - `too-large`: it passes LIMITS.joinedFrameBytesMax, or too many are open at a time (LIMITS.joiningBytesMax)
 */
export type IncompleteReason = 'interrupted' | 'no-beginning' | 'too-large';

/** A frame that cannot be shown: where it began (as far as that is known), and why. */
export interface IncompleteFrame extends Pick<PositionedFrame, 'position' | 'windowId' | 'track' | 'keyframe' | 'timestampMs'> {
  readonly reason: IncompleteReason;
}

export interface JoinLimits {
  readonly frameBytesMax: number;
  readonly joiningBytesMax: number;
}

const JOIN_LIMITS: JoinLimits = { frameBytesMax: LIMITS.joinedFrameBytesMax, joiningBytesMax: LIMITS.joiningBytesMax };

export interface Joined {
  /** The frame that is whole now, at the position of its first part. */
  readonly frame: PositionedFrame | null;
  /** Frames that will not come any more, each told once. */
  readonly incomplete: readonly IncompleteFrame[];
}

/**
 * Joins the parts of one session's stream into frames; whole frames pass through. Only whole frames come out.
 *
 * Memory: the payloads of open frames, copied, at most `joiningBytesMax`.
 */
export class FrameJoiner {
  readonly #runs = new PartRuns<PositionedFrame>();
  readonly #limits: JoinLimits;
  #bytes = 0;

  constructor(limits: JoinLimits = JOIN_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes of the parts that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Frames that are not whole yet: missing, if nothing more comes. */
  get open(): readonly IncompleteFrame[] {
    return this.#runs.open.map((parts) => incompleteOf(parts, 'interrupted'));
  }

  /** Takes the next frame of the stream; each may come once. */
  take(frame: PositionedFrame): Joined {
    const isPart = frame.part !== undefined;
    const before = this.#bytesOfRun(frame);
    // A copy: the view may be all that is wanted of a large message.
    const { whole, broken } = this.#runs.take(isPart ? { ...frame, payload: frame.payload.slice() } : frame);
    const incomplete = broken.map((parts) => incompleteOf(parts, isContinuation(parts[0] ?? frame) ? 'no-beginning' : 'interrupted'));
    // Only what changed is counted: to add up all that is open would take longer with every window that somebody leaves open.
    this.#bytes += this.#bytesOfRun(frame) - before;
    if (isPart) incomplete.push(...this.#keepWithin(frame));
    if (!isPart || whole === null) return { frame: isPart ? null : frame, incomplete };
    const bytes = bytesOf(whole);
    if (bytes <= this.#limits.frameBytesMax) return { frame: joinParts(whole, bytes), incomplete };
    return { frame: null, incomplete: [...incomplete, incompleteOf(whole, 'too-large')] };
  }

  #bytesOfRun(frame: PositionedFrame): number {
    return bytesOf(this.#runs.runOf(frame) ?? []);
  }

  /** Gives frames up until what waits is within the limits: that of the newest part where it is too large, then those that wait longest. */
  #keepWithin(newestPart: PositionedFrame): IncompleteFrame[] {
    const given: IncompleteFrame[] = [];
    const giveUp = (parts: readonly PositionedFrame[]): void => {
      this.#runs.giveUp(parts);
      this.#bytes -= bytesOf(parts);
      given.push(incompleteOf(parts, 'too-large'));
    };
    const newest = this.#runs.runOf(newestPart);
    if (newest !== undefined && bytesOf(newest) > this.#limits.frameBytesMax) giveUp(newest);
    if (this.#bytes <= this.#limits.joiningBytesMax) return given;
    for (const parts of this.#runs.open) if (this.#bytes > this.#limits.joiningBytesMax) giveUp(parts);
    return given;
  }
}

function bytesOf(parts: readonly PositionedFrame[]): number {
  return parts.reduce((sum, { payload }) => sum + payload.length, 0);
}

function incompleteOf(parts: readonly PositionedFrame[], reason: IncompleteReason): IncompleteFrame {
  const [first] = parts;
  if (first === undefined) throw new Error('a frame without parts');
  const { position, windowId, track, keyframe, timestampMs } = first;
  return { position, windowId, track, keyframe, timestampMs, reason };
}

function joinParts(parts: readonly PositionedFrame[], bytes: number): PositionedFrame {
  const [first] = parts;
  if (first === undefined) throw new Error('a frame without parts');
  const payload = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    payload.set(part.payload, at);
    at += part.payload.length;
  }
  const { position, windowId, track, keyframe, timestampMs } = first;
  return { position, windowId, track, keyframe, timestampMs, payload };
}
