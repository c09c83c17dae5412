import type { Position } from '../position.ts';
import type { Track } from '../frame.ts';

/**
 * The frame index: where each frame of a block is, small enough for a catalog row.
 *
 * Kept in the block and, byte for byte the same, in the flush record and the catalog.
 */
export interface BlockIndex {
  readonly windows: readonly string[];
  readonly pieces: readonly PieceEntry[];
  /** In order of position. */
  readonly frames: readonly FrameEntry[];
}

/** A compressed run of text frames (one track, one window) that is decoded alone. */
export interface PieceEntry {
  /** Place of the compressed bytes in the block. */
  readonly offset: number;
  readonly length: number;
  /** Bytes after decompression. */
  readonly rawLength: number;
}

export interface FrameEntry {
  readonly position: Position;
  readonly windowId: string;
  readonly track: Track;
  readonly keyframe: boolean;
  readonly timestampMs: number;
  /** Index of the piece that holds the frame; -1 for pictures, which lie uncompressed in the block. */
  readonly piece: number;
  /** Place of the payload: in the inflated piece, or in the block when `piece` is -1. */
  readonly offset: number;
  /** Bytes of the payload. */
  readonly length: number;
  /** Picture size in px, 0 when not an image or not readable. */
  readonly width: number;
  readonly height: number;
}
