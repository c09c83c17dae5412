import { decompress } from 'fzstd';
import { ByteReader, BytesFault } from './bytes.ts';

const MAGIC = 0xfd2fb528;
const BLOCK_RLE = 1;
/** Bytes of the dictionary id and of the content size, by their flags (RFC 8878 section 3.1.1.1). */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/**
 * Inflates one piece of a block with `fzstd`, the small library that browsers use.
 *
 * fzstd fills the buffer that it is given and tells neither that less nor that more came out, and it takes one frame after
 * another. So the frame is measured first: it has to be alone, and to say itself that it holds `rawLength` bytes.
 *
 * For pieces that our own compactor wrote. A piece made to do so keeps fzstd busy without end (23 bytes are enough: a Huffman
 * table whose only symbol takes no bit); servers inflate with zlib's zstd, which refuses it.
 *
 * @param rawLength the bytes that come out; no more is allocated
 * @throws {BytesFault} for anything but one whole zstd frame of that content size
 */
export function inflateZstd(compressed: Uint8Array, rawLength: number): Uint8Array {
  const contentSize = measureFrame(compressed);
  if (contentSize !== rawLength) throw new BytesFault(`a zstd frame of ${contentSize} bytes where ${rawLength} belong`, 0);
  try {
    return decompress(compressed, new Uint8Array(rawLength));
  } catch (error) {
    // What fzstd stumbles over may be any error of the language.
    throw new BytesFault(`a damaged zstd frame: ${error instanceof Error ? error.message : String(error)}`, 0);
  }
}

/** The content size that the one frame in `bytes` tells. */
function measureFrame(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  if (littleEndian(reader, 4) !== MAGIC) throw new BytesFault('no zstd frame', 0);
  const descriptor = reader.u8();
  const singleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  if (!singleSegment) reader.u8();
  reader.raw(DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3]);
  const sizeFlag = (descriptor >> 6) as 0 | 1 | 2 | 3;
  if (sizeFlag === 0 && !singleSegment) throw new BytesFault('a zstd frame without its content size', 4);
  const sizeBytes = sizeFlag === 0 ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
  const contentSize = littleEndian(reader, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  for (let last = false; !last; ) {
    const header = littleEndian(reader, 3);
    last = (header & 1) === 1;
    reader.raw(((header >> 1) & 3) === BLOCK_RLE ? 1 : header >> 3);
  }
  if (hasChecksum) reader.raw(4);
  if (reader.remaining !== 0) throw new BytesFault('bytes behind the zstd frame', reader.at);
  return contentSize;
}

function littleEndian(reader: ByteReader, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value += reader.u8() * 2 ** (8 * i);
  return value;
}
