import type { ErrorCode } from '../errors.ts';
import { ERROR_CODES } from '../errors.ts';
import type { Frame } from '../frame.ts';
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
  take(frame: Frame, byteOffset: number): DecodedBody | undefined {
    const { track, keyframe, timestampMs, payload, part } = frame;
    const latestMs = this.#context.receivedAtMs + LIMITS.timestampAheadMaxMs;
    if (!Number.isSafeInteger(timestampMs) || timestampMs < LIMITS.timestampMinMs || timestampMs > latestMs) {
      return this.faulty('timestamp_out_of_range', byteOffset, `${timestampMs} is not within ${LIMITS.timestampMinMs} .. ${latestMs}`);
    }
    if (part !== undefined && (track !== 'dom' || (keyframe && part.number > 0))) {
      return this.faulty('frame_part_invalid', byteOffset, `part ${part.number} of a ${track} frame${keyframe ? ', a keyframe' : ''}`);
    }
    if (track === 'image') {
      if (imageType(payload) === undefined) {
        return this.faulty('frame_not_image', byteOffset, `begins with ${hexOf(payload.subarray(0, 4))}, which is no JPEG, PNG or WebP`);
      }
    } else if (!looksLikeJson(frame)) {
      return this.faulty('frame_not_json', byteOffset, `a ${track} frame of ${payload.length} bytes is not enclosed in {} or []`);
    }
    // A picture needs nothing before it, whatever its flags say.
    this.#frames.push(track === 'image' && !keyframe ? { ...frame, keyframe: true } : frame);
    return undefined;
  }
}

/** A fault with a message that says what and where. */
function bodyFault(code: ErrorCode, byteOffset: number, frameIndex: number, what: string): BodyFault {
  return { code, message: `${ERROR_CODES[code].text} (frame ${frameIndex} at byte ${byteOffset}: ${what})`, byteOffset, frameIndex };
}

/**
 * True for a payload that is enclosed as a JSON object or array is; of parts, for a first one that begins and a last one
 * that ends so. Deliberately no parse: a frame is only moved here, and a parser would cost more than all else; who draws it
 * parses it and survives what it finds.
 */
function looksLikeJson({ payload, part }: Frame): boolean {
  let first = 0;
  let last = payload.length - 1;
  while (first < last && isSpace(payload[first])) first++;
  while (first < last && isSpace(payload[last])) last--;
  const opens = payload[first] === 0x7b || payload[first] === 0x5b;
  const closes = payload[last] === 0x7d || payload[last] === 0x5d;
  if (part !== undefined) return (part.number > 0 || opens) && (part.continues || closes);
  // A bracket's end is two behind it.
  return first < last && opens && payload[last] === (payload[first] ?? 0) + 2;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
