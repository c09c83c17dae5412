import { ByteWriter } from '../bytes.ts';
import type { Frame } from '../frame.ts';
import { TRACK_CODE } from '../frame.ts';

/**
 * The native body, format `frames`: what our browser recorder uploads (gzipped).
 *
 *     bytes v1 (big-endian):
 *     ┌───────────────┬──────── per frame ────────────────────────────────────────────────────────────────────┐
 *     │ "PHF" u8 = 1  │ u8 track │ u8 flags (bit 0 keyframe) │ u64 Unix ms │ u32 length │ payload (length bytes) │
 *     └───────────────┴────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * No frame at all is a heartbeat.
 */
export const FRAMES_MAGIC = Uint8Array.of(0x50, 0x48, 0x46, 1);
export const FRAMES_HEADER_BYTES = 4;
export const FRAME_HEADER_BYTES = 14;
export const FLAG_KEYFRAME = 1;

/** Lays frames out as a body (before compression). */
export function encodeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(frames.reduce((sum, frame) => sum + FRAME_HEADER_BYTES + frame.payload.length, FRAMES_HEADER_BYTES));
  writer.raw(FRAMES_MAGIC);
  for (const frame of frames) {
    writer.u8(TRACK_CODE[frame.track]);
    writer.u8(frame.keyframe ? FLAG_KEYFRAME : 0);
    writer.u64(frame.timestampMs);
    writer.u32(frame.payload.length);
    writer.raw(frame.payload);
  }
  return writer.bytes();
}
