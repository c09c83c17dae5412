import { gunzipSync } from 'node:zlib';
import type { BodyCodec, BodyFault, ErrorCode } from '@playhead/schemas';
import { ERROR_CODES, LIMITS } from '@playhead/schemas';
import { gunzipSalvage, gunzipWhole } from './gunzip-salvage.ts';
import { alone } from './plain-bytes.ts';
import { gzipClaim, roomFor } from './room.ts';

/** What inflating a body gave. With a fault, `bytes` is what came out before it. */
export interface InflatedBody {
  /** Empty when the fault is that a gzip body holds too much. */
  readonly bytes: Uint8Array;
  /** `truncated_body`, `corrupt_codec` or `inflated_too_large`; its frame index is 0, because frames are not known here. */
  readonly fault: BodyFault | null;
}

/**
 * Bodies up to here are tried on this thread, bundles of pictures too: to inflate one takes 0.1 to 0.2 ms, to hand it over to another thread as long again, and
 * the garbage collector then runs half as often again (docs/performance.md).
 */
const SMALL_BODY_BYTES_MAX = 256 * 1024;

/** What a small body may hold to be inflated on this thread. With its size this bounds an attempt to some ms, whatever the body is or says of itself. */
const SMALL_INFLATED_BYTES_MAX = 1024 * 1024;

/**
 * Inflates a body, bounded by LIMITS.uploadInflatedBytesMax. Never rejects: a truncated or damaged body gives what could be
 * inflated, and the fault; a bomb gives the fault alone, at once. Gzip of several members is inflated to its end; what
 * follows the last one is ignored.
 *
 * The thread of the caller is held up by one attempt at a small body; everything else is done on zlib's threads.
 */
export async function inflateBodyAsync(codec: BodyCodec, body: Uint8Array): Promise<InflatedBody> {
  if (codec === 'identity') return identity(body);
  const small = inflateSmall(body);
  if (small !== undefined) return { bytes: small, fault: null };
  const { bytes, refusal } = await gunzipSalvage(body, LIMITS.uploadInflatedBytesMax);
  if (refusal === null) return { bytes, fault: null };
  if (refusal.kind === 'full') return { bytes, fault: tooLarge() };
  if (refusal.kind === 'truncated') return { bytes, fault: inflateFault('truncated_body', bytes.length, 'gzip ends before its trailer') };
  return { bytes, fault: inflateFault('corrupt_codec', bytes.length, `gzip: ${refusal.message}`) };
}

/**
 * The same of a body with nothing wrong; undefined for any other, at the price of one attempt: nothing is salvaged.
 */
export async function inflateSound(codec: BodyCodec, body: Uint8Array): Promise<Uint8Array | undefined> {
  if (codec === 'identity') return body.length <= LIMITS.uploadInflatedBytesMax ? body : undefined;
  const small = inflateSmall(body);
  if (small !== undefined) return small;
  const whole = await gunzipWhole(body, LIMITS.uploadInflatedBytesMax);
  return 'bytes' in whole ? whole.bytes : undefined;
}

/** The inflated body; undefined when it is not sound, or not small. */
function inflateSmall(body: Uint8Array): Uint8Array | undefined {
  const claimed = gzipClaim(body);
  if (body.length > SMALL_BODY_BYTES_MAX || claimed > SMALL_INFLATED_BYTES_MAX) return undefined;
  try {
    return alone(gunzipSync(body, { maxOutputLength: SMALL_INFLATED_BYTES_MAX, chunkSize: roomFor(claimed) }));
  } catch {
    return undefined;
  }
}

function identity(body: Uint8Array): InflatedBody {
  const limit = LIMITS.uploadInflatedBytesMax;
  if (body.length <= limit) return { bytes: body, fault: null };
  return { bytes: body.subarray(0, limit), fault: tooLarge() };
}

function tooLarge(): BodyFault {
  const limit = LIMITS.uploadInflatedBytesMax;
  return inflateFault('inflated_too_large', limit, `the limit is ${limit} bytes`);
}

function inflateFault(code: ErrorCode, byteOffset: number, what: string): BodyFault {
  return { code, message: `${ERROR_CODES[code].text} (at inflated byte ${byteOffset}: ${what})`, byteOffset, frameIndex: 0 };
}
