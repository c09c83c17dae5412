import type { IncompleteFrame, Joined, Position, PositionedFrame } from '@playhead/schemas';
import { comparePositions, FrameJoiner, isContinuation, LIMITS } from '@playhead/schemas';

/** What became of frames that came: whole ones, and those of which the rest will not come. */
export interface Spliced {
  readonly frames: readonly PositionedFrame[];
  readonly incomplete: readonly IncompleteFrame[];
}

/**
 * Two streams of one session made one. The *edge* begins with the last keyframe of each window and track and goes on for as long
 * as somebody watches; *history* begins at the start and is read until it meets the edge. Every frame comes out once, however the
 * two are interleaved.
 *
 * Each stream is in order of position and gives each position once. From its first position of a window and track on the edge has
 * everything of them: what history has of them there or behind is dropped. A frame in parts may begin before that position and end
 * behind it: the parts that the edge has of it are put to those of history.
 */
export class Splice {
  readonly #edge = new FrameJoiner();
  readonly #history = new FrameJoiner();
  /** Of each window and track: the first position of the edge. */
  readonly #met = new Map<string, Position>();
  #meetsAt: Position | null = null;
  /** Of each window and track: the last position that was taken from history. */
  readonly #past = new Map<string, Position>();
  #historyAt: Position | null = null;
  /** Windows and tracks of which the edge has begun a frame. */
  readonly #begun = new Set<string>();
  /** What the edge has of frames that began before it, until history was read; null from then on. */
  #held: PositionedFrame[] | null = [];
  #heldBytes = 0;

  /** History has come to where the edge begins: there is nothing more to be had of it, if the edge has told all that it begins with. */
  get hasMet(): boolean {
    const [at, meetsAt] = [this.#historyAt, this.#meetsAt];
    return at !== null && meetsAt !== null && comparePositions(at, meetsAt) >= 0;
  }

  /** Frames that are not whole yet, and are not waited for from history. */
  get open(): readonly IncompleteFrame[] {
    return this.#held === null ? [...this.#history.open, ...this.#edge.open] : this.#edge.open;
  }

  /** Takes frames of the edge. */
  edge(frames: readonly PositionedFrame[]): Spliced {
    return collect(frames.flatMap((frame) => this.#takeEdge(frame)));
  }

  /** Takes frames of history. */
  history(frames: readonly PositionedFrame[]): Spliced {
    return collect(frames.flatMap((frame) => this.#takeHistory(frame)));
  }

  /** History was read until it met the edge; or there is none, and the edge begins at the start. */
  endHistory(): Spliced {
    const held = this.#held ?? [];
    this.#held = null;
    return collect(held.map((frame) => this.#finish(frame)));
  }

  #takeEdge(frame: PositionedFrame): readonly Joined[] {
    const key = keyOf(frame);
    if (!this.#met.has(key)) {
      this.#met.set(key, frame.position);
      if (this.#meetsAt === null || comparePositions(frame.position, this.#meetsAt) > 0) this.#meetsAt = frame.position;
    }
    const past = this.#past.get(key);
    if (past !== undefined && comparePositions(frame.position, past) <= 0) return [];
    if (this.#begun.has(key)) return [this.#edge.take(frame)];
    if (isContinuation(frame)) return this.#toHistory(frame);
    this.#begun.add(key);
    return [...this.#toHistory(beginningOf(frame)), this.#edge.take(frame)];
  }

  #takeHistory(frame: PositionedFrame): readonly Joined[] {
    const key = keyOf(frame);
    this.#historyAt = frame.position;
    if (this.#held === null) return [];
    const met = this.#met.get(key);
    if (met !== undefined && comparePositions(frame.position, met) >= 0) return [];
    this.#past.set(key, frame.position);
    return [this.#history.take(frame)];
  }

  /** The rest of a frame that began in history, or the beginning that shows that no rest will come. */
  #toHistory(frame: PositionedFrame): readonly Joined[] {
    if (this.#held === null) return [this.#finish(frame)];
    // More than a frame may hold is of no use: its frame will be told as incomplete.
    if (this.#heldBytes + frame.payload.length > LIMITS.joinedFrameBytesMax) return [];
    this.#heldBytes += frame.payload.length;
    this.#held.push({ ...frame, payload: frame.payload.slice() });
    return [];
  }

  #finish(frame: PositionedFrame): Joined {
    const joined = this.#history.take(frame);
    return frame.part === undefined ? { ...joined, frame: null } : joined;
  }
}

/** That a frame begins here, without the frame itself. */
function beginningOf({ position, windowId, track, timestampMs }: PositionedFrame): PositionedFrame {
  return { position, windowId, track, timestampMs, keyframe: false, payload: new Uint8Array() };
}

function keyOf(frame: Pick<PositionedFrame, 'windowId' | 'track'>): string {
  return `${frame.windowId} ${frame.track}`;
}

function collect(joined: readonly Joined[]): Spliced {
  return {
    frames: joined.flatMap(({ frame }) => (frame === null ? [] : [frame])),
    incomplete: joined.flatMap(({ incomplete }) => incomplete),
  };
}
