import { promisify } from 'node:util';
import { constants, gunzipSync, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { isGzip } from '@playhead/schemas';
import { alone, plainBytes } from './plain-bytes.ts';
import { roomFor } from './room.ts';

const compressElsewhere = promisify(zstdCompress);

/** Decision 0001: level 3 is where zstd's gain in size stops being worth its time. */
const LEVEL = 3;

/** Decision 0008: for what is written once more and then kept. Above it a few percent cost fifty times as much. */
const MERGED_LEVEL = 9;

/** Compresses one piece of a block into one zstd frame. The `compress` of `encodeBlock`. */
export function compressPiece(raw: Uint8Array): Uint8Array {
  return alone(zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
}

/** Compresses one piece better than {@link compressPiece}, on a thread of zlib's: the event loop does not wait for it. */
export async function compressPieceWell(raw: Uint8Array): Promise<Uint8Array> {
  // Told the size, it makes tables of that size (a hundredth of the time for a small piece), and the zstd frame holds it.
  return alone(await compressElsewhere(raw, { pledgedSrcSize: raw.length, params: { [constants.ZSTD_c_compressionLevel]: MERGED_LEVEL } }));
}

/**
 * Inflates one piece. The `decompress` of `decodeBlock`.
 *
 * @param rawLength the bytes that come out, from the frame index: more is never allocated
 * @throws {Error} for bytes that are damaged or hold more
 */
export function decompressPiece(compressed: Uint8Array, rawLength: number): Uint8Array {
  const bounds = { maxOutputLength: Math.max(1, rawLength), chunkSize: roomFor(rawLength) };
  return plainBytes(isGzip(compressed) ? gunzipSync(compressed, bounds) : zstdDecompressSync(compressed, bounds));
}
