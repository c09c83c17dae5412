import type { FlushBlock, Offset } from '@playhead/schemas';
import { decodeFrameIndex } from '@playhead/schemas';

/** What the frames of one stretch have, at most, inflated, but for one larger block: it is held while the stretch is laid out anew. */
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

/** What a merge takes, stored bytes: see the settings. */
export interface MergeBytes {
  readonly mergeBytesMax: number;
  readonly mergeSessionBytesMax: number;
}

/**
 * What a merge still takes. The session that it begins with is cut where it is too large for one object; those behind it come whole or not at all:
 * who does not fit waits until a merge begins with it, so that no session lies in more objects than its size asks for.
 */
export class MergeRoom {
  readonly #max: MergeBytes;
  #blocks = 0;
  #bytes = 0;
  #recordBytes = 0;

  constructor(max: MergeBytes) {
    this.#max = max;
  }

  /** Takes the first so many of a session's blocks. Of the session that the merge begins with it is one at least. */
  take(blocks: readonly KnownBlock[]): number {
    const isFirst = this.#blocks === 0;
    const bytesMax = isFirst ? this.#max.mergeSessionBytesMax : this.#max.mergeBytesMax;
    let [count, bytes, recordBytes] = [0, this.#bytes, this.#recordBytes];
    for (const block of blocks) {
      const [bytesThen, recordThen] = [bytes + block.blockLength, recordBytes + recordBytesOf(block)];
      if (bytesThen > bytesMax || recordThen > RECORD_BYTES_MAX) {
        if (!isFirst) return 0;
        if (count > 0) break;
      }
      count++;
      [bytes, recordBytes] = [bytesThen, recordThen];
    }
    this.#blocks += count;
    [this.#bytes, this.#recordBytes] = [bytes, recordBytes];
    return count;
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
  const unmerged = blocks.filter(({ merged }) => !merged);
  const taken = new Set(unmerged.slice(0, room.take(unmerged)));
  const stretches: KnownBlock[][] = [];
  let open: KnownBlock[] | null = null;
  let openInflated = 0;
  for (const block of blocks) {
    if (!taken.has(block)) {
      open = null;
      continue;
    }
    const inflated = inflatedBytesOf(block);
    if (open === null || openInflated + inflated > inflatedBytesMax) {
      open = [];
      openInflated = 0;
      stretches.push(open);
    }
    open.push(block);
    openInflated += inflated;
  }
  return { stretches, isFull: taken.size < unmerged.length };
}

/** Texts that blocks have in common count for each: a little too much. */
function recordBytesOf({ frameIndex, marks, pages, facts }: KnownBlock): number {
  const texts = [...pages, ...Object.keys(facts), ...Object.values(facts)];
  return texts.reduce((sum, text) => sum + text.length, frameIndex.length + marks.length);
}

/** What the pieces of a merged block inflate to for it: text frames, and pictures, which lie alone in the blocks of flushes. */
function inflatedBytesOf({ blockLength, frameIndex }: KnownBlock): number {
  if (blockLength === 0) return 0;
  return decodeFrameIndex(frameIndex).frames.reduce((sum, { length }) => sum + length, 0);
}
