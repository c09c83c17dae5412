import type { BodyFault, MovableBody, PositionedFrame, Upload } from '@playhead/schemas';
import { framesBytes, PIECE_RAW_BYTES } from '@playhead/schemas';

/**
 * The body of an upload where a block can keep it as it came: a sound native one, gzipped, without pictures (these lie
 * uncompressed in a block, to be had one by one), and no larger inside than other pieces are.
 *
 * @param frames all of the upload's
 */
export function movableBody(
  { format, codec, body }: Pick<Upload, 'format' | 'codec' | 'body'>,
  frames: readonly PositionedFrame[],
  fault: BodyFault | null,
): MovableBody | null {
  if (format !== 'frames' || codec !== 'gzip' || fault !== null) return null;
  if (frames.length === 0 || frames.some(({ track }) => track === 'image')) return null;
  const rawLength = framesBytes(frames);
  return rawLength > PIECE_RAW_BYTES ? null : { compressed: body, rawLength };
}
