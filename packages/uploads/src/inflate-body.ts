import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import type { BodyCodec, BodyFault, ErrorCode } from '@playhead/schemas';
import { ERROR_CODES, LIMITS } from '@playhead/schemas';
import type { GunzipAnswer, GunzipCall } from './gunzip-salvage.ts';
import { gunzipSalvage } from './gunzip-salvage.ts';

/** What inflating a body gave. With a fault, `bytes` is what came out before it. */
export interface InflatedBody {
  /** Empty when the fault is that a gzip body holds too much. */
  readonly bytes: Uint8Array;
  /** `truncated_body`, `corrupt_codec` or `inflated_too_large`; its frame index is 0, because frames are not known here. */
  readonly fault: BodyFault | null;
}

/**
 * Inflates a body, bounded by LIMITS.uploadInflatedBytesMax. Never throws: a truncated or damaged body gives what could be
 * inflated, and the fault; a bomb gives the fault alone, at once. Gzip of several members is inflated to its end; what
 * follows the last one is ignored.
 */
export function inflateBody(codec: BodyCodec, body: Uint8Array): InflatedBody {
  if (codec === 'identity') return identity(body);
  const calls = inflateGzip(body);
  let call = calls.next();
  while (!call.done) call = calls.next(callSync(call.value));
  return call.value;
}

/** The same answer as {@link inflateBody}, with zlib on its own thread throughout. For who has requests to answer meanwhile. */
export async function inflateBodyAsync(codec: BodyCodec, body: Uint8Array): Promise<InflatedBody> {
  if (codec === 'identity') return identity(body);
  const calls = inflateGzip(body);
  let call = calls.next();
  while (!call.done) call = calls.next(await callOnPool(call.value));
  return call.value;
}

function identity(body: Uint8Array): InflatedBody {
  const limit = LIMITS.uploadInflatedBytesMax;
  if (body.length <= limit) return { bytes: body, fault: null };
  return { bytes: body.subarray(0, limit), fault: tooLarge() };
}

function* inflateGzip(body: Uint8Array): Generator<GunzipCall, InflatedBody, GunzipAnswer> {
  const { bytes, refusal } = yield* gunzipSalvage(body, LIMITS.uploadInflatedBytesMax);
  if (refusal === null) return { bytes, fault: null };
  if (refusal.kind === 'full') return { bytes, fault: tooLarge() };
  if (refusal.kind === 'truncated') return { bytes, fault: inflateFault('truncated_body', bytes.length, 'gzip ends before its trailer') };
  return { bytes, fault: inflateFault('corrupt_codec', bytes.length, `gzip: ${refusal.message}`) };
}

function callSync({ input, options }: GunzipCall): GunzipAnswer {
  try {
    return { bytes: plain(gunzipSync(input, options)) };
  } catch (error) {
    return { error };
  }
}

const gunzipOnPool = promisify<Uint8Array, GunzipCall['options'], Buffer>(gunzip);

async function callOnPool({ input, options }: GunzipCall): Promise<GunzipAnswer> {
  try {
    return { bytes: plain(await gunzipOnPool(input, options)) };
  } catch (error) {
    return { error };
  }
}

function tooLarge(): BodyFault {
  const limit = LIMITS.uploadInflatedBytesMax;
  return inflateFault('inflated_too_large', limit, `the limit is ${limit} bytes`);
}

function inflateFault(code: ErrorCode, byteOffset: number, what: string): BodyFault {
  return { code, message: `${ERROR_CODES[code].text} (at inflated byte ${byteOffset}: ${what})`, byteOffset, frameIndex: 0 };
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
