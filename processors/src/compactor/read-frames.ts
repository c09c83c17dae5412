import type { Offset, PositionedFrame, Upload } from '@playhead/schemas';
import { BytesFault, movableBody, outlinedBody } from '@playhead/schemas';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import { heldBytes } from '../core/held-bytes.ts';
import type { UploadContent } from './core/pending-flush.ts';

/** What a buffer may hold besides payloads before they are copied out of it. */
const WASTE_BYTES_MAX = 16 * 1024;

/** `readUploadAsync` of uploads, or a fake that breaks. */
export type ReadUpload = typeof readUploadAsync;

/** The frames of an upload in their places. Never throws: a decoder that does costs the upload that it threw for. */
export async function readFrames(offset: Offset, upload: Upload, read: ReadUpload = readUploadAsync): Promise<UploadContent> {
  try {
    const { frames, fault } = await read(upload);
    const body = movableBody(upload, frames, fault);
    if (body !== null) return { frames: [], body, fault };
    return { frames: withoutWaste(positionFrames(upload, offset, frames)), body, fault };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { frames: [], body: null, fault: { code: 'internal', message, byteOffset: 0, frameIndex: 0 } };
  }
}

/** What the outline of an upload tells of it; null when there is none to go by, and its body is to be read. */
export function outlinedContent(upload: Upload): UploadContent | null {
  try {
    const body = outlinedBody(upload);
    return body === null ? null : { frames: [], body, fault: null };
  } catch (error) {
    if (error instanceof BytesFault) return null;
    throw error;
  }
}

/**
 * Payloads are views. A small payload can keep a large buffer in memory (one good frame of a body that is damaged behind
 * it), which no count of bytes would show: such payloads are copied together into one buffer of their size.
 */
function withoutWaste(frames: readonly PositionedFrame[]): readonly PositionedFrame[] {
  const payloadBytes = frames.reduce((sum, { payload }) => sum + payload.length, 0);
  if (heldBytes(frames.map(({ payload }) => payload)) <= 2 * payloadBytes + WASTE_BYTES_MAX) return frames;
  const copy = new Uint8Array(payloadBytes);
  let end = 0;
  return frames.map((frame) => {
    const view = frame.payload;
    const payload = copy.subarray(end, end + view.length);
    payload.set(view);
    end += view.length;
    return { ...frame, payload };
  });
}
