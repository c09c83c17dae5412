import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Decision 0001: level 3 is where zstd's gain in size stops being worth its time. */
const LEVEL = 3;

/** Compresses one piece of a block into one zstd frame. The `compress` of `encodeBlock`. */
export function compressPiece(raw: Uint8Array): Uint8Array {
  return plain(zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }));
}

/**
 * Inflates one piece. The `decompress` of `decodeBlock`.
 *
 * @param rawLength the bytes that come out, from the frame index: more is never allocated
 * @throws {Error} for bytes that are damaged or hold more
 */
export function decompressPiece(compressed: Uint8Array, rawLength: number): Uint8Array {
  return plain(zstdDecompressSync(compressed, { maxOutputLength: Math.max(1, rawLength) }));
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
