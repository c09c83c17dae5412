import type { FlushBlock, Offset } from '@playhead/schemas';
import { decodeFrameIndex } from '@playhead/schemas';

/** What the text of one stretch inflates to, at most, but for one larger block: it is held while the stretch is laid out anew. */
const INFLATED_BYTES_MAX = 128 * 1024 * 1024;

/** What the blocks of one merge bring to its record, at most, but for one larger block. A log takes records of 25 MiB. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024;

/** A block of a session as the catalog has it. */
export interface KnownBlock extends FlushBlock {
  readonly objectKey: string;
  readonly flushLastOffset: Offset;
  readonly merged: boolean;
}

/** Blocks of flushes that become one merged block: neighbours, in order of position. Never empty. */
export type Stretch = readonly KnownBlock[];

/** What a merge still takes. The first block is always taken. */
export class MergeRoom {
  readonly #bytesMax: number;
  #blocks = 0;
  #bytes = 0;
  #recordBytes = 0;

  /** @param bytesMax stored bytes */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes the block if there is room. */
  take(block: KnownBlock): boolean {
    const recordBytes = recordBytesOf(block);
    const isFull = this.#bytes + block.blockLength > this.#bytesMax || this.#recordBytes + recordBytes > RECORD_BYTES_MAX;
    if (isFull && this.#blocks > 0) return false;
    this.#blocks++;
    this.#bytes += block.blockLength;
    this.#recordBytes += recordBytes;
    return true;
  }
}

export interface CutStretches {
  readonly stretches: readonly Stretch[];
  /** True when there was no room for the rest: the merge is full. */
  readonly isFull: boolean;
}

/**
 * Cuts the blocks of a session into stretches: whole blocks, only such as no merge has, and none across a merged one, as far as
 * there is room.
 *
 * @param blocks all of the session, in order of position
 * @throws {BytesFault} for a damaged frame index
 */
export function cutStretches(blocks: readonly KnownBlock[], room: MergeRoom, inflatedBytesMax = INFLATED_BYTES_MAX): CutStretches {
  const stretches: KnownBlock[][] = [];
  let open: KnownBlock[] | null = null;
  let openInflated = 0;
  for (const block of blocks) {
    if (block.merged) {
      open = null;
      continue;
    }
    const inflated = inflatedBytesOf(block);
    if (!room.take(block)) return { stretches, isFull: true };
    if (open === null || openInflated + inflated > inflatedBytesMax) {
      open = [];
      openInflated = 0;
      stretches.push(open);
    }
    open.push(block);
    openInflated += inflated;
  }
  return { stretches, isFull: false };
}

/** Texts that blocks have in common count for each: a little too much. */
function recordBytesOf({ frameIndex, marks, pages, facts }: KnownBlock): number {
  const texts = [...pages, ...Object.keys(facts), ...Object.values(facts)];
  return texts.reduce((sum, text) => sum + text.length, frameIndex.length + marks.length);
}

function inflatedBytesOf({ blockLength, frameIndex }: KnownBlock): number {
  if (blockLength === 0) return 0;
  return decodeFrameIndex(frameIndex).pieces.reduce((sum, { rawLength }) => sum + rawLength, 0);
}
