import { promisify } from 'node:util';
import { brotliCompress, brotliDecompressSync, constants, gunzipSync, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { RawPiece } from '@playhead/schemas';
import { isGzip, rawBytesOf } from '@playhead/schemas';
import { alone, plainBytes } from './plain-bytes.ts';
import { roomFor } from './room.ts';

const brotli = promisify(brotliCompress);
const zstd = promisify(zstdCompress);

/** Decision 0001: level 3 is where zstd's gain in size stops being worth its time. */
const LEVEL = 3;

/** Decision 0014: for what is written once more and then kept. Two steps above it a percent costs eight times as much. */
const MERGED_QUALITY = 7;
/** Log2 of brotli's window. Of 20 the first byte ends in the bits 0111: neither gzip nor zstd begins so. */
const MERGED_WINDOW_LOG = 20;
const ZSTD_MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

/** Compresses one piece of a block into one zstd frame. The `compress` of `encodeBlock`. */
export function compressPiece(raw: Uint8Array): Uint8Array {
  return alone(zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
}

/**
 * Compresses one piece of a merge, on a thread of zlib's: the event loop does not wait for it. Text is compressed better than by
 * {@link compressPiece}; pictures are not, for nothing makes less of them (decision 0016).
 */
export async function compressPieceWell(piece: RawPiece): Promise<Uint8Array> {
  const raw = rawBytesOf(piece);
  // Told the size, zstd makes tables of that size.
  if (piece.pictures) return alone(await zstd(raw, { pledgedSrcSize: raw.length, params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: MERGED_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: MERGED_WINDOW_LOG,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  };
  return alone(await brotli(raw, { params }));
}

/**
 * Inflates one piece. The `decompress` of `decodeBlock`.
 *
 * @param rawLength the bytes that come out, from the frame index: more is never allocated
 * @throws {Error} for bytes that are damaged or hold more
 */
export function decompressPiece(compressed: Uint8Array, rawLength: number): Uint8Array {
  const bounds = { maxOutputLength: Math.max(1, rawLength), chunkSize: roomFor(rawLength) };
  if (isGzip(compressed)) return plainBytes(gunzipSync(compressed, bounds));
  return plainBytes(isZstd(compressed) ? zstdDecompressSync(compressed, bounds) : brotliDecompressSync(compressed, bounds));
}

function isZstd(bytes: Uint8Array): boolean {
  return ZSTD_MAGIC.every((byte, i) => bytes[i] === byte);
}
