import type { BodyCodec, BodyContext, BodyFault, BodyFormat, DecodedBody } from '@playhead/schemas';
import { decodeBody, earlierFault, isGzip, PlayheadError, sniffFormat } from '@playhead/schemas';

/** A body after decompression: what could be inflated, and why not the rest. */
export interface InflatedBody {
  readonly bytes: Uint8Array;
  readonly fault: BodyFault | null;
}

/** The codec that was said, or for `auto` the one that the body begins like. */
export function codecOf(said: BodyCodec | 'auto', body: Uint8Array): BodyCodec {
  if (said !== 'auto') return said;
  return isGzip(body) ? 'gzip' : 'identity';
}

/**
 * The format that was said, or for `auto` the one that the inflated body looks like.
 *
 * @throws {PlayheadError} the inflating fault, or `invalid_body`, when it looks like none
 */
export function formatOf(said: BodyFormat | 'auto', inflated: InflatedBody): BodyFormat {
  refuseBomb(inflated);
  if (said !== 'auto') return said;
  const format = sniffFormat(inflated.bytes);
  if (format !== undefined) return format;
  throw inflated.fault
    ? refusal(inflated.fault)
    : refusal({ code: 'invalid_body', message: 'The body has none of the known formats.', byteOffset: 0, frameIndex: 0 });
}

/**
 * Whether a body may go to the log. One whole frame is enough (the compactor keeps the whole frames and notes the rest), and so
 * is a sound body without any: a heartbeat.
 *
 * @returns the whole frames, and the earliest fault
 * @throws {PlayheadError} the fault's code with `byteOffset` and `frameIndex`, when there is a fault and no whole frame
 */
export function judgeBody(format: BodyFormat, inflated: InflatedBody, context: BodyContext): DecodedBody {
  refuseBomb(inflated);
  const decoded = decodeBody(format, inflated.bytes, context);
  const fault = earlierFault(decoded, inflated.fault);
  if (fault !== null && decoded.frames.length === 0) throw refusal(fault);
  return { frames: decoded.frames, fault };
}

/** A bomb is refused also when it begins with a whole frame: nobody downstream should have to inflate it again. */
function refuseBomb(inflated: InflatedBody): void {
  if (inflated.fault?.code === 'inflated_too_large') throw refusal(inflated.fault);
}

function refusal(fault: BodyFault): PlayheadError {
  const { code, message, byteOffset, frameIndex } = fault;
  return new PlayheadError(code, message, { details: { byteOffset, frameIndex } });
}
