import type { ErrorCode } from '../errors.ts';
import { ERROR_CODES } from '../errors.ts';
import type { Frame, Track } from '../frame.ts';
import { imageType } from '../image-info.ts';
import { LIMITS } from '../limits.ts';
import type { BodyContext, BodyFault, DecodedBody } from './body.ts';

/**
 * The checks that every decoder of a body makes on a frame. A decoder collects frames here until the first fault; what
 * was collected stays.
 */
export class BodyFrames {
  readonly #frames: Frame[] = [];
  readonly #context: BodyContext;

  constructor(context: BodyContext) {
    this.#context = context;
  }

  /** The answer when the body was read to its end. */
  whole(): DecodedBody {
    return { frames: this.#frames, fault: null };
  }

  /** The answer when the frame that begins at `byteOffset` is at fault. */
  faulty(code: ErrorCode, byteOffset: number, what: string): DecodedBody {
    return { frames: this.#frames, fault: bodyFault(code, byteOffset, this.#frames.length, what) };
  }

  /** The answer when a frame of the claimed `length` cannot follow at `byteOffset`; undefined when it can. */
  refuseLength(length: number, available: number, byteOffset: number): DecodedBody | undefined {
    if (this.#frames.length >= LIMITS.uploadFramesMax) {
      return this.faulty('too_many_frames', byteOffset, `more than ${LIMITS.uploadFramesMax} frames`);
    }
    if (length === 0) return this.faulty('frame_empty', byteOffset, 'length 0');
    if (length > LIMITS.frameBytesMax) {
      return this.faulty('frame_too_large', byteOffset, `${length} bytes, the limit is ${LIMITS.frameBytesMax}`);
    }
    if (length > available) return this.faulty('truncated_body', byteOffset, `${length} bytes announced, ${available} there`);
    return undefined;
  }

  /** Takes a frame over, or gives the answer when it is at fault. The payload is kept as the view it is. */
  take(track: Track, keyframe: boolean, timestampMs: number, payload: Uint8Array, byteOffset: number): DecodedBody | undefined {
    const latestMs = this.#context.receivedAtMs + LIMITS.timestampAheadMaxMs;
    if (!Number.isSafeInteger(timestampMs) || timestampMs < LIMITS.timestampMinMs || timestampMs > latestMs) {
      return this.faulty('timestamp_out_of_range', byteOffset, `${timestampMs} is not within ${LIMITS.timestampMinMs} .. ${latestMs}`);
    }
    if (track === 'image') {
      if (imageType(payload) === undefined) {
        return this.faulty('frame_not_image', byteOffset, `begins with ${hexOf(payload.subarray(0, 4))}, which is no JPEG, PNG or WebP`);
      }
    } else if (!looksLikeJson(payload)) {
      return this.faulty('frame_not_json', byteOffset, `a ${track} frame of ${payload.length} bytes is not enclosed in {} or []`);
    }
    // A picture needs nothing before it, whatever its flags say.
    this.#frames.push({ track, keyframe: keyframe || track === 'image', timestampMs, payload });
    return undefined;
  }
}

/** A fault with a message that says what and where. */
function bodyFault(code: ErrorCode, byteOffset: number, frameIndex: number, what: string): BodyFault {
  return { code, message: `${ERROR_CODES[code].text} (frame ${frameIndex} at byte ${byteOffset}: ${what})`, byteOffset, frameIndex };
}

/**
 * True for bytes that are enclosed as a JSON object or array is. Deliberately no parse: a frame is only moved here, and a
 * parser would cost more than all else; who draws it parses it and survives what it finds.
 */
function looksLikeJson(bytes: Uint8Array): boolean {
  let first = 0;
  let last = bytes.length - 1;
  while (first < last && isSpace(bytes[first])) first++;
  while (first < last && isSpace(bytes[last])) last--;
  const open = bytes[first];
  const close = bytes[last];
  return first < last && ((open === 0x7b && close === 0x7d) || (open === 0x5b && close === 0x5d));
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
