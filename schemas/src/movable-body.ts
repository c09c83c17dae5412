import type { MovableBody } from './block.ts';
import { PIECE_RAW_BYTES } from './block.ts';
import type { BodyFault } from './formats/body.ts';
import { framesBytes } from './formats/frames.ts';
import { encodeOutline } from './formats/outline.ts';
import type { Frame } from './frame.ts';
import type { Upload } from './records/types.ts';

/**
 * The body of an upload where a block can keep it as it came: a sound native one, gzipped, without pictures (these lie
 * uncompressed in a block, to be had one by one), and no larger inside than other pieces are.
 *
 * @param frames all of the upload's
 */
export function movableBody(
  { format, codec, body }: Pick<Upload, 'format' | 'codec' | 'body'>,
  frames: readonly FrameHead[],
  fault: BodyFault | null,
): MovableBody | null {
  if (format !== 'frames' || codec !== 'gzip' || fault !== null) return null;
  if (frames.length === 0 || frames.some(({ track }) => track === 'image')) return null;
  const rawLength = framesBytes(frames);
  return rawLength > PIECE_RAW_BYTES ? null : { compressed: body, rawLength };
}

const NO_OUTLINE = new Uint8Array();

/** What the record of an upload has as its outline: empty where no block can keep the body as it came, or where it would be too long. */
export function outlineOf(
  upload: Pick<Upload, 'format' | 'codec' | 'body'>,
  frames: readonly Frame[],
  fault: BodyFault | null,
): Uint8Array {
  return (movableBody(upload, frames, fault) === null ? undefined : encodeOutline(frames)) ?? NO_OUTLINE;
}

interface FrameHead extends Pick<Frame, 'track'> {
  readonly payload: Pick<Uint8Array, 'length'>;
}
