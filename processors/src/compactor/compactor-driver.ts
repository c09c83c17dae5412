import type { LogRecord } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import type { Chain, Offset, Partition, Upload } from '@playhead/schemas';
import { EMPTY_CHAIN, nextOffset, toOffset } from '@playhead/schemas';
import { Lifecycle } from '../lifecycle/core/lifecycle.ts';
import type { LifecycleTails } from '../lifecycle/lifecycle-driver.ts';
import { endSessions, takeFacts } from '../lifecycle/lifecycle-driver.ts';
import type { BudgetHolder, BufferBudget } from '../runtime/buffer-budget.ts';
import { errorFields, GivenUp, orGivenUp, spreadMs } from '../runtime/retry.ts';
import { Tail } from '../runtime/tail.ts';
import { Wake } from '../runtime/wake.ts';
import type { ChainTip } from './chain-start.ts';
import { findChainEnd } from './chain-start.ts';
import { writeCheckpoint } from './checkpoint-store.ts';
import type { CompactorStats } from './compactor-stats.ts';
import { noStats } from './compactor-stats.ts';
import { checkpointOf } from './core/checkpoint.ts';
import { KnownSessions } from './core/known-sessions.ts';
import { PendingFlush } from './core/pending-flush.ts';
import type { FlushDeps } from './flush-step.ts';
import { buildFlush, writeFlush } from './flush-step.ts';
import type { ReadUpload } from './read-frames.ts';
import { takeRecord } from './take-record.ts';

export interface CompactorDeps extends FlushDeps {
  readonly budget: BufferBudget;
  /** Default: `readUploadAsync` of uploads. */
  readonly readUpload?: ReadUpload;
}

/** Somebody else extended the chain first: what is buffered is theirs now. */
class LostRace extends Error {
  override readonly name = 'LostRace';
}

interface FlushRequest {
  /** Uploads below this offset are to be flushed; asked for at `sinceMs`. */
  readonly end: Offset;
  readonly sinceMs: number;
  readonly done: () => void;
}

/**
 * Compacts one partition and ends its sessions. One loop does everything; timers, readers and callers only wake it.
 * While a flush cannot be completed the loop stands in it and nothing is read: the log keeps what waits.
 */
export class Compactor implements BudgetHolder {
  readonly partition: Partition;
  readonly stats: CompactorStats = noStats();
  readonly #deps: CompactorDeps;
  readonly #wake = new Wake();
  readonly #giveUp = new AbortController();
  #requests: FlushRequest[] = [];
  #flushRequested = false;
  #hasEnded = false;
  #lostInARow = 0;

  // What is known at the chain's end, and what was read behind it.
  #chain: Chain = EMPTY_CHAIN;
  #tip: ChainTip | null = null;
  #flushesNext: Offset = toOffset(0);
  #sinceCheckpoint = 0;
  /** When one was last tried, or the start. */
  #checkpointAtMs = 0;
  #known = new KnownSessions();
  #lifecycle: Lifecycle;
  #pending: PendingFlush;
  #tickAtMs = 0;

  constructor(deps: CompactorDeps, partition: Partition) {
    this.#deps = deps;
    this.partition = partition;
    this.#lifecycle = new Lifecycle(0, deps.settings);
    this.#pending = new PendingFlush(partition);
  }

