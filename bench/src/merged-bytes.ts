import { crc32 } from 'node:zlib';
import type { PositionedFrame, Upload } from '@playhead/schemas';
import { cutMergedBlock, layOutBlock, toOffset } from '@playhead/schemas';
import { compressPieceWell, positionFrames, readUploadAsync } from '@playhead/uploads';

/** Bytes of the merged block of a session with these uploads, as a merger lays it out. */
export async function mergedBytes(uploads: readonly Upload[]): Promise<number> {
  const frames: PositionedFrame[] = [];
  for (const [offset, upload] of uploads.entries())
    frames.push(...positionFrames(upload, toOffset(offset), (await readUploadAsync(upload)).frames));
  const cut = cutMergedBlock(frames);
  const compressed = await Promise.all(cut.pieces.map(compressPieceWell));
  return layOutBlock(cut, compressed, crc32).length;
}
