import { isDeepStrictEqual } from 'node:util';
import type { DecodedBody } from '@playhead/schemas';
import type { Case } from './damage.ts';
import { damagedBytes, sampleAt } from './damage.ts';
import type { Decoder, Sample } from './decoder.ts';

/** A promise that a decoder broke. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** The bytes of a case for this decoder. */
export function bytesOf(decoder: Decoder, one: Case): Uint8Array {
  const bytes = damagedBytes(
    one,
    decoder.samples.map((sample) => sample.bytes),
  );
  return one.sealed && decoder.seal ? decoder.seal(bytes.slice()) : bytes;
}

/**
 * Lets a decoder read damaged bytes.
 *
 * @param before told the bytes of each call before it is made, so that a watchdog knows what hangs
 * @throws {Broken}
 */
export async function judgeCase(decoder: Decoder, one: Case, before: (bytes: Uint8Array) => void): Promise<void> {
  const bytes = bytesOf(decoder, one);
  before(bytes);
  const answer = await judgeBytes(decoder, bytes);
  if (!decoder.salvages) return;
  const undamaged = commonBeginning(bytes, sampleAt(decoder.samples, one.sample).bytes);
  before(bytes.subarray(0, undamaged));
  judgeSalvage(answer as DecodedBody, (await decoder.decode(bytes.slice(0, undamaged))) as DecodedBody);
}

/**
 * Lets a decoder read any bytes: an answer that is sound, or one of its faults.
 *
 * @returns the answer; undefined when it was a fault
 * @throws {Broken}
 */
export async function judgeBytes(decoder: Decoder, bytes: Uint8Array): Promise<unknown> {
  const input = bytes.slice();
  let answer: unknown;
  try {
    answer = await decoder.decode(input);
  } catch (error) {
    // The very class: a TypeError is an Error, too.
    if (decoder.faults.some((fault) => (error as object | undefined)?.constructor === fault)) return undefined;
    throw new Broken(`crash: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, { cause: error });
  }
  try {
    await decoder.sound?.(answer as never, input);
  } catch (error) {
    throw new Broken(`an answer that breaks what is promised of it: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (Buffer.compare(input, bytes) !== 0) throw new Broken('the bytes were changed by reading them');
  return answer;
}

/**
 * A body that is cut at every byte gives exactly the whole frames before the cut.
 *
 * @throws {Broken}
 */
export async function judgeTruncation(decoder: Decoder, { bytes, body }: Sample): Promise<void> {
  if (!body) return;
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { frames } = (await judgeBytes(decoder, bytes.subarray(0, cut))) as DecodedBody;
    const whole = body.wholeWithin(cut);
    if (!isDeepStrictEqual(frames, body.frames.slice(0, whole)))
      throw new Broken(`cut at byte ${cut}: ${frames.length} frames came out, or others, of ${whole} whole ones`);
  }
}

/** What the undamaged beginning gives alone is the beginning of what all of it gives. */
function judgeSalvage(whole: DecodedBody, beginning: DecodedBody): void {
  const count = beginning.frames.length;
  if (!isDeepStrictEqual(whole.frames.slice(0, count), beginning.frames))
    throw new Broken(`${count} whole frames lie before the damage, and do not come out as they are`);
}

function commonBeginning(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
