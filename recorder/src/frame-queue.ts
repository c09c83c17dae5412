import type { Frame, Track } from '@playhead/schemas';

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

const encoder = new TextEncoder();

/** Null for what cannot be made into bytes: memory has an end, and pages replace what is not theirs. */
function payloadOf(raw: RawFrame): Uint8Array<ArrayBuffer> | null {
  try {
    return encoder.encode(JSON.stringify(raw.value));
  } catch {
    return null;
  }
}

/** Turns events into bytes a little later, in idle moments and short slices, in order. */
export class FrameQueue {
  #raw: RawFrame[] = [];
  #scheduled = false;
  readonly #emit: (frame: Frame) => void;
  readonly #spoiled: (raw: RawFrame) => void;
  readonly #guard: (task: () => void) => () => void;

  /** @param spoiled what could not be made into bytes */
  constructor(emit: (frame: Frame) => void, spoiled: (raw: RawFrame) => void, guard: (task: () => void) => () => void) {
    this.#emit = emit;
    this.#spoiled = spoiled;
    this.#guard = guard;
  }

  get isEmpty(): boolean {
    return this.#raw.length === 0;
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
    try {
      while (done < this.#raw.length && (done === 0 || performance.now() < untilMs)) {
        const raw = this.#raw[done++];
        if (raw === undefined) break;
        const payload = payloadOf(raw);
        if (payload === null) this.#spoiled(raw);
        else this.#emit({ track: raw.track, keyframe: raw.keyframe, timestampMs: raw.timestampMs, payload });
      }
    } finally {
      this.#raw.splice(0, done);
    }
  }

  /** Encodes all of it now: the page goes, or the session changes. */
  drain(): void {
    while (this.#raw.length > 0) this.#encode(Number.POSITIVE_INFINITY);
  }
}
