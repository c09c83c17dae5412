import type { BlockParts, BlockUpload, Offset } from '@playhead/schemas';
import type { PendingSession, PendingUpload } from './pending-flush.ts';
import type { SessionSummary } from './session-summary.ts';
import { summarise } from './session-summary.ts';

/** `blockParts` of schemas with its compressor and checksum. */
export type EncodeBlock = (uploads: readonly BlockUpload[]) => BlockParts;

/** One session's part of a flush. */
export interface SessionBlock {
  readonly summary: SessionSummary;
  /** null when the uploads had no frame. */
  readonly block: BlockParts | null;
  /** Uploads whose frames no block takes: their frames were left out. */
  readonly spoiled: readonly SpoiledUpload[];
}

export interface SpoiledUpload {
  readonly offset: Offset;
  readonly windowId: string;
  readonly uploadId: string;
  readonly message: string;
}

/**
 * Encodes the frames of a session. Where the encoder throws, the uploads that it throws for are found and left out: a
 * bad upload costs only itself and never stops the partition.
 */
export function encodeSession(session: PendingSession, encode: EncodeBlock): SessionBlock {
  try {
    return { summary: summarise(session), block: encodeFramesOf(session.uploads, encode), spoiled: [] };
  } catch {
    return encodeWithout(session, encode);
  }
}

function encodeWithout(session: PendingSession, encode: EncodeBlock): SessionBlock {
  const spoiled: SpoiledUpload[] = [];
  const uploads = session.uploads.map((upload): PendingUpload => {
    try {
      encodeFramesOf([upload], encode);
      return upload;
    } catch (error) {
      const { offset, windowId, uploadId } = upload;
      spoiled.push({ offset, windowId, uploadId, message: error instanceof Error ? error.message : String(error) });
      return { ...upload, frames: [], body: null, rejected: true };
    }
  });
  const remaining: PendingSession = { ...session, uploads };
  return { summary: summarise(remaining), block: encodeFramesOf(uploads, encode), spoiled };
}

function encodeFramesOf(uploads: readonly PendingUpload[], encode: EncodeBlock): SessionBlock['block'] {
  const hasFrames = uploads.some(({ frames, body }) => frames.length > 0 || body !== null);
  return hasFrames ? encode(uploads) : null;
}
