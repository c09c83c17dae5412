import type { Frame, GapReason } from '@playhead/schemas';
import { FRAME_HEADER_BYTES, FRAME_PARTS_MAX, isContinuation, isNextPart, LIMITS } from '@playhead/schemas';
import type { BatchRules } from './batching.ts';
import { batchCount, batchDueAtMs } from './batching.ts';
import { Losses } from './losses.ts';

/** What frames in parts may take: one of the largest may wait. */
const PARTS_BYTES_MAX = LIMITS.joinedFrameBytesMax + FRAME_PARTS_MAX * FRAME_HEADER_BYTES;

function sizeOf(frame: Frame): number {
  return FRAME_HEADER_BYTES + frame.payload.length;
}

/**
 * The frames that wait to be sent, bounded: those that are whole by the buffer's size, those in parts by PARTS_BYTES_MAX. A
 * DOM frame means nothing without those before it, so there is no clever choice of what to drop: when the bound is reached
 * everything that waits goes, later frames are counted and dropped too, and when sending works again `recover` ends that and
 * the recorder starts over with a keyframe.
 */
export class Outbox {
  /** What is missing and still has to be told. */
  readonly losses = new Losses();
  #frames: Frame[] = [];
  #bytes = 0;
  #partBytes = 0;
  #firstAtMs: number | null = null;
  #lastFlushAtMs = 0;
  #hurryAtMs: number | null = null;
  /** Why frames are dropped now; null: they are not. */
  #lossy: GapReason | null = null;

  get count(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A keyframe is on its way out, or what is left of one; of a large change, which is rare, the same is said. */
  get holdsKeyframe(): boolean {
    return this.#frames.some((frame) => frame.keyframe || isContinuation(frame));
  }

  get isLossy(): boolean {
    return this.#lossy !== null;
  }

  /** Takes a frame over. `dropped`: the outbox is in its lossy state. `overflowed`: it has just entered it. */
  accept(frame: Frame, nowMs: number, bufferBytesMax: number): 'kept' | 'dropped' | 'overflowed' {
    return this.acceptParts([frame], nowMs, bufferBytesMax);
  }

  /** The same for a frame in parts: all of them or none. */
  acceptParts(parts: readonly Frame[], nowMs: number, bufferBytesMax: number): 'kept' | 'dropped' | 'overflowed' {
    if (this.#lossy !== null) {
      this.losses.drop(parts, this.#lossy);
      return 'dropped';
    }
    const size = parts.reduce((sum, part) => sum + sizeOf(part), 0);
    const inParts = parts.length > 1;
    const fits = inParts ? this.#partBytes + size <= PARTS_BYTES_MAX : this.#bytes - this.#partBytes + size <= bufferBytesMax;
    if (!fits) {
      this.drop([...this.clear(), ...parts], 'buffer_full');
      return 'overflowed';
    }
    this.#frames.push(...parts);
    this.#bytes += size;
    if (inParts) this.#partBytes += size;
    this.#firstAtMs ??= nowMs;
    return 'kept';
  }

  /** Everything that waits, taken out. */
  clear(): Frame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    this.#partBytes = 0;
    this.#firstAtMs = null;
    return frames;
  }

  /** Frames are gone, here or in a batch that was refused: those behind them mean nothing until there is a keyframe. */
  drop(frames: readonly Frame[], reason: GapReason): void {
    if (frames.length === 0) return;
    this.losses.drop([...frames, ...this.#takeRestOf(frames.at(-1))], reason);
    this.#lossy = reason;
  }

  /** Takes out the parts that go on with this one: nobody can use them. */
  #takeRestOf(part: Frame | undefined): Frame[] {
    const rest: Frame[] = [];
    for (let before = part, [next] = this.#frames; before && next && isNextPart(before, next); before = next, [next] = this.#frames) {
      rest.push(next);
      this.#take(1);
    }
    return rest;
  }

  /** Frames are taken again. True when they were not before. */
  recover(): boolean {
    const wasLossy = this.isLossy;
    this.#lossy = null;
    return wasLossy;
  }

  /** What is missing is told among the frames that wait, unless those are dropped now. True when there was something to tell. */
  tell(nowMs: number, bufferBytesMax: number): boolean {
    if (this.isLossy || this.losses.isEmpty) return false;
    for (const frame of this.losses.tell(nowMs)) this.accept(frame, nowMs, bufferBytesMax);
    return true;
  }

  /** What waits leaves at once, however little. */
  hurry(nowMs: number): void {
    this.#hurryAtMs = nowMs;
  }

  /** Unix ms; null when nothing waits. */
  dueAtMs(rules: BatchRules): number | null {
    if (this.#firstAtMs === null) return null;
    if (this.#hurryAtMs !== null) return this.#hurryAtMs;
    return batchDueAtMs({ firstAtMs: this.#firstAtMs, bytes: this.#bytes }, this.#lastFlushAtMs, rules);
  }

  /** The next batch. Frames that stay behind are as urgent as if they had come now. */
  take(nowMs: number, batchBytesMax: number): Frame[] {
    const taken = this.#take(batchCount(this.#frames.map(sizeOf), batchBytesMax));
    this.#lastFlushAtMs = nowMs;
    // The rest is overdue already: it only did not fit.
    if (this.#frames.length > 0) this.#hurryAtMs = nowMs;
    return taken;
  }

  #take(count: number): Frame[] {
    const taken = this.#frames.splice(0, count);
    for (const frame of taken) {
      this.#bytes -= sizeOf(frame);
      if (frame.part !== undefined) this.#partBytes -= sizeOf(frame);
    }
    if (this.#frames.length === 0) {
      this.#firstAtMs = null;
      this.#hurryAtMs = null;
    }
    return taken;
  }
}
