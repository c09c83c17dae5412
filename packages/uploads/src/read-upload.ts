import type { BodyFault, DecodedBody, Frame, Offset, PositionedFrame, Upload } from '@playhead/schemas';
import { decodeBody } from '@playhead/schemas';
import type { InflatedBody } from './inflate-body.ts';
import { inflateBody, inflateBodyAsync } from './inflate-body.ts';

/** What reading needs of an upload. */
export type ReadableUpload = Pick<Upload, 'format' | 'codec' | 'epochMs' | 'receivedAtMs' | 'body'>;

/**
 * The frames of an upload: inflates, decodes and salvages. Never throws.
 *
 * There is at most one fault, the earlier one: where inflating and decoding both stop, what decoding found in the bytes
 * that were there lies before the place where the bytes ended. Memory: LIMITS.uploadInflatedBytesMax; payloads are views.
 */
export function readUpload(upload: ReadableUpload): DecodedBody {
  return decodeInflated(upload, inflateBody(upload.codec, upload.body));
}

/** The same answer as {@link readUpload}, inflated off the main thread: for who also has requests to answer. */
export async function readUploadAsync(upload: ReadableUpload): Promise<DecodedBody> {
  return decodeInflated(upload, await inflateBodyAsync(upload.codec, upload.body));
}

function decodeInflated(upload: ReadableUpload, inflated: InflatedBody): DecodedBody {
  const decoded = decodeBody(upload.format, inflated.bytes, { epochMs: upload.epochMs, receivedAtMs: upload.receivedAtMs });
  return { frames: decoded.frames, fault: earlierFault(decoded, inflated.fault) };
}

function earlierFault({ frames, fault }: DecodedBody, inflateFault: BodyFault | null): BodyFault | null {
  if (inflateFault === null) return fault;
  // That a frame is cut off is only the consequence of bytes that stopped.
  if (fault !== null && fault.code !== 'truncated_body') return fault;
  return { ...inflateFault, frameIndex: frames.length };
}

/**
 * Gives frames their place in the session: (offset of their upload, index among its whole frames).
 *
 * @param upload that the frames came from
 * @param offset of the upload in its partition
 */
export function positionFrames(upload: Pick<Upload, 'windowId'>, offset: Offset, frames: readonly Frame[]): PositionedFrame[] {
  const { windowId } = upload;
  return frames.map(({ track, keyframe, timestampMs, payload }, index) => ({
    position: { offset, index },
    windowId,
    track,
    keyframe,
    timestampMs,
    payload,
  }));
}
