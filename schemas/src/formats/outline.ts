import { ByteReader, BytesFault, ByteWriter } from '../bytes.ts';
import type { Frame, OutlinedFrame, StoredFrame, Track } from '../frame.ts';
import { flagsOf, readFlags, TIMESTAMP_MAX_MS, TRACK_CODE, trackOf } from '../frame.ts';
import type { Offset } from '../ids.ts';
import { LIMITS } from '../limits.ts';

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

/** An outline that is longer is not written: a body of nothing but signals would be twice in the log. */
export const OUTLINE_BYTES_MAX = 16 * 1024;

/** The outline of a body's frames, or undefined where it would be longer than OUTLINE_BYTES_MAX. */
export function encodeOutline(
  frames: readonly (Frame | Omit<OutlinedFrame, 'position' | 'windowId'>)[],
): Uint8Array<ArrayBuffer> | undefined {
  const writer = new ByteWriter(64 + frames.length * 8);
  writer.u8(VERSION);
  writer.varint(frames.length);
  let timestampMs = 0;
  for (const frame of frames) {
    writer.varint(flagsOf(frame) * 8 + TRACK_CODE[frame.track]);
    writer.zigzag(frame.timestampMs - timestampMs);
    timestampMs = frame.timestampMs;
    writer.varint(frame.payload.length);
    if (frame.track === 'signal') writer.raw(frame.payload);
    if (writer.length > OUTLINE_BYTES_MAX) return undefined;
  }
  return writer.bytes().slice();
}

/**
 * The reverse: the frames of a body in their places. Payloads of signals are views. Memory: 128 bytes for each byte given.
 *
 * @param offset of the upload
 * @throws {BytesFault} for bytes that `encodeOutline` did not write, and for a picture: it does not stay in its body
 */
export function decodeOutline(bytes: Uint8Array, offset: Offset, windowId: string): StoredFrame[] {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new BytesFault(`outline of version ${version}`, 0);
  const count = reader.varint();
  if (count * FRAME_BYTES_MIN > reader.remaining) throw new BytesFault(`${count} frames in ${reader.remaining} bytes`, reader.at);
  const frames: StoredFrame[] = [];
  let timestampMs = 0;
  for (let index = 0; index < count; index++) {
    const kind = reader.varint();
    const track = textTrackOf(kind % 8);
    if (track === undefined || kind >= 2048) throw new BytesFault(`frame ${index} is of kind ${kind}`, reader.at);
    const { keyframe, part } = readFlags(kind >> 3);
    timestampMs += reader.zigzag();
    if (timestampMs < 0 || timestampMs > TIMESTAMP_MAX_MS) {
      throw new BytesFault(`frame ${index} at ${timestampMs} ms`, reader.at);
    }
    const length = reader.varint();
    if (length === 0 || length > LIMITS.frameBytesMax) throw new BytesFault(`frame ${index} of ${length} bytes`, reader.at);
    const position = { offset, index };
    if (track === 'signal') frames.push({ position, windowId, track, keyframe, timestampMs, part, payload: reader.raw(length) });
    else frames.push({ position, windowId, track, keyframe, timestampMs, part, payload: { length } });
  }
  if (reader.remaining > 0) throw new BytesFault('bytes behind the outline', reader.at);
  return frames;
}

function textTrackOf(code: number): Exclude<Track, 'image'> | undefined {
  const track = trackOf(code);
  return track === 'image' ? undefined : track;
}
