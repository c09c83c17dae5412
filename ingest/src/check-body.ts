import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { BodyCodec, BodyFault, BodyFormat } from '@playhead/schemas';
import { ERROR_CODES, LIMITS } from '@playhead/schemas';
import { inflateBodyAsync } from '@playhead/uploads';
import type { InflatedBody } from './core/judge-body.ts';
import { codecOf, formatOf, judgeBody } from './core/judge-body.ts';
import type { UploadFields } from './core/upload-request.ts';
import { epochOf } from './core/upload-request.ts';
import { Turns } from './turns.ts';

const TOO_LARGE: BodyFault = {
  code: 'inflated_too_large',
  message: `${ERROR_CODES.inflated_too_large.text} (${LIMITS.uploadInflatedBytesMax} bytes)`,
  byteOffset: LIMITS.uploadInflatedBytesMax,
  frameIndex: 0,
};

/** What a body turned out to be. */
export interface CheckedBody {
  readonly codec: BodyCodec;
  readonly format: BodyFormat;
  readonly epochMs: number;
  /** Whole frames. */
  readonly frames: number;
  readonly inflatedBytes: number;
}

/**
 * Finds out what bodies are and refuses those of which nothing can be shown.
 *
 * Memory: at most `checksMax` + 1 inflated bodies at a time, each LIMITS.uploadInflatedBytesMax at most.
 */
export class BodyCheck {
  readonly #checks: Turns;
  /** Salvaging is done on the main thread and costs a hundred times what inflating does: one at a time, and nobody who is whole waits for it. */
  readonly #salvages = new Turns(1);

  constructor(checksMax: number) {
    this.#checks = new Turns(checksMax);
  }

  /** @throws {PlayheadError} the code of the fault, 413 or 422 */
  async check(body: Uint8Array, fields: UploadFields, receivedAtMs: number): Promise<CheckedBody> {
    const codec = codecOf(fields.codec, body);
    const judge = (inflated: InflatedBody): CheckedBody => {
      const format = formatOf(fields.format, inflated);
      const epochMs = epochOf(format, fields);
      const frames = judgeBody(format, inflated, { epochMs, receivedAtMs });
      return { codec, format, epochMs, frames, inflatedBytes: inflated.bytes.length };
    };
    const checked = await this.#checks.take(async () => {
      const inflated = await inflateSound(codec, body);
      return inflated && judge(inflated);
    });
    return checked ?? this.#salvages.take(async () => judge(await inflateBodyAsync(codec, body)));
  }
}

const gunzipOnPool = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** The inflated body; undefined when it is damaged or cut off. What is too large is not salvaged: it is refused whatever it begins with. */
async function inflateSound(codec: BodyCodec, body: Uint8Array): Promise<InflatedBody | undefined> {
  if (codec === 'identity') return inflateBodyAsync(codec, body);
  try {
    return { bytes: await gunzipOnPool(body, { maxOutputLength: LIMITS.uploadInflatedBytesMax }), fault: null };
  } catch (error) {
    const tooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return tooLarge ? { bytes: new Uint8Array(), fault: TOO_LARGE } : undefined;
  }
}
