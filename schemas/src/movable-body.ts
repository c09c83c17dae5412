import type { MovableBody } from './block.ts';
import { PIECE_RAW_BYTES } from './block.ts';
import type { BodyFault } from './formats/body.ts';
import { framesBytes } from './formats/frames.ts';
import { encodeOutline, OUTLINE_BYTES_MAX, readOutline } from './formats/outline.ts';
import type { Frame } from './frame.ts';
import type { Upload } from './records/types.ts';

type Body = Pick<Upload, 'format' | 'codec' | 'body'>;

/**
 * The body of an upload where a block can keep it as it came: a sound native one, gzipped, without pictures (these lie
 * uncompressed in a block, to be had one by one), and no larger inside than other pieces are.
 *
 * @param frames all of the upload's
 */
export function movableBody(upload: Body, frames: readonly Frame[], fault: BodyFault | null): MovableBody | null {
  return isMovable(upload, frames, fault) ? { compressed: upload.body, outline: readOutline(encodeOutline(frames)) } : null;
}

/**
 * The same of an upload with an outline, which tells of the frames what there is to know.
 *
 * @throws {BytesFault} for an outline that cannot be read
 */
export function outlinedBody(upload: Body & Pick<Upload, 'outline'>): MovableBody | null {
  if (!isGzippedNative(upload) || upload.outline.length === 0) return null;
  const outline = readOutline(upload.outline);
  return outline.frames === 0 || outline.rawLength > PIECE_RAW_BYTES ? null : { compressed: upload.body, outline };
}

const NO_OUTLINE = new Uint8Array();

/** What the record of an upload has as its outline: empty where no block can keep the body as it came, or where it would be too long. */
export function outlineOf(upload: Body, frames: readonly Frame[], fault: BodyFault | null): Uint8Array {
  if (!isMovable(upload, frames, fault)) return NO_OUTLINE;
  const outline = encodeOutline(frames);
  return outline.length > OUTLINE_BYTES_MAX ? NO_OUTLINE : outline;
}

function isMovable(upload: Body, frames: readonly Frame[], fault: BodyFault | null): boolean {
  if (!isGzippedNative(upload) || fault !== null || frames.length === 0) return false;
  return frames.every(({ track }) => track !== 'image') && framesBytes(frames) <= PIECE_RAW_BYTES;
}

function isGzippedNative({ format, codec }: Body): boolean {
  return format === 'frames' && codec === 'gzip';
}
