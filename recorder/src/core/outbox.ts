import type { Frame, GapReason } from '@playhead/schemas';
import { FRAME_HEADER_BYTES } from '@playhead/schemas';
import type { BatchRules } from './batching.ts';
import { batchCount, batchDueAtMs } from './batching.ts';
import { Losses } from './losses.ts';

/**
 * The frames that wait to be sent, bounded. A DOM frame means nothing without those before it, so there is no clever
 * choice of what to drop: when the bound is reached everything that waits goes, later frames are counted and dropped too,
 * and when sending works again `recover` ends that and the recorder starts over with a keyframe.
 */
export class Outbox {
  /** What is missing and still has to be told. */
  readonly losses = new Losses();
  #frames: Frame[] = [];
  #bytes = 0;
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

  get isLossy(): boolean {
    return this.#lossy !== null;
  }

  /** Takes a frame over. `dropped`: the outbox is in its lossy state. `overflowed`: it has just entered it. */
  accept(frame: Frame, nowMs: number, bufferBytesMax: number): 'kept' | 'dropped' | 'overflowed' {
    if (this.#lossy !== null) {
      this.losses.drop([frame], this.#lossy);
      return 'dropped';
    }
    const size = FRAME_HEADER_BYTES + frame.payload.length;
    if (this.#bytes + size > bufferBytesMax) {
      this.drop([...this.clear(), frame], 'buffer_full');
      return 'overflowed';
    }
    this.#frames.push(frame);
    this.#bytes += size;
    this.#firstAtMs ??= nowMs;
    return 'kept';
  }

  /** Everything that waits, taken out. */
  clear(): Frame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    this.#firstAtMs = null;
    return frames;
  }

  /** Frames are gone, here or in a batch that was refused: those behind them mean nothing until there is a keyframe. */
  drop(frames: readonly Frame[], reason: GapReason): void {
    if (frames.length === 0) return;
    this.losses.drop(frames, reason);
    this.#lossy = reason;
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
    const sizes = this.#frames.map((frame) => FRAME_HEADER_BYTES + frame.payload.length);
    const count = batchCount(sizes, batchBytesMax);
    const taken = this.#frames.splice(0, count);
    for (let i = 0; i < count; i++) this.#bytes -= sizes[i] ?? 0;
    this.#lastFlushAtMs = nowMs;
    if (this.#frames.length === 0) {
      this.#firstAtMs = null;
      this.#hurryAtMs = null;
    } else {
      // The rest is overdue already: it only did not fit.
      this.#hurryAtMs = nowMs;
    }
    return taken;
  }
}
