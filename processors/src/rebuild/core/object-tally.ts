import type { Flush, FlushBlock, Offset } from '@playhead/schemas';
import { NO_OFFSET } from '@playhead/schemas';
import { signalsCounted } from '../../compactor/core/session-summary.ts';

/** What became of an object, in one word: see `ObjectOutcome`. */
export type OutcomeKind = 'none' | 'whole' | 'faulty' | 'rebuilt' | 'trimmed' | 'different';

/** Counts what became of the objects of one partition. */
export class ObjectTally {
  /** End of the valid chain so far. */
  chainEnd: Offset = NO_OFFSET;
  flushes = 0;
  /** Bytes of all objects that flushes name. */
  bytes = 0;
  readonly objects: Record<OutcomeKind, number> = { none: 0, whole: 0, faulty: 0, rebuilt: 0, trimmed: 0, different: 0 };
  /** Blocks that cannot be read, also now. */
  unreadable = 0;
  /** Signals in those of them that the catalog has taken over: it alone still knows these. */
  signalsInCatalogOnly = 0;
  readonly #catalogEnd: Offset;

  /** @param catalogEnd up to where the catalog knows the chain; NO_OFFSET without one */
  constructor(catalogEnd: Offset = NO_OFFSET) {
    this.#catalogEnd = catalogEnd;
  }

  /** Objects that somebody will miss. */
  get lost(): number {
    const { faulty, trimmed, different } = this.objects;
    return faulty + trimmed + different;
  }

  /** @param unreadable blocks of the flush that could not be read before anything was done about it */
  add(flush: Pick<Flush, 'lastOffset' | 'objectBytes'>, kind: OutcomeKind, unreadable: readonly Pick<FlushBlock, 'counts'>[] = []): void {
    this.chainEnd = flush.lastOffset;
    this.flushes++;
    this.bytes += flush.objectBytes;
    this.objects[kind]++;
    if (kind === 'rebuilt') return;
    this.unreadable += unreadable.length;
    if (flush.lastOffset > this.#catalogEnd) return;
    for (const { counts } of unreadable) this.signalsInCatalogOnly += signalsCounted(counts);
  }
}
