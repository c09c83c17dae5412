import type { ErrorCode } from '../errors.ts';
import type { Frame } from '../frame.ts';

/** Why the rest of a body could not be read. The frames before it are whole and count. */
export interface BodyFault {
  readonly code: ErrorCode;
  /** What and where, for a person. */
  readonly message: string;
  /** Where in the inflated body the fault is. */
  readonly byteOffset: number;
  /** Index of the frame that is at fault: as many were kept. */
  readonly frameIndex: number;
}

export interface DecodedBody {
  readonly frames: readonly Frame[];
  readonly fault: BodyFault | null;
}

/** What a decoder needs to know of an upload besides its bytes. */
export interface BodyContext {
  /** Unix ms that the offsets of a bundle count from. */
  readonly epochMs: number;
  /** Ingest's clock at receipt, Unix ms: bounds the timestamps. */
  readonly receivedAtMs: number;
}

/**
 * What is wrong with a body that was inflated as far as it could be: of the fault of inflating it and that of decoding what came out
 * the one that lies before the other.
 */
export function earlierFault({ frames, fault }: DecodedBody, inflateFault: BodyFault | null): BodyFault | null {
  if (inflateFault === null) return fault;
  // That a frame is cut off is only the consequence of bytes that stopped.
  if (fault !== null && fault.code !== 'truncated_body') return fault;
  return { ...inflateFault, frameIndex: frames.length };
}
