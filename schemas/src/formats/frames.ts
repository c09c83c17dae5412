import { ByteWriter } from '../bytes.ts';
import type { Frame } from '../frame.ts';
import { flagsOf, readFlags, TRACK_CODE, trackOf } from '../frame.ts';
import type { BodyContext, DecodedBody } from './body.ts';
import { readU64 } from './frame-bundle.ts';
import { BodyFrames } from './frame-faults.ts';

/**
 * The native body, format `frames`: what our browser recorder uploads (gzipped).
 *
 *     bytes v1 (big-endian):
 *     ┌───────────────┬──────── per frame ────────────────────────────────────────────────────────────────────┐
 *     │ "PHF" u8 = 1  │ u8 track │ u8 flags (flagsOf) │ u64 Unix ms │ u32 length │ payload (length bytes)        │
 *     └───────────────┴────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * No frame at all is a heartbeat. Recorders before parts of frames wrote the keyframe's bit only; the others were 0.
 */
export const FRAMES_MAGIC = Uint8Array.of(0x50, 0x48, 0x46, 1);
export const FRAMES_HEADER_BYTES = 4;
export const FRAME_HEADER_BYTES = 14;

/** Bytes of a body with these frames (before compression). */
export function framesBytes(frames: readonly { readonly payload: Pick<Uint8Array, 'length'> }[]): number {
  return frames.reduce((sum, { payload }) => sum + FRAME_HEADER_BYTES + payload.length, FRAMES_HEADER_BYTES);
}

/** Lays frames out as a body (before compression). */
export function encodeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(framesBytes(frames));
  writer.raw(FRAMES_MAGIC);
  for (const frame of frames) {
    writer.u8(TRACK_CODE[frame.track]);
    writer.u8(flagsOf(frame));
    writer.u64(frame.timestampMs);
    writer.u32(frame.payload.length);
    writer.raw(frame.payload);
  }
  return writer.bytes();
}

/** The frames of a native body up to the first fault. Never throws; payloads are views. */
export function decodeFrames(bytes: Uint8Array, context: BodyContext): DecodedBody {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames = new BodyFrames(context);
  const shared = Math.min(bytes.length, FRAMES_HEADER_BYTES);
  for (let i = 0; i < shared; i++) {
    if (bytes[i] !== FRAMES_MAGIC[i]) return frames.faulty('invalid_body', 0, 'does not begin with "PHF" and version 1');
  }
  if (shared < FRAMES_HEADER_BYTES) return frames.faulty('truncated_body', 0, `${shared} bytes of the header`);
  let at = FRAMES_HEADER_BYTES;
  while (at < bytes.length) {
    if (bytes.length - at < FRAME_HEADER_BYTES) {
      return frames.faulty('truncated_body', at, `${bytes.length - at} bytes of a header of ${FRAME_HEADER_BYTES}`);
    }
    const track = trackOf(view.getUint8(at));
    if (track === undefined) return frames.faulty('frame_track_unknown', at, `track ${view.getUint8(at)}`);
    const flags = readFlags(view.getUint8(at + 1));
    const timestampMs = readU64(view, at + 2, false);
    const length = view.getUint32(at + 10);
    const begin = at + FRAME_HEADER_BYTES;
    const refused =
      frames.refuseLength(length, bytes.length - begin, at) ??
      frames.take({ track, timestampMs, payload: bytes.subarray(begin, begin + length), ...flags }, at);
    if (refused) return refused;
    at = begin + length;
  }
  return frames.whole();
}
