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
 *
 * A `dom` frame that is too large to travel alone travels as parts (`frame-parts.ts`); each is a frame here.
 */
export interface Frame {
  readonly track: Track;
  /** A window can be drawn from this frame with nothing before it. */
  readonly keyframe: boolean;
  /** Unix time in ms by the recorder's clock. */
  readonly timestampMs: number;
  readonly payload: Uint8Array;
  /** Absent: the frame is whole. */
  readonly part?: FramePart | undefined;
}

/** Which part of a frame this is. All parts have the frame's time; only the first can be a keyframe. */
export interface FramePart {
  /** From 0; below FRAME_PARTS_MAX. */
  readonly number: number;
  /** The payload goes on in the next frame of this window and track. */
  readonly continues: boolean;
}

/** What a frame's flags can number. */
export const FRAME_PARTS_MAX = 64;

const FLAG_KEYFRAME = 1;
const FLAG_CONTINUES = 2;
const PART_UNIT = 4;

/**
 * The flags of a frame, one byte in every format:
 *
 *     ┌──────────────────────────────────────────────────────────────────┬─────────────────────┬────────────────┐
 *     │ bits 2..7: number of the part, 0 for the first and a whole frame │ bit 1: continues    │ bit 0 keyframe │
 *     └──────────────────────────────────────────────────────────────────┴─────────────────────┴────────────────┘
 *
 * @throws {RangeError} for a part beyond FRAME_PARTS_MAX
 */
export function flagsOf({ keyframe, part }: Pick<Frame, 'keyframe' | 'part'>): number {
  const { number, continues } = part ?? WHOLE;
  if (!(number >= 0 && number < FRAME_PARTS_MAX)) throw new RangeError(`part ${number} of a frame`);
  return number * PART_UNIT + (continues ? FLAG_CONTINUES : 0) + (keyframe ? FLAG_KEYFRAME : 0);
}

const WHOLE: FramePart = { number: 0, continues: false };

/** The reverse, for the flags of one byte. */
export function readFlags(flags: number): Pick<Frame, 'keyframe' | 'part'> {
  const keyframe = (flags & FLAG_KEYFRAME) !== 0;
  if (flags <= FLAG_KEYFRAME) return { keyframe };
  return { keyframe, part: { number: Math.floor(flags / PART_UNIT), continues: (flags & FLAG_CONTINUES) !== 0 } };
}

/** Of flags: what {@link readFlags} tells, without an object for it. */
export function isKeyframe(flags: number): boolean {
  return (flags & FLAG_KEYFRAME) !== 0;
}

/** Of flags: a part that goes on with another is not the beginning of a frame. */
export function goesOn(flags: number): boolean {
  return flags >= PART_UNIT;
}

/** Two times are not further apart than a block can tell: the latest time of a frame that is stored. */
export const TIMESTAMP_MAX_MS = 2 ** 51;

/** A frame in its session. */
export interface PositionedFrame extends Frame {
  readonly position: Position;
  readonly windowId: string;
}

export const SIGNAL_KINDS = ['click', 'tap', 'input', 'navigation', 'console', 'request', 'error', 'crash', 'custom', 'gap'] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

/**
 * Why a recorder has a gap. Readers take any other word of this form as well ({@link isGapReason}): a recorder may know more
 * than they do.
 *
 * - `background`: the app was in the background, or the browser had frozen the page
 * - `buffer_full`: more waited to be sent than the recorder may hold
 * - `refused`: ingest refused an upload for good
 * - `session_over`: the upload came when the session took no more
 * - `too_large`: a single frame was larger than any may be
 * - `keyframe_lost`: no keyframe could be taken, and nothing can be drawn before the next one
 * - `page_left`: the page was left before all of it could be sent
 * - `too_many_signals`: more signals of one kind (`value`) than are recorded
 * - `fault`: the recorder could not take down something that happened
 */
export const GAP_REASONS = [
  'background',
  'buffer_full',
  'refused',
  'session_over',
  'too_large',
  'keyframe_lost',
  'page_left',
  'too_many_signals',
  'fault',
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** A word that can be a reason. */
export function isGapReason(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-z0-9_]{0,39}$/.test(value);
}

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
  /** Of a `gap`: a {@link GapReason}, or the word of a recorder that knows more. */
  readonly reason?: string;
  /** Of a `gap`: the moments between which something is missing, Unix ms by the recorder's clock. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Of a `gap`: how many frames and bytes (before compression) are missing; absent where nobody knows. */
  readonly frames?: number;
  readonly bytes?: number;
  /** Of a `gap`: the track of all that is missing; absent where it is of several, or unknown. */
  readonly track?: Track;
}
