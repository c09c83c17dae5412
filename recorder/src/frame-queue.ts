import type { Frame, Track } from '@playhead/schemas';
import { LIMITS, partOf } from '@playhead/schemas';
import { TextCutter } from './core/text-cutter.ts';

/** A frame before it is bytes. */
export interface RawFrame {
  readonly track: Track;
  readonly keyframe: boolean;
  readonly timestampMs: number;
  /** JSON of it is the payload. */
  readonly value: unknown;
}

/** A slice of encoding: shorter than a frame of the screen, so that nobody sees it. */
const SLICE_MS = 6;
/** Encoding waits for an idle moment, but not longer than this. */
const IDLE_WITHIN_MS = 60;

/** A payload that is being made, piece by piece. */
interface Encoding {
  readonly cutter: TextCutter;
  readonly pieces: Uint8Array<ArrayBuffer>[];
  bytes: number;
}

/** Why a frame is none: it cannot be made into bytes, as memory has an end and pages replace what is not theirs; or it has too many. */
export type Spoiling = 'fault' | 'too_large';

/**
 * Turns events into bytes a little later, in idle moments and short slices, in order. A large frame is encoded over several
 * slices (only its JSON is written at once), and comes out in parts.
 */
export class FrameQueue {
  #raw: RawFrame[] = [];
  /** Of the first frame. */
  #encoding: Encoding | null = null;
  #scheduled = false;
  readonly #emit: (parts: readonly Frame[]) => void;
  readonly #spoiled: (raw: RawFrame, why: Spoiling) => void;
  readonly #guard: (task: () => void) => () => void;

  /**
   * @param emit one frame: whole, or all of its parts
   * @param spoiled what could not be made into bytes
   */
  constructor(
    emit: (parts: readonly Frame[]) => void,
    spoiled: (raw: RawFrame, why: Spoiling) => void,
    guard: (task: () => void) => () => void,
  ) {
    this.#emit = emit;
    this.#spoiled = spoiled;
    this.#guard = guard;
  }

  get isEmpty(): boolean {
    return this.#raw.length === 0;
  }

  /** A keyframe is on its way out. */
  get holdsKeyframe(): boolean {
    return this.#raw.some((frame) => frame.keyframe);
  }

  push(frame: RawFrame): void {
    this.#raw.push(frame);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const run = this.#guard(() => {
      this.#scheduled = false;
      this.#encode(performance.now() + SLICE_MS);
      if (this.#raw.length > 0) this.#schedule();
    });
    if (typeof requestIdleCallback === 'function') requestIdleCallback(run, { timeout: IDLE_WITHIN_MS });
    else setTimeout(run, 16);
  }

  #encode(untilMs: number): void {
    let done = 0;
    let begun = false;
    try {
      while (done < this.#raw.length && (!begun || performance.now() < untilMs)) {
        begun = true;
        const raw = this.#raw[done];
        if (raw === undefined) break;
        const encoded = this.#step(raw);
        if (encoded === null) continue;
        this.#encoding = null;
        done++;
        if (typeof encoded === 'string') this.#spoiled(raw, encoded);
        else this.#emit(encoded);
      }
    } finally {
      this.#raw.splice(0, done);
    }
  }

  /** Encodes one piece more. Null: there are others. */
  #step(raw: RawFrame): readonly Frame[] | Spoiling | null {
    try {
      const encoding = (this.#encoding ??= begin(raw));
      if (encoding.bytes + encoding.cutter.bytesLeftMin > LIMITS.joinedFrameBytesMax) return 'too_large';
      const piece = encoding.cutter.next();
      encoding.pieces.push(piece);
      encoding.bytes += piece.length;
      if (encoding.bytes > LIMITS.joinedFrameBytesMax) return 'too_large';
      return encoding.cutter.isDone ? framesOf(raw, encoding.pieces) : null;
    } catch {
      return 'fault';
    }
  }

  /** Encodes all of it now: the page goes, or the session changes. */
  drain(): void {
    while (this.#raw.length > 0) this.#encode(Number.POSITIVE_INFINITY);
  }
}

function begin(raw: RawFrame): Encoding {
  return { cutter: new TextCutter(JSON.stringify(raw.value), LIMITS.framePartBytesMax), pieces: [], bytes: 0 };
}

function framesOf(raw: RawFrame, pieces: readonly Uint8Array<ArrayBuffer>[]): Frame[] {
  const { track, keyframe, timestampMs } = raw;
  const [whole] = pieces;
  if (whole !== undefined && pieces.length === 1) return [{ track, keyframe, timestampMs, payload: whole }];
  return pieces.map((piece, number) => partOf(raw, number, piece, number < pieces.length - 1));
}
