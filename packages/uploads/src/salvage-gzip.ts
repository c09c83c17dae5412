import { crc32 } from 'node:zlib';
import type { InflateStop } from './inflate-raw.ts';
import { BoundedOutput, inflateRaw } from './inflate-raw.ts';

/** What could be inflated of a gzip body, and why no more. */
export interface SalvagedGzip {
  /** A prefix of what the body was meant to hold; with `corrupt`, all that was inflated before the damage showed. */
  readonly bytes: Uint8Array;
  readonly stop: InflateStop;
}

const FLAG_HEADER_CHECKSUM = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;
const FIXED_HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/**
 * Inflates gzip (RFC 1952), members one behind the other, up to the first fault, and at most `limit` bytes. Yields now and
 * then, so that the caller may pause.
 */
export function* salvageGzip(body: Uint8Array, limit: number): Generator<void, SalvagedGzip> {
  // Text shrinks to a tenth, pictures not at all: begin in between.
  const output = new BoundedOutput(limit, body.length * 3);
  const answer = (stop: InflateStop): SalvagedGzip => ({ bytes: output.bytes.subarray(0, output.length), stop });
  let at = 0;
  do {
    const header = readHeader(body, at);
    if (typeof header === 'string') return answer(header);
    const begin = output.length;
    const { stop, at: end } = yield* inflateRaw(body, header.end, output);
    if (stop !== 'end') return answer(stop);
    if (body.length - end < TRAILER_BYTES) return answer('truncated');
    const view = new DataView(body.buffer, body.byteOffset + end, TRAILER_BYTES);
    const member = output.bytes.subarray(begin, output.length);
    if (view.getUint32(0, true) !== crc32(member) || view.getUint32(4, true) !== member.length % 2 ** 32) return answer('corrupt');
    at = end + TRAILER_BYTES;
    // As zlib does: what does not begin like another member is ignored.
  } while (body[at] === 0x1f && (body[at + 1] === 0x8b || at + 1 === body.length));
  return answer('end');
}

function readHeader(body: Uint8Array, at: number): { end: number } | 'truncated' | 'corrupt' {
  const magic = [0x1f, 0x8b, 8];
  if (magic.some((byte, i) => at + i < body.length && body[at + i] !== byte)) return 'corrupt';
  if (body.length - at < FIXED_HEADER_BYTES) return 'truncated';
  const flags = body[at + 3] ?? 0;
  let end = at + FIXED_HEADER_BYTES;
  if (flags & FLAG_EXTRA) end += 2 + ((body[end] ?? 0) | ((body[end + 1] ?? 0) << 8));
  for (const text of [FLAG_NAME, FLAG_COMMENT]) {
    if (!(flags & text)) continue;
    const zero = end <= body.length ? body.indexOf(0, end) : -1;
    if (zero < 0) return 'truncated';
    end = zero + 1;
  }
  if (flags & FLAG_HEADER_CHECKSUM) end += 2;
  return end > body.length ? 'truncated' : { end };
}
