import { crc32 } from 'node:zlib';
import type { PositionedFrame, Upload } from '@playhead/schemas';
import { cutBlock, layOutBlock, MERGED_PIECE_RAW_BYTES, PICTURE_PIECE_RAW_BYTES, toOffset } from '@playhead/schemas';
import { compressPieceWell, positionFrames, readUploadAsync } from '@playhead/uploads';

/** Bytes of the merged block of a session with these uploads, as a merger lays it out. */
export async function mergedBytes(uploads: readonly Upload[]): Promise<number> {
  const frames: PositionedFrame[] = [];
  for (const [offset, upload] of uploads.entries())
    frames.push(...positionFrames(upload, toOffset(offset), (await readUploadAsync(upload)).frames));
  const cut = cutBlock(frames, MERGED_PIECE_RAW_BYTES, PICTURE_PIECE_RAW_BYTES);
  const compressed = await Promise.all(cut.pieces.map(compressPieceWell));
  return layOutBlock(cut, compressed, crc32).length;
}
