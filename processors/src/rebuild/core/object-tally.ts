import type { Flush, FlushBlock, Merge, Offset } from '@playhead/schemas';
import { NO_OFFSET } from '@playhead/schemas';
import { signalsCounted } from '../../compactor/core/session-summary.ts';

/** What became of an object, in one word: see `ObjectOutcome`. */
export type OutcomeKind = 'none' | 'replaced' | 'whole' | 'faulty' | 'rebuilt' | 'trimmed' | 'different';

/** Up to where a catalog knows the chain and the merges. */
export interface CatalogEnd {
  readonly chainEnd: Offset;
  readonly mergeNumber: number;
}

type Counted = Pick<FlushBlock, 'counts'>;

/** Counts what became of the objects of one partition. */
export class ObjectTally {
  /** End of the valid chain so far. */
  chainEnd: Offset = NO_OFFSET;
  flushes = 0;
  merges = 0;
  /** Number of the last valid merge. */
  mergeNumber = 0;
  /** Bytes of all objects that are read. */
  bytes = 0;
  readonly objects: Record<OutcomeKind, number> = { none: 0, replaced: 0, whole: 0, faulty: 0, rebuilt: 0, trimmed: 0, different: 0 };
  /** Blocks that cannot be read, also now. */
  unreadable = 0;
  /** Signals in those of them that the catalog has taken over: it alone still knows these. */
  signalsInCatalogOnly = 0;
  readonly #catalog: CatalogEnd;

  /** @param catalog how far the catalog has come; not given without one */
  constructor(catalog: CatalogEnd = { chainEnd: NO_OFFSET, mergeNumber: 0 }) {
    this.#catalog = catalog;
  }

  /** Objects that somebody will miss. */
  get lost(): number {
    const { faulty, trimmed, different } = this.objects;
    return faulty + trimmed + different;
  }

  /** @param unreadable blocks of the flush that could not be read before anything was done about it */
  add(flush: Pick<Flush, 'lastOffset' | 'objectBytes'>, kind: OutcomeKind, unreadable: readonly Counted[] = []): void {
    this.chainEnd = flush.lastOffset;
    this.flushes++;
    this.#addObject(flush.objectBytes, kind, unreadable, flush.lastOffset <= this.#catalog.chainEnd);
  }

  /** @param unreadable blocks of the merge that cannot be read */
  addMerge(merge: Pick<Merge, 'number' | 'objectBytes'>, kind: OutcomeKind, unreadable: readonly Counted[] = []): void {
    this.mergeNumber = merge.number;
    this.merges++;
    this.#addObject(merge.objectBytes, kind, unreadable, merge.number <= this.#catalog.mergeNumber);
  }

  #addObject(objectBytes: number, kind: OutcomeKind, unreadable: readonly Counted[], isInCatalog: boolean): void {
    this.objects[kind]++;
    if (kind !== 'replaced') this.bytes += objectBytes;
    if (kind === 'rebuilt') return;
    this.unreadable += unreadable.length;
    if (isInCatalog) for (const { counts } of unreadable) this.signalsInCatalogOnly += signalsCounted(counts);
  }
}
