import type { Position } from './position.ts';

/** The kind of a frame. The number is its code in every byte format; a code is never given a new meaning. */
export const TRACKS = ['dom', 'image', 'hierarchy', 'signal'] as const;
export type Track = (typeof TRACKS)[number];

export const TRACK_CODE: Readonly<Record<Track, number>> = { dom: 1, image: 2, hierarchy: 3, signal: 4 };

export function trackOf(code: number): Track | undefined {
  return TRACKS[code - 1];
}

/**
 * One timestamped unit of replay.
 *
 * `payload` by track:
 * - `dom`: UTF-8 JSON of one rrweb event; of an array `[Meta, FullSnapshot]` when it is a keyframe (a viewer gets both or none)
 * - `image`: the bytes of one JPEG, PNG or WebP picture; always a keyframe
 * - `signal`: UTF-8 JSON of a {@link Signal}
 * - `hierarchy`: UTF-8 JSON of a view hierarchy
 */
export interface Frame {
  readonly track: Track;
  /** A window can be drawn from this frame with nothing before it. */
  readonly keyframe: boolean;
  /** Unix time in ms by the recorder's clock. */
  readonly timestampMs: number;
  readonly payload: Uint8Array;
}

/** A frame in its session. */
export interface PositionedFrame extends Frame {
  readonly position: Position;
  readonly windowId: string;
}

export const SIGNAL_KINDS = ['click', 'tap', 'input', 'navigation', 'console', 'request', 'error', 'crash', 'custom'] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

/** A fact about the session that is not a picture: the payload of a `signal` frame. Strings are cut by the recorder (LIMITS.signalTextCharsMax). */
export interface Signal {
  readonly kind: SignalKind;
  /** CSS selector of the element. */
  readonly selector?: string;
  /** What a person would read: a button's label, an error's message. Never an input's value. */
  readonly text?: string;
  readonly url?: string;
  readonly value?: string;
  /** Place in the viewport, CSS px. */
  readonly x?: number;
  readonly y?: number;
}
