import type { Offset } from './ids.ts';
import { NO_OFFSET } from './ids.ts';
import type { Flush } from './records/types.ts';

/**
 * The flush chain: the one rule by which every reader (catalog, gateway, the next compactor) decides which flush of a
 * partition counts. Readers apply it in log order, so they agree without talking to each other; of several writers the
 * first record to extend the chain wins and the others' objects are garbage.
 */

/**
 * The chain of one partition as far as a reader has seen it.
 *
 * A reader that keeps it (progress, checkpoint) keeps with it, in one step, where in `playhead.flushes` to read on: a flush
 * that lost was not valid when it was read, and could be if it were read again behind a newer end.
 */
export interface Chain {
  /** `lastOffset` of the last valid flush; NO_OFFSET before the first. */
  readonly end: Offset;
}

export const EMPTY_CHAIN: Chain = { end: NO_OFFSET };

type FlushRange = Pick<Flush, 'prevLastOffset' | 'firstOffset' | 'lastOffset'>;

/** True when `flush` is valid: it names the chain's end, begins behind it (offsets may have holes) and is not inside out. */
export function extendsChain(chain: Chain, flush: FlushRange): boolean {
  return flush.prevLastOffset === chain.end && flush.firstOffset > chain.end && flush.lastOffset >= flush.firstOffset;
}

/** The chain after `flush` was read: extended when it is valid, unchanged when it is not. */
export function followChain(chain: Chain, flush: FlushRange): Chain {
  return extendsChain(chain, flush) ? { end: flush.lastOffset } : chain;
}
