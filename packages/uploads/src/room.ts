/** zlib's least. */
const ROOM_BYTES_MIN = 64;

/** A claim that lies costs no more. */
const ROOM_BYTES_MAX = 1024 * 1024;

/**
 * zlib's `chunkSize` for output of which `claimed` bytes are said to come: what is true comes out in one piece, which takes half the time
 * of gathering it from the 16 KiB that are usual. One more byte, or zlib asks for another piece to find nothing.
 */
export function roomFor(claimed: number): number {
  return Math.min(Math.max(claimed + 1, ROOM_BYTES_MIN), ROOM_BYTES_MAX);
}

/** What the last four bytes of a gzip say that it holds (RFC 1952, ISIZE). Only a hint: foreign bytes say what they like. */
export function gzipClaim(body: Uint8Array): number {
  if (body.length < 4) return 0;
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(body.length - 4, true);
}
