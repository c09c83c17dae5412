import { LIMITS } from '../limits.ts';
import type { BodyContext, DecodedBody } from './body.ts';
import { BodyFrames } from './frame-faults.ts';

/**
 * The phones' body, format `frame-bundle` (gzipped on its way): pictures, no magic, no trailer.
 *
 *     bytes (big-endian), repeated to the end:
 *     ┌──────────────────────────────────┬────────────┬──────────────────────┐
 *     │ u64 ms since the session's epoch │ u32 length │ JPEG (length bytes)  │
 *     └──────────────────────────────────┴────────────┴──────────────────────┘
 *
 * Format `frame-bundle-le` has the same layout in little-endian, and its u64 is absolute: Unix ms.
 */
export const BUNDLE_HEADER_BYTES = 12;

/** A picture of a bundle. `offsetMs`: since the session's epoch. */
export interface BundleFrame {
  readonly offsetMs: number;
  readonly jpeg: Uint8Array;
}

/** Lays pictures out as a `frame-bundle` (before compression). */
export function encodeFrameBundle(frames: readonly BundleFrame[]): Uint8Array<ArrayBuffer> {
  return encode(
    frames.map(({ offsetMs, jpeg }) => ({ ms: offsetMs, jpeg })),
    false,
  );
}

/** Lays pictures out as a `frame-bundle-le` (before compression). `timestampMs`: Unix ms. */
export function encodeFrameBundleLe(
  frames: readonly { readonly timestampMs: number; readonly jpeg: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  return encode(
    frames.map(({ timestampMs, jpeg }) => ({ ms: timestampMs, jpeg })),
    true,
  );
}

function encode(frames: readonly { ms: number; jpeg: Uint8Array }[], littleEndian: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + BUNDLE_HEADER_BYTES + frame.jpeg.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { ms, jpeg } of frames) {
    view.setBigUint64(at, BigInt(ms), littleEndian);
    view.setUint32(at + 8, jpeg.length, littleEndian);
    bytes.set(jpeg, at + BUNDLE_HEADER_BYTES);
    at += BUNDLE_HEADER_BYTES + jpeg.length;
  }
  return bytes;
}

/** The pictures of a `frame-bundle` up to the first fault. Never throws; payloads are views. */
export function decodeFrameBundle(bytes: Uint8Array, context: BodyContext): DecodedBody {
  return decode(bytes, context, false);
}

/** The pictures of a `frame-bundle-le` up to the first fault. Never throws; payloads are views. */
export function decodeFrameBundleLe(bytes: Uint8Array, context: BodyContext): DecodedBody {
  return decode(bytes, context, true);
}

function decode(bytes: Uint8Array, context: BodyContext, littleEndian: boolean): DecodedBody {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames = new BodyFrames(context);
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < BUNDLE_HEADER_BYTES) {
      return frames.faulty('truncated_body', at, `${bytes.length - at} bytes of a header of ${BUNDLE_HEADER_BYTES}`);
    }
    const ms = readU64(view, at, littleEndian);
    const length = view.getUint32(at + 8, littleEndian);
    const begin = at + BUNDLE_HEADER_BYTES;
    const refused = frames.refuseLength(length, bytes.length - begin, at);
    if (refused) return refused;
    if (!littleEndian && ms > LIMITS.sessionDurationMaxMs) {
      return frames.faulty('timestamp_out_of_range', at, `${ms} ms after the epoch, the limit is ${LIMITS.sessionDurationMaxMs}`);
    }
    const timestampMs = littleEndian ? ms : context.epochMs + ms;
    const faulty = frames.take({ track: 'image', keyframe: true, timestampMs, payload: bytes.subarray(begin, begin + length) }, at);
    if (faulty) return faulty;
    at = begin + length;
  }
  return frames.whole();
}

/** A u64 as a number. Beyond 2^53 it is not exact, which does not matter: every bound lies far below. */
export function readU64(view: DataView, at: number, littleEndian: boolean): number {
  const first = view.getUint32(at, littleEndian);
  const second = view.getUint32(at + 4, littleEndian);
  return littleEndian ? second * 2 ** 32 + first : first * 2 ** 32 + second;
}
