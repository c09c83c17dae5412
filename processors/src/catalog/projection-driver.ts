import type { BlockStore, Catalog, EventLog, LogRecord, PositionedFact } from '@playhead/ports';
import type { Chain, Flush, Offset, Partition } from '@playhead/schemas';
import { extendsChain, followChain, nextOffset } from '@playhead/schemas';
import type { Runtime } from '../runtime/retry.ts';
import { GivenUp, untilDone } from '../runtime/retry.ts';
import { Tail } from '../runtime/tail.ts';
import { Wake } from '../runtime/wake.ts';
import type { ProcessorSettings } from '../settings.ts';
import { signalsOfFlush } from './flush-signals.ts';

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
  /** Flush records that extend no chain: their objects are nobody's. */
  invalid: number;
  facts: number;
  signals: number;
}

interface CatchUp {
  /** What is below these offsets is to be in the catalog; asked for at `sinceMs`. */
  readonly flushesEnd: Offset;
  readonly sessionsEnd: Offset;
  readonly sinceMs: number;
  readonly done: () => void;
}

/**
 * Keeps the catalog up to date with one partition: valid flushes in order, with their signals, and facts of sessions.
 * A loop of its own: however slow the catalog is, compaction does not wait for it. Facts come before flushes that wait,
 * so that a new session is seen at once.
 */
export class Projection {
  readonly partition: Partition;
  readonly stats: ProjectionStats = { flushes: 0, invalid: 0, facts: 0, signals: 0 };
  readonly #deps: ProjectionDeps;
  readonly #wake = new Wake();

  /** Flush records that were read and wait for the catalog. */
  #flushes: LogRecord<'playhead.flushes'>[] = [];
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
    const { next: sessionsEnd } = await log.bounds('playhead.sessions', this.partition);
    if (this.#hasEnded) return;
    await new Promise<void>((done) => {
      this.#catchUps.push({ flushesEnd, sessionsEnd, sinceMs, done });
      this.#wake.set();
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, catalog, settings } = this.#deps;
    const { partition } = this;
    const progress = await this.#until(`read the catalog's progress`, () => catalog.progress(partition), signal);
    let chain: Chain = { end: progress.chainEnd };
    const { retryFirstMs, retryMaxMs } = settings;
    const common = { partition, signal, retryFirstMs, retryMaxMs, wake: () => this.#wake.set() };
    const flushes = new Tail(log, this.#deps, { ...common, topic: 'playhead.flushes', from: progress.flushesNext });
    const sessions = new Tail(log, this.#deps, { ...common, topic: 'playhead.sessions', from: progress.sessionsNext });
    while (!signal.aborted) {
      this.#gatherFacts(sessions);
      if (this.#areFactsDue()) await this.#applyFacts(signal);
      this.#takeFlushes(flushes);
      const next = this.#flushes.shift();
      if (next === undefined) {
        this.#answerCatchUps(flushes, sessions);
        if (!sessions.hasItem) await this.#sleep(flushes);
      } else if (next.record === null || !extendsChain(chain, next.record)) this.stats.invalid++;
      else {
        await this.#applyFlush(next.record, nextOffset(next.offset), signal);
        chain = followChain(chain, next.record);
      }
    }
    await Promise.all([flushes.ended, sessions.ended]);
  }

  #takeFlushes(tail: Tail<'playhead.flushes'>): void {
    if (this.#flushes.length > 0) return;
    const item = tail.take();
    if (item?.kind === 'records') this.#flushes.push(...item.records);
    else if (item) this.#deps.logger.error({ partition: this.partition, from: item.from, first: item.first }, 'flushes were trimmed');
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
    const { blocks, catalog } = this.#deps;
    const at = `${flush.firstOffset}..${flush.lastOffset}`;
    const signals = await this.#until(`fetch the signals of flush ${at}`, () => signalsOfFlush(blocks, flush, this.#deps), signal);
    await this.#until(`give flush ${at} to the catalog`, () => catalog.applyFlush(flush, flushesNext, signals), signal);
    this.stats.flushes++;
    this.stats.signals += signals.length;
  }

  #until<T>(what: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return untilDone(this.#deps, `${what} (partition ${this.partition})`, attempt, { ...this.#deps.settings, signal });
  }

  /** Called where no flush waits. */
  #answerCatchUps(flushes: Tail<'playhead.flushes'>, sessions: Tail<'playhead.sessions'>): void {
    if (this.#factsNext !== null) return;
    const { holeWaitMs } = this.#deps.settings;
    this.#catchUps = this.#catchUps.filter(({ flushesEnd, sessionsEnd, sinceMs, done }) => {
      const isReached = flushes.hasReached(flushesEnd, sinceMs, holeWaitMs) && sessions.hasReached(sessionsEnd, sinceMs, holeWaitMs);
      if (isReached) done();
      return !isReached;
    });
  }

  /** Sleeps until something came, gathered facts are due, or somebody who waits may stand before a hole. */
  async #sleep(flushes: Tail<'playhead.flushes'>): Promise<void> {
    if (flushes.hasItem) return;
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
