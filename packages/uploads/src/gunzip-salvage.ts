import { promisify } from 'node:util';
import { constants, createGunzip, gunzip } from 'node:zlib';
import { plainBytes } from './plain-bytes.ts';
import { gzipClaim, roomFor } from './room.ts';

export interface SalvagedGzip {
  /** All of it, or with a refusal what came out before the fault. Empty when it is too much. */
  readonly bytes: Uint8Array;
  readonly refusal: { readonly kind: 'truncated' | 'corrupt' | 'full'; readonly message: string } | null;
}

interface GunzipOptions {
  readonly maxOutputLength: number;
  readonly finishFlush?: number;
  readonly chunkSize?: number;
}

/** Output that zlib gives at a time. A salvage takes half as long as with the 16 KiB that are usual. */
const SALVAGE_CHUNK_BYTES = 128 * 1024;

/** Gives what there is of a body that ends too early. */
const SALVAGE = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: SALVAGE_CHUNK_BYTES } as const;

const gunzipOnPool = promisify<Uint8Array, GunzipOptions, Buffer>(gunzip);

/**
 * Inflates gzip on zlib's threads and salvages what zlib refuses.
 *
 * zlib keeps nothing of a call that fails, but it gives all that it has of a body that merely ends too early, when it is
 * told to flush instead of to finish. So a truncated body takes one more call, and a damaged one is cut before the byte at
 * which zlib notices: the place is found by halving, in at most log2(body bytes) + 1 calls. Only zlib judges: an inflater
 * that checks less goes on behind the fault, and pays for hostile code tables.
 *
 * Memory: twice `limit`, while the parts that zlib gave are put together.
 *
 * @param limit of inflated bytes; beyond it nothing is salvaged
 */
export async function gunzipSalvage(body: Uint8Array, limit: number): Promise<SalvagedGzip> {
  const whole = await gunzipWhole(body, limit);
  if ('bytes' in whole) return { bytes: whole.bytes, refusal: null };
  const message = whole.error instanceof Error ? whole.error.message : String(whole.error);
  const kind = kindOf(whole.error);
  if (kind === 'full') return { bytes: new Uint8Array(), refusal: { kind, message } };

  let sound = 0;
  let refused = body.length;
  if (kind === 'truncated') sound = refused;
  while (refused - sound > 1) {
    const middle = Math.floor((sound + refused) / 2);
    if (await accepts(body.subarray(0, middle))) sound = middle;
    else refused = middle;
  }
  const kept = await attempt(body.subarray(0, sound), { maxOutputLength: limit, ...SALVAGE });
  return { bytes: 'bytes' in kept ? kept.bytes : new Uint8Array(), refusal: { kind, message } };
}

/** One attempt, on zlib's threads: nothing is salvaged. @param limit of inflated bytes */
export function gunzipWhole(body: Uint8Array, limit: number): Promise<GunzipAnswer> {
  return attempt(body, { maxOutputLength: limit, chunkSize: roomFor(gzipClaim(body)) });
}

/**
 * Whether zlib takes the beginning of a body. What it inflates is dropped as it comes: of many calls that each keep a body
 * until the garbage collector sees it, several would be in memory.
 */
function accepts(beginning: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const inflater = createGunzip(SALVAGE);
    inflater.on('error', () => resolve(false));
    inflater.on('end', () => resolve(true));
    inflater.resume();
    inflater.end(beginning);
  });
}

/** The whole content, or why there is none. */
export type GunzipAnswer = { readonly bytes: Uint8Array } | { readonly error: unknown };

async function attempt(input: Uint8Array, options: GunzipOptions): Promise<GunzipAnswer> {
  try {
    return { bytes: plainBytes(await gunzipOnPool(input, options)) };
  } catch (error) {
    return { error };
  }
}

function kindOf(error: unknown): 'truncated' | 'corrupt' | 'full' {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') return 'full';
  return code === 'Z_BUF_ERROR' ? 'truncated' : 'corrupt';
}
