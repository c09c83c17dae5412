import type { BlockStore, Catalog, EventLog, LogRecord, PositionedFact, SignalRow } from '@playhead/ports';
import type { Chain, Flush, Merge, Offset, Partition } from '@playhead/schemas';
import { extendsChain, extendsMerges, followChain, nextOffset } from '@playhead/schemas';
import type { Runtime } from '../runtime/retry.ts';
import { GivenUp, untilDone } from '../runtime/retry.ts';
import { Tail } from '../runtime/tail.ts';
import { Wake } from '../runtime/wake.ts';
import type { ProcessorSettings } from '../settings.ts';
import type { WithBlocks } from './block-signals.ts';
import { signalsOf } from './block-signals.ts';

/** Facts that one call hands to the catalog at most. */
const FACTS_AT_ONCE = 500;

export interface ProjectionDeps extends Runtime {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  readonly settings: ProcessorSettings;
}

/** What a projection did since it was made. */
export interface ProjectionStats {
  flushes: number;
  merges: number;
  /** Flush and merge records that do not count: their objects are nobody's. */
  invalid: number;
  /** Objects that were gone when their signals were to be fetched: of flushes also those that were merged and swept. */
  gone: number;
  facts: number;
  signals: number;
}

interface CatchUp {
  /** What is below these offsets is to be in the catalog; asked for at `sinceMs`. */
  readonly flushesEnd: Offset;
  readonly mergesEnd: Offset;
  readonly sessionsEnd: Offset;
  readonly sinceMs: number;
  readonly done: () => void;
}

interface ProjectionTails {
  readonly flushes: Tail<'playhead.flushes'>;
  readonly merges: Tail<'playhead.merges'>;
  readonly sessions: Tail<'playhead.sessions'>;
}

/**
 * Keeps the catalog up to date with one partition: valid flushes and valid merges in order, with their signals, and facts of
 * sessions. A loop of its own: however slow the catalog is, compaction does not wait for it. Facts come before all that waits,
 * so that a new session is seen at once; merges before flushes, so that a catalog that is filled anew answers blocks that are there.
 */
export class Projection {
  readonly partition: Partition;
  readonly stats: ProjectionStats = { flushes: 0, merges: 0, invalid: 0, gone: 0, facts: 0, signals: 0 };
  readonly #deps: ProjectionDeps;
  readonly #wake = new Wake();

  /** Flush records that were read and wait for the catalog. */
  #flushes: LogRecord<'playhead.flushes'>[] = [];
  #merges: LogRecord<'playhead.merges'>[] = [];
  #facts: PositionedFact[] = [];
  /** When the facts that were gathered go to the catalog. */
  #factsDueMs = 0;
  /** Where to read `playhead.sessions` on after the facts that were gathered. */
  #factsNext: Offset | null = null;
  #catchUps: CatchUp[] = [];
  #hasEnded = false;

  constructor(deps: ProjectionDeps, partition: Partition) {
    this.#deps = deps;
    this.partition = partition;
  }

