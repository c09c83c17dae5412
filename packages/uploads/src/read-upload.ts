import type { DecodedBody, Frame, Offset, PositionedFrame, Upload } from '@playhead/schemas';
import { decodeBody, earlierFault, TIMESTAMP_MAX_MS } from '@playhead/schemas';
import { inflateBodyAsync } from './inflate-body.ts';

/** What reading needs of an upload. */
export type ReadableUpload = Pick<Upload, 'format' | 'codec' | 'epochMs' | 'receivedAtMs' | 'body'>;

/**
 * The frames of an upload: inflates, decodes and salvages. Never rejects. Damaged and large bodies are inflated off the
 * main thread.
 *
 * There is at most one fault, the earlier one: where inflating and decoding both stop, what decoding found in the bytes
 * that were there lies before the place where the bytes ended. Memory: LIMITS.uploadInflatedBytesMax, twice while it is put
 * together; payloads are views.
 */
export async function readUploadAsync(upload: ReadableUpload): Promise<DecodedBody> {
  const { bytes, fault } = await inflateBodyAsync(upload.codec, upload.body);
  const decoded = decodeBody(upload.format, bytes, { epochMs: upload.epochMs, receivedAtMs: upload.receivedAtMs });
  return { frames: decoded.frames, fault: earlierFault(decoded, fault) };
}

/**
 * Gives frames their place in the session: (offset of their upload, index among its whole frames).
 *
 * @param upload that the frames came from
 * @param offset of the upload in its partition
 * @throws {RangeError} for a time that no decoder of ours lets through: what lays frames out counts on whole ms of limited distance
 */
export function positionFrames(upload: Pick<Upload, 'windowId'>, offset: Offset, frames: readonly Frame[]): PositionedFrame[] {
  const { windowId } = upload;
  return frames.map((frame, index) => {
    const { timestampMs } = frame;
    if (!Number.isSafeInteger(timestampMs) || timestampMs < 0 || timestampMs > TIMESTAMP_MAX_MS) {
      throw new RangeError(`a frame at ${timestampMs} ms`);
    }
    return Object.assign({ position: { offset, index }, windowId }, frame);
  });
}
