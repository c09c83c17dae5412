import type { Frame } from '@playhead/schemas';
import { FRAME_HEADER_BYTES } from '@playhead/schemas';
import type { BatchRules } from './batching.ts';
import { batchCount, batchDueAtMs } from './batching.ts';

/** What did not fit and was dropped. */
export interface Loss {
  readonly frames: number;
  readonly bytes: number;
  /** Times of the first and the last frame that is missing, Unix ms. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Two losses as one. */
export function addLoss(a: Loss | null, b: Loss): Loss {
  if (a === null) return b;
  return { frames: a.frames + b.frames, bytes: a.bytes + b.bytes, fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs) };
}

function lossOf(frames: readonly Frame[]): Loss | null {
  let loss: Loss | null = null;
  for (const frame of frames) {
    loss = addLoss(loss, { frames: 1, bytes: frame.payload.length, fromMs: frame.timestampMs, toMs: frame.timestampMs });
  }
  return loss;
}

/**
 * The frames that wait to be sent, bounded. A DOM frame means nothing without those before it, so there is no clever
 * choice of what to drop: when the bound is reached everything that waits goes, later frames are counted and dropped too,
 * and when sending works again `recover` says what was lost and the recorder starts over with a keyframe.
 */
export class Outbox {
  #frames: Frame[] = [];
  #bytes = 0;
  #firstAtMs: number | null = null;
  #lastFlushAtMs = 0;
  #hurryAtMs: number | null = null;
  #loss: Loss | null = null;

  get count(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get loss(): Loss | null {
    return this.#loss;
  }

  /** Takes a frame over. `dropped`: the outbox is in its lossy state. `overflowed`: it has just entered it. */
  accept(frame: Frame, nowMs: number, bufferBytesMax: number): 'kept' | 'dropped' | 'overflowed' {
    if (this.#loss !== null) {
      this.drop([frame]);
      return 'dropped';
    }
    const size = FRAME_HEADER_BYTES + frame.payload.length;
    if (this.#bytes + size > bufferBytesMax) {
      this.drop([...this.clear(), frame]);
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

  /** Counts frames that are gone, here or in a batch that was refused. */
  drop(frames: readonly Frame[]): void {
    const loss = lossOf(frames);
    if (loss !== null) this.#loss = addLoss(this.#loss, loss);
  }

  /** Frames are taken again; answers what was lost meanwhile, null when nothing was. */
  recover(): Loss | null {
    const loss = this.#loss;
    this.#loss = null;
    return loss;
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
