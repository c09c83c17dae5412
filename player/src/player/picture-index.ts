import type { Position, Track } from '@playhead/schemas';
import { parsePosition } from '@playhead/schemas';
import type { LostOffsets } from '../core/gaps.ts';
import type { BlockListing } from './api.ts';

/** A frame that is in a block: a picture to fetch when it is shown, or a signal. */
export interface StoredFrame {
  readonly position: Position;
  readonly windowId: string;
  readonly track: Track;
  readonly timestampMs: number;
  readonly bytes: number;
}

export interface PictureIndexSurroundings {
  readonly list: () => Promise<BlockListing>;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** Whether blocks are still being added. */
  readonly growing: () => boolean;
  readonly onFrames: (frames: readonly StoredFrame[]) => void;
  readonly onGap: (gap: LostOffsets) => void;
  /** The first listing could not be had. */
  readonly onFault: (cause: unknown) => void;
}

/** Blocks of a live session appear about this often (LIMITS.flushAgeMs). */
const REFRESH_MS = 10_000;

/** Follows what is stored of a session: lists its blocks, and again while they grow. */
export class PictureIndex {
  readonly #around: PictureIndexSurroundings;
  readonly #known = new Set<string>();
  #cancel: () => void = () => undefined;
  #closed = false;
  #loaded = false;

  constructor(around: PictureIndexSurroundings) {
    this.#around = around;
    void this.#refresh();
  }

  /** The first listing was taken over. */
  get loaded(): boolean {
    return this.#loaded;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #refresh(): Promise<void> {
    const growing = this.#around.growing();
    try {
      const listing = await this.#around.list();
      if (this.#closed) return;
      this.#loaded = true;
      this.#around.onFrames(this.#fresh(listing));
      for (const gap of listing.gaps ?? []) this.#around.onGap({ ...gap, reason: 'trimmed' });
    } catch (cause) {
      if (this.#closed) return;
      if (!this.#loaded) this.#around.onFault(cause);
    }
    // Once more after the end, for what was not flushed when it came.
    if (growing) this.#cancel = this.#around.setTimer(REFRESH_MS, () => void this.#refresh());
  }

  #fresh(listing: BlockListing): StoredFrame[] {
    const fresh: StoredFrame[] = [];
    for (const block of listing.blocks) {
      for (const frame of block.frames) {
        if (frame.track !== 'image' && frame.track !== 'signal') continue;
        const position = parsePosition(frame.position);
        if (!position || this.#known.has(frame.position)) continue;
        this.#known.add(frame.position);
        fresh.push({ position, windowId: frame.windowId, track: frame.track, timestampMs: frame.timestampMs, bytes: frame.bytes });
      }
    }
    return fresh;
  }
}