  /** Works until `signal` aborts; what is under way then is repeated by the next start. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#wake.set();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#follow(signal);
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#hasEnded = true;
      for (const { done } of this.#catchUps) done();
      this.#catchUps = [];
    }
  }

  /** Resolves when everything that was in the log at the call is in the catalog, or when the projection has ended. */
  async catchUp(): Promise<void> {
    const { log, clock } = this.#deps;
    const sinceMs = clock.now();
    const { next: flushesEnd } = await log.bounds('playhead.flushes', this.partition);
    const { next: mergesEnd } = await log.bounds('playhead.merges', this.partition);
    const { next: sessionsEnd } = await log.bounds('playhead.sessions', this.partition);
    if (this.#hasEnded) return;
    await new Promise<void>((done) => {
      this.#catchUps.push({ flushesEnd, mergesEnd, sessionsEnd, sinceMs, done });
      this.#wake.set();
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, catalog, settings } = this.#deps;
    const { partition } = this;
    const progress = await this.#until(`read the catalog's progress`, () => catalog.progress(partition), signal);
    let chain: Chain = { end: progress.chainEnd };
    let mergeNumber = progress.mergeNumber;
    const { retryFirstMs, retryMaxMs } = settings;
    const common = { partition, signal, retryFirstMs, retryMaxMs, wake: () => this.#wake.set() };
    const tails: ProjectionTails = {
      flushes: new Tail(log, this.#deps, { ...common, topic: 'playhead.flushes', from: progress.flushesNext }),
      merges: new Tail(log, this.#deps, { ...common, topic: 'playhead.merges', from: progress.mergesNext }),
      sessions: new Tail(log, this.#deps, { ...common, topic: 'playhead.sessions', from: progress.sessionsNext }),
    };
    while (!signal.aborted) {
      this.#gatherFacts(tails.sessions);
      if (this.#areFactsDue()) await this.#applyFacts(signal);
      this.#takeInto(this.#merges, tails.merges, 'merges were trimmed');
      this.#takeInto(this.#flushes, tails.flushes, 'flushes were trimmed');
      const merge = this.#merges.shift();
      const flush = merge === undefined ? this.#flushes.shift() : undefined;
      if (merge !== undefined) {
        if (merge.record === null || !extendsMerges(mergeNumber, merge.record)) this.stats.invalid++;
        else {
          await this.#applyMerge(merge.record, nextOffset(merge.offset), signal);
          mergeNumber = merge.record.number;
        }
      } else if (flush === undefined) {
        this.#answerCatchUps(tails);
        if (!tails.sessions.hasItem) await this.#sleep(tails);
      } else if (flush.record === null || !extendsChain(chain, flush.record)) this.stats.invalid++;
      else {
        await this.#applyFlush(flush.record, nextOffset(flush.offset), signal);
        chain = followChain(chain, flush.record);
      }
    }
    await Promise.all(Object.values(tails).map(({ ended }) => ended));
  }

  #takeInto<T extends 'playhead.flushes' | 'playhead.merges'>(waiting: LogRecord<T>[], tail: Tail<T>, whenTrimmed: string): void {
    if (waiting.length > 0) return;
    const item = tail.take();
    if (item?.kind === 'records') waiting.push(...item.records);
    else if (item) this.#deps.logger.error({ partition: this.partition, from: item.from, first: item.first }, whenTrimmed);
  }

  #gatherFacts(tail: Tail<'playhead.sessions'>): void {
    if (this.#facts.length >= FACTS_AT_ONCE) return;
    const item = tail.take();
    if (item === null) return;
    if (this.#factsNext === null) this.#factsDueMs = this.#deps.clock.now() + this.#deps.settings.factsGatherMs;
    this.#factsNext = tail.next;
    if (item.kind === 'gone') return;
    for (const { offset, record } of item.records) if (record !== null) this.#facts.push({ offset, fact: record });
  }

  #areFactsDue(): boolean {
    if (this.#factsNext === null) return false;
    return this.#facts.length >= FACTS_AT_ONCE || this.#deps.clock.now() >= this.#factsDueMs;
  }

  async #applyFacts(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#deps;
    const end = this.#factsNext;
    if (end === null) return;
    do {
      const some = this.#facts.slice(0, FACTS_AT_ONCE);
      const next = this.#facts[FACTS_AT_ONCE]?.offset ?? end;
      await this.#until('give facts of sessions to the catalog', () => catalog.applyFacts(this.partition, some, next), signal);
      this.stats.facts += some.length;
      this.#facts = this.#facts.slice(some.length);
    } while (this.#facts.length > 0);
    this.#factsNext = null;
  }

  async #applyFlush(flush: Flush, flushesNext: Offset, signal: AbortSignal): Promise<void> {
    const { catalog, clock, settings } = this.#deps;
    const what = `flush ${flush.firstOffset}..${flush.lastOffset}`;
    // No merge of it was made before it, and no sweep came before the grace was over.
    const mayBeMerged = clock.now() - flush.createdAtMs >= settings.sweepGraceMs;
    const signals = await this.#signalsOf(flush, what, mayBeMerged, signal);
    await this.#until(`give ${what} to the catalog`, () => catalog.applyFlush(flush, flushesNext, signals), signal);
    this.stats.flushes++;
    this.stats.signals += signals.length;
  }

  async #applyMerge(merge: Merge, mergesNext: Offset, signal: AbortSignal): Promise<void> {
    const { catalog } = this.#deps;
    const what = `merge ${merge.number}`;
    const signals = await this.#signalsOf(merge, what, false, signal);
    await this.#until(`give ${what} to the catalog`, () => catalog.applyMerge(merge, mergesNext, signals), signal);
    this.stats.merges++;
    this.stats.signals += signals.length;
  }

  async #signalsOf(record: WithBlocks, what: string, mayBeMerged: boolean, signal: AbortSignal): Promise<readonly SignalRow[]> {
    const { blocks, logger } = this.#deps;
    const { rows, isGone } = await this.#until(`fetch the signals of ${what}`, () => signalsOf(blocks, record, this.#deps), signal);
    if (isGone) {
      this.stats.gone++;
      const fields = { partition: this.partition, objectKey: record.objectKey };
      if (mayBeMerged) logger.debug(fields, `the object of ${what} is gone: its signals come with the merges of its blocks`);
      else logger.error(fields, `the object of ${what} is gone: its signals are lost`);
    }
    return rows;
  }

  #until<T>(what: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return untilDone(this.#deps, `${what} (partition ${this.partition})`, attempt, { ...this.#deps.settings, signal });
  }

  /** Called where neither flush nor merge waits. */
  #answerCatchUps({ flushes, merges, sessions }: ProjectionTails): void {
    if (this.#factsNext !== null) return;
    const { holeWaitMs } = this.#deps.settings;
    this.#catchUps = this.#catchUps.filter(({ flushesEnd, mergesEnd, sessionsEnd, sinceMs, done }) => {
      const isReached =
        flushes.hasReached(flushesEnd, sinceMs, holeWaitMs) &&
        merges.hasReached(mergesEnd, sinceMs, holeWaitMs) &&
        sessions.hasReached(sessionsEnd, sinceMs, holeWaitMs);
      if (isReached) done();
      return !isReached;
    });
  }

  /** Sleeps until something came, gathered facts are due, or somebody who waits may stand before a hole. */
  async #sleep({ flushes, merges }: ProjectionTails): Promise<void> {
    if (flushes.hasItem || merges.hasItem) return;
    const { clock, settings } = this.#deps;
    const nowMs = clock.now();
    const waits: number[] = [];
    if (this.#factsNext !== null) waits.push(Math.max(0, this.#factsDueMs - nowMs));
    if (this.#catchUps.length > 0) waits.push(settings.holeWaitMs);
    const cancel = waits.length > 0 ? clock.setTimer(Math.min(...waits), () => this.#wake.set()) : undefined;
    await this.#wake.wait();
    cancel?.();
  }
}
