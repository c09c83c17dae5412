import type { Offset } from './ids.ts';
import { NO_OFFSET, toOffset } from './ids.ts';

/**
 * The place of a frame in its session, and the cursor a viewer resumes from: the offset of the upload in its
 * partition, then the index of the frame among the upload's whole frames (from 0).
 */
export interface Position {
  readonly offset: Offset;
  readonly index: number;
}

/** Before every frame. */
export const START: Position = { offset: NO_OFFSET, index: 0 };

/** Negative, zero or positive, as `a` is before, at or behind `b`. */
export function comparePositions(a: Position, b: Position): number {
  return a.offset - b.offset || a.index - b.index;
}

/** `"<offset>.<index>"`: the form in URLs and messages. */
export function formatPosition(position: Position): string {
  return `${position.offset}.${position.index}`;
}

/** The reverse of `formatPosition`; undefined for anything else. */
export function parsePosition(text: string): Position | undefined {
  const match = /^(-1|\d{1,16})\.(\d{1,10})$/.exec(text);
  if (!match) return undefined;
  const offset = Number(match[1]);
  if (!Number.isSafeInteger(offset)) return undefined;
  return { offset: toOffset(offset), index: Number(match[2]) };
}