  /**
   * Works until `signal` aborts; then flushes what is buffered, writes a checkpoint and ends, within `stopFlushMs`.
   * What could not be flushed by then is in the log. Call once.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, settings, budget } = this.#deps;
    const bornMs = clock.now();
    let cancelGiveUp = (): void => undefined;
    const onAbort = (): void => {
      this.#wake.set();
      cancelGiveUp = clock.setTimer(settings.stopFlushMs, () => this.#giveUp.abort());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        try {
          await this.#fromChain(bornMs, signal);
        } catch (error) {
          if (!(error instanceof LostRace)) throw error;
          logger.warn(
            { partition: this.partition, chainEnd: this.#chain.end },
            'another compactor was first; starting from the chain again',
          );
          await this.#standBack(signal);
        }
      }
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      logger.warn({ partition: this.partition, error: error.message }, 'stopped before everything was flushed; the log keeps it');
    } finally {
      signal.removeEventListener('abort', onAbort);
      cancelGiveUp();
      budget.remove(this);
      this.#hasEnded = true;
      for (const request of this.#requests) request.done();
      this.#requests = [];
    }
  }

  /** Resolves when everything that was in the log at the call is in a valid flush, or when the compactor has ended. */
  async flushNow(): Promise<void> {
    const sinceMs = this.#deps.clock.now();
    const { next } = await this.#deps.log.bounds('playhead.uploads', this.partition);
    if (this.#hasEnded) return;
    await new Promise<void>((done) => {
      this.#requests.push({ end: next, sinceMs, done });
      this.#wake.set();
    });
  }

  /** Somebody needs the memory. */
  requestFlush(): void {
    this.#flushRequested = true;
    this.#wake.set();
  }

  roomMade(): void {
    this.#wake.set();
  }

  /** Two compactors that race (a zombie and its heir) must not spend their time on objects that nobody wants. */
  async #standBack(signal: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#deps;
    const longestMs = backoffMs(settings.retryFirstMs, this.#lostInARow++, settings.retryMaxMs);
    await pause(clock, spreadMs(longestMs, random), signal);
  }

  async #fromChain(bornMs: number, signal: AbortSignal): Promise<void> {
    const { clock, logger, settings, log } = this.#deps;
    const { partition } = this;
    this.#renewPending();
    const start = await findChainEnd(this.#deps, partition, bornMs, signal);
    this.#chain = start.chain;
    this.#tip = start.tip;
    this.#flushesNext = start.flushesNext;
    this.#sinceCheckpoint = start.sinceCheckpoint;
    this.#known = start.known;
    this.#lifecycle = start.lifecycle;
    this.stats.flushesReadAtStart += start.flushesRead;
    this.stats.invalid += start.invalid;
    this.#tickAtMs = clock.now() + settings.lifecycleTickMs;
    this.#checkpointAtMs = clock.now();
    logger.debug(
      { partition, chainEnd: start.chain.end, flushesRead: start.flushesRead, sessions: start.known.size },
      'compacting from the end of the chain',
    );

    const reading = new AbortController();
    const onAbort = (): void => reading.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) reading.abort();
    const { retryFirstMs, retryMaxMs } = settings;
    const common = { partition, signal: reading.signal, retryFirstMs, retryMaxMs, wake: () => this.#wake.set() };
    const tails: LifecycleTails = {
      uploads: new Tail(log, this.#deps, { ...common, topic: 'playhead.uploads', from: nextOffset(start.chain.end) }),
      sessions: new Tail(log, this.#deps, { ...common, topic: 'playhead.sessions', from: start.sessionsNext }),
    };
    try {
      if (this.#sinceCheckpoint >= settings.checkpointEveryFlushes) await this.#checkpoint(tails);
      while (!signal.aborted) if (!(await this.#turn(tails, signal))) await this.#sleep();
    } finally {
      reading.abort();
      signal.removeEventListener('abort', onAbort);
    }
    await orGivenUp(Promise.all([tails.uploads.ended, tails.sessions.ended]), this.#giveUp.signal);
    await this.#flush(tails);
    await this.#checkpoint(tails);
  }

  /** Does what there is to do. True when there may be more at once. */
  async #turn(tails: LifecycleTails, signal: AbortSignal): Promise<boolean> {
    const tookFacts = takeFacts(this.#lifecycle, tails.sessions, (end) => this.#noteEnded(end));
    const tookUploads = await this.#takeUploads(tails, signal);
    if (this.#isFlushDue()) await this.#flush(tails);
    await this.#answerRequests(tails);
    if (this.#isCheckpointDue()) await this.#checkpoint(tails);
    if (this.#deps.clock.now() >= this.#tickAtMs) await this.#tick(tails);
    return tookFacts || tookUploads;
  }

  async #takeUploads(tails: LifecycleTails, signal: AbortSignal): Promise<boolean> {
    const item = tails.uploads.take();
    if (item === null) return false;
    if (item.kind === 'gone') {
      await this.#lose(item.from, item.first, tails);
      return true;
    }
    for (const record of item.records) {
      if (!this.#deps.budget.admits(this)) await this.#waitForRoom(tails, signal);
      if (signal.aborted) return false;
      await this.#takeUpload(record);
      if (this.#pending.bytes >= this.#deps.settings.flushBytesMax) await this.#flush(tails);
    }
    return true;
  }

  async #takeUpload(record: LogRecord<'playhead.uploads'>): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const accept = (upload: Upload): boolean => {
      const isNew = this.#known.accept(upload, nowMs);
      this.#lifecycle.upload(upload, !isNew);
      return isNew;
    };
    const { upload, duplicate, rejected } = await takeRecord(this.#pending, record, accept, nowMs, this.#deps.readUpload);
    this.#deps.budget.set(this, this.#pending.bytes);
    if (rejected) this.stats.rejected++;
    if (upload === null) return;
    if (duplicate) this.stats.duplicates++;
    else {
      this.stats.uploads++;
      if (this.#lifecycle.isEnded(upload.projectId, upload.sessionId)) this.#noteEnded(upload);
    }
  }

  #noteEnded({ projectId, sessionId }: Pick<Upload, 'projectId' | 'sessionId'>): void {
    this.#pending.noteEnded(projectId, sessionId, this.#deps.clock.now());
  }

  /** What the log had trimmed before it was read is lost. A flush has one gap, in front of everything else. */
  async #lose(from: Offset, first: Offset, tails: LifecycleTails): Promise<void> {
    await this.#flush(tails);
    const gap = { firstOffset: from, lastOffset: toOffset(first - 1) };
    this.#pending.lose(gap, this.#deps.clock.now());
    this.stats.gaps++;
    this.#deps.logger.error({ partition: this.partition, ...gap }, 'uploads were trimmed before they were compacted: they are lost');
  }

  /** Back-pressure: while the buffers of the process are full, the largest flushes and the others wait here. */
  async #waitForRoom(tails: LifecycleTails, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#deps.budget.admits(this)) {
      if (this.#isFlushDue()) await this.#flush(tails);
      // Not for what is due besides: nothing of it is done here, and a time that has passed would wake at once, again and again.
      else await this.#sleepUntil(this.#pending.isEmpty ? [] : [this.#pending.dueMs(this.#deps.settings)]);
    }
  }

  #isFlushDue(): boolean {
    if (this.#pending.isEmpty) return false;
    return this.#flushRequested || this.#deps.clock.now() >= this.#pending.dueMs(this.#deps.settings);
  }

  async #flush(tails: LifecycleTails): Promise<void> {
    const pending = this.#pending;
    if (pending.isEmpty) return;
    const { clock, writer, logger, settings } = this.#deps;
    const built = await buildFlush(pending, this.#chain, writer, clock.now());
    // What was read is in the object now. A flush that cannot be completed holds only that.
    this.#renewPending();
    this.#deps.budget.set(this, built.bytes);
    const outcome = await writeFlush(this.#deps, built, this.#chain, this.#flushesNext, this.#giveUp.signal);
    this.stats.invalid += outcome.invalid;
    if (outcome.kind === 'lost') {
      this.stats.lost++;
      throw new LostRace('the chain was extended by another compactor');
    }
    const { flush } = built;
    this.#chain = { end: flush.lastOffset };
    this.#tip = { flush, offset: outcome.offset };
    this.#flushesNext = outcome.flushesNext;
    this.#sinceCheckpoint++;
    this.stats.flushes++;
    this.#lostInARow = 0;
    this.#deps.budget.set(this, 0);
    logger.debug(
      {
        partition: this.partition,
        firstOffset: flush.firstOffset,
        lastOffset: flush.lastOffset,
        sessions: flush.blocks.length,
        objectBytes: flush.objectBytes,
        rejected: built.rejected.length,
      },
      'flushed',
    );
    if (this.#sinceCheckpoint >= settings.checkpointEveryFlushes) await this.#checkpoint(tails);
  }

  #isCheckpointDue(): boolean {
    if (this.#sinceCheckpoint === 0 || !this.#pending.isEmpty) return false;
    return this.#deps.clock.now() >= this.#checkpointAtMs + this.#deps.settings.checkpointEveryMs;
  }

  #renewPending(): void {
    this.#pending = new PendingFlush(this.partition);
    this.#flushRequested = false;
    this.#deps.budget.set(this, 0);
  }

  /** Only where nothing is pending: a checkpoint says what the chain says, not more. It is a shortcut: failing is no harm. */
  async #checkpoint(tails: LifecycleTails): Promise<void> {
    if (this.#tip === null || this.#sinceCheckpoint === 0 || !this.#pending.isEmpty) return;
    const { settings, blocks, logger, clock } = this.#deps;
    this.#checkpointAtMs = clock.now();
    const sessionsNext = tails.sessions.next;
    const knowledge = { partition: this.partition, tip: this.#tip, sessionsNext, known: this.#known, lifecycle: this.#lifecycle };
    const checkpoint = checkpointOf(knowledge, settings.dedupeHorizonMs);
    try {
      await orGivenUp(writeCheckpoint(blocks, checkpoint), this.#giveUp.signal);
      this.#sinceCheckpoint = 0;
      this.stats.checkpoints++;
    } catch (error) {
      if (error instanceof GivenUp) throw error;
      logger.warn({ ...errorFields(error), partition: this.partition }, 'could not write a checkpoint; it is tried again later');
    }
  }

  async #answerRequests(tails: LifecycleTails): Promise<void> {
    const isReached = ({ end, sinceMs }: FlushRequest): boolean => tails.uploads.hasReached(end, sinceMs, this.#deps.settings.holeWaitMs);
    const reached = this.#requests.filter(isReached);
    if (reached.length === 0) return;
    await this.#flush(tails);
    this.#requests = this.#requests.filter((request) => !reached.includes(request));
    for (const request of reached) request.done();
  }

  async #tick(tails: LifecycleTails): Promise<void> {
    const { clock, settings, logger } = this.#deps;
    try {
      this.stats.ended += await endSessions(this.#deps, this.#lifecycle, tails, this.partition, this.#giveUp.signal);
    } catch (error) {
      if (error instanceof GivenUp) throw error;
      logger.warn({ ...errorFields(error), partition: this.partition }, 'could not look for ended sessions; the next tick tries again');
    }
    this.#tickAtMs = clock.now() + settings.lifecycleTickMs;
  }

  /** Sleeps until something came or a time has come: a flush's age, or the next look at sessions and requests. */
  async #sleep(): Promise<void> {
    const { settings } = this.#deps;
    const times: number[] = [];
    if (!this.#pending.isEmpty) times.push(this.#pending.dueMs(settings));
    else if (this.#sinceCheckpoint > 0) times.push(this.#checkpointAtMs + settings.checkpointEveryMs);
    if (this.#lifecycle.openCount > 0 || this.#requests.length > 0) times.push(this.#tickAtMs);
    await this.#sleepUntil(times);
  }

  /** Sleeps until something came, or the first of the times (Unix ms). */
  async #sleepUntil(times: readonly number[]): Promise<void> {
    const { clock } = this.#deps;
    const cancels = times.map((ms) => clock.setTimer(Math.max(0, ms - clock.now()), () => this.#wake.set()));
    await this.#wake.wait();
    for (const cancel of cancels) cancel();
  }
}
