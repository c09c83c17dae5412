import { ByteReader, BytesFault, ByteWriter } from '../bytes.ts';
import type { Frame, Track } from '../frame.ts';
import { flagsOf, goesOn, isKeyframe, TIMESTAMP_MAX_MS, TRACK_CODE, trackOf } from '../frame.ts';
import { LIMITS } from '../limits.ts';
import { FRAME_HEADER_BYTES, FRAMES_HEADER_BYTES } from './frames.ts';

/**
 * The outline of a native body: its frames with all payloads left out but those of signals. It is what compaction needs of a body
 * that a block keeps as it came. Ingest, which inflates every body to judge it, writes it, so that nobody inflates the body
 * again before somebody watches.
 *
 *     bytes v1 (u = unsigned LEB128 varint, z = zigzag varint):
 *     ┌────────┬──────────┬──────── per frame ──────────────────────────────────────────────────────────────────────┐
 *     │ u8 = 1 │ u frames │ u flags (flagsOf) × 8 + track code │ z Unix ms - that of the frame before (the first:   │
 *     │        │          │ Unix ms) │ u length of the payload │ of signals: the payload                            │
 *     └────────┴──────────┴─────────────────────────────────────────────────────────────────────────────────────────┘
 */
const VERSION = 1;
/** Fewest bytes of a frame: three numbers. */
const FRAME_BYTES_MIN = 3;

/** An outline that is longer is not logged: a body of nothing but signals would be twice in the log. */
export const OUTLINE_BYTES_MAX = 16 * 1024;

/** An outline whose bytes were looked through: all of them are sound. What its frames tell together. */
export interface Outline {
  readonly bytes: Uint8Array;
  readonly frames: number;
  /** Those that are no part which goes on with another. */
  readonly begun: number;
  readonly keyframes: number;
  readonly signals: number;
  /** The earliest and the latest time, Unix ms; Infinity and -Infinity without a frame. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Bytes of the body before compression. */
  readonly rawLength: number;
}

/**
 * The outline of a body's frames.
 *
 * @throws {RangeError} for a picture: it does not stay in its body
 */
export function encodeOutline(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(64 + frames.length * 8);
  writer.u8(VERSION);
  writer.varint(frames.length);
  let timestampMs = 0;
  for (const frame of frames) {
    if (frame.track === 'image') throw new RangeError('a picture in an outline');
    writer.varint(flagsOf(frame) * 8 + TRACK_CODE[frame.track]);
    writer.zigzag(frame.timestampMs - timestampMs);
    timestampMs = frame.timestampMs;
    writer.varint(frame.payload.length);
    if (frame.track === 'signal') writer.raw(frame.payload);
  }
  return writer.bytes().slice();
}

/**
 * Looks through an outline without keeping anything of it but its bytes.
 *
 * @throws {BytesFault} for bytes that `encodeOutline` did not write, and for a picture
 */
export function readOutline(bytes: Uint8Array): Outline {
  const frame = new OutlineCursor(bytes);
  let begun = 0;
  let keyframes = 0;
  let signals = 0;
  let rawLength = FRAMES_HEADER_BYTES;
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = Number.NEGATIVE_INFINITY;
  while (frame.next()) {
    if (!goesOn(frame.flags)) begun++;
    if (isKeyframe(frame.flags)) keyframes++;
    if (frame.track === 'signal') signals++;
    rawLength += FRAME_HEADER_BYTES + frame.length;
    if (frame.timestampMs < firstMs) firstMs = frame.timestampMs;
    if (frame.timestampMs > lastMs) lastMs = frame.timestampMs;
  }
  return { bytes, frames: frame.index, begun, keyframes, signals, firstMs, lastMs, rawLength };
}

/**
 * Goes through the frames of an outline: {@link next} comes to the next one, and the fields tell of it. Memory: nothing for a frame.
 *
 * @throws {BytesFault} (constructor and `next`) for bytes that `encodeOutline` did not write, and for a picture
 */
export class OutlineCursor {
  readonly #reader: ByteReader;
  readonly #count: number;
  /** Of the frame in its upload; behind the last, how many there are. */
  index = -1;
  track: Exclude<Track, 'image'> = 'dom';
  /** See {@link flagsOf}. */
  flags = 0;
  timestampMs = 0;
  /** Bytes of the payload. */
  length = 0;
  /** Where in the outline the payload is: of a signal. */
  at = 0;

  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes);
    const version = reader.u8();
    if (version !== VERSION) throw new BytesFault(`outline of version ${version}`, 0);
    this.#count = reader.varint();
    if (this.#count * FRAME_BYTES_MIN > reader.remaining)
      throw new BytesFault(`${this.#count} frames in ${reader.remaining} bytes`, reader.at);
    this.#reader = reader;
  }

  /** False behind the last. */
  next(): boolean {
    const reader = this.#reader;
    const index = ++this.index;
    if (index >= this.#count) {
      if (reader.remaining > 0) throw new BytesFault('bytes behind the outline', reader.at);
      return false;
    }
    const kind = reader.varint();
    const track = trackOf(kind & 7);
    if (track === undefined || track === 'image' || kind >= 2048) throw new BytesFault(`frame ${index} is of kind ${kind}`, reader.at);
    const timestampMs = this.timestampMs + reader.zigzag();
    if (timestampMs < 0 || timestampMs > TIMESTAMP_MAX_MS) throw new BytesFault(`frame ${index} at ${timestampMs} ms`, reader.at);
    const length = reader.varint();
    if (length === 0 || length > LIMITS.frameBytesMax) throw new BytesFault(`frame ${index} of ${length} bytes`, reader.at);
    this.track = track;
    this.flags = kind >> 3;
    this.timestampMs = timestampMs;
    this.length = length;
    this.at = reader.at;
    if (track === 'signal') reader.skip(length);
    return true;
  }
}
