import { Turns } from '@playhead/ports';
import type { BodyCodec, BodyFormat } from '@playhead/schemas';
import { outlineOf } from '@playhead/schemas';
import { inflateBodyAsync, inflateSound } from '@playhead/uploads';
import type { InflatedBody } from './core/judge-body.ts';
import { codecOf, formatOf, judgeBody } from './core/judge-body.ts';
import type { UploadFields } from './core/upload-request.ts';
import { epochOf } from './core/upload-request.ts';

/** What a body turned out to be. */
export interface CheckedBody {
  readonly codec: BodyCodec;
  readonly format: BodyFormat;
  readonly epochMs: number;
  /** As in the record of the upload. */
  readonly outline: Uint8Array;
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
  /** Salvaging a large body can hold a thread of zlib's pool for seconds: one at a time, and nobody whose body is whole waits for it. */
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
      const { frames, fault } = judgeBody(format, inflated, { epochMs, receivedAtMs });
      const outline = outlineOf({ format, codec, body }, frames, fault);
      return { codec, format, epochMs, outline, frames: frames.length, inflatedBytes: inflated.bytes.length };
    };
    const checked = await this.#checks.take(async () => {
      const bytes = await inflateSound(codec, body);
      return bytes && judge({ bytes, fault: null });
    });
    return checked ?? this.#salvages.take(async () => judge(await inflateBodyAsync(codec, body)));
  }
}
