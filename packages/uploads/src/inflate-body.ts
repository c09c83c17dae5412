import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import type { BodyCodec, BodyFault, ErrorCode } from '@playhead/schemas';
import { ERROR_CODES, LIMITS } from '@playhead/schemas';
import type { SalvagedGzip } from './salvage-gzip.ts';
import { salvageGzip } from './salvage-gzip.ts';

/** What inflating a body gave. With a fault, `bytes` is what came out before it. */
export interface InflatedBody {
  readonly bytes: Uint8Array;
  /** `truncated_body`, `corrupt_codec` or `inflated_too_large`; its frame index is 0, because frames are not known here. */
  readonly fault: BodyFault | null;
}

const OPTIONS = { maxOutputLength: LIMITS.uploadInflatedBytesMax };

/** How long an asynchronous salvage keeps the main thread before others may run. */
const TURN_MS = 5;

/**
 * Inflates a body, bounded by LIMITS.uploadInflatedBytesMax. Never throws: a truncated, damaged or swelling body gives what
 * could be inflated, and the fault. Gzip of several members is inflated to its end; what follows the last one is ignored.
 *
 * The fast path is zlib. Only when zlib refuses, and then it keeps nothing, is the body read again by our own inflater,
 * which stops exactly where the fault is.
 */
export function inflateBody(codec: BodyCodec, body: Uint8Array): InflatedBody {
  if (codec === 'identity') return identity(body);
  try {
    return { bytes: plain(gunzipSync(body, OPTIONS)), fault: null };
  } catch (error) {
    const steps = salvageGzip(body, LIMITS.uploadInflatedBytesMax);
    let step = steps.next();
    while (!step.done) step = steps.next();
    return decide(step.value, error);
  }
}

const gunzipOnPool = promisify<Uint8Array, typeof OPTIONS, Buffer>(gunzip);

/** The same answer as {@link inflateBody}: zlib on its own thread, the salvage in short turns. For who has requests to answer meanwhile. */
export async function inflateBodyAsync(codec: BodyCodec, body: Uint8Array): Promise<InflatedBody> {
  if (codec === 'identity') return identity(body);
  try {
    return { bytes: plain(await gunzipOnPool(body, OPTIONS)), fault: null };
  } catch (error) {
    const steps = salvageGzip(body, LIMITS.uploadInflatedBytesMax);
    let turnEndsMs = performance.now() + TURN_MS;
    let step = steps.next();
    while (!step.done) {
      if (performance.now() > turnEndsMs) {
        await new Promise((resolve) => setImmediate(resolve));
        turnEndsMs = performance.now() + TURN_MS;
      }
      step = steps.next();
    }
    return decide(step.value, error);
  }
}

function identity(body: Uint8Array): InflatedBody {
  const limit = LIMITS.uploadInflatedBytesMax;
  if (body.length <= limit) return { bytes: body, fault: null };
  return { bytes: body.subarray(0, limit), fault: tooLarge(limit) };
}

function decide({ bytes, stop }: SalvagedGzip, zlibError: unknown): InflatedBody {
  if (stop === 'full') return { bytes, fault: tooLarge(bytes.length) };
  if (stop === 'truncated') return { bytes, fault: inflateFault('truncated_body', bytes.length, 'gzip ends before its trailer') };
  // Where the two inflaters disagree (`end`), the one that refuses is believed.
  const what = zlibError instanceof Error ? zlibError.message : String(zlibError);
  return { bytes, fault: inflateFault('corrupt_codec', bytes.length, `gzip: ${what}`) };
}

function tooLarge(byteOffset: number): BodyFault {
  return inflateFault('inflated_too_large', byteOffset, `the limit is ${LIMITS.uploadInflatedBytesMax} bytes`);
}

function inflateFault(code: ErrorCode, byteOffset: number, what: string): BodyFault {
  return { code, message: `${ERROR_CODES[code].text} (at inflated byte ${byteOffset}: ${what})`, byteOffset, frameIndex: 0 };
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
