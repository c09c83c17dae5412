import type { SessionsQuery } from '@playhead/ports';
import { backoffMs, Latch, pause } from '@playhead/ports';
import type { Offset, Partition, SessionFact, SessionInfo } from '@playhead/schemas';
import { NO_OFFSET, PlayheadError, partitionOf, toOffset } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import { errorText } from '../error-text.ts';
import type { KnownSession } from './known-session.ts';
import { mergedInfo, withFact } from './known-session.ts';

/** Sessions that started in the same ms and would fall on two pages: asked for beyond the limit so that they stay together. */
const PAGE_SLACK = 20;
const CATALOG_PAGE_MAX = 500;

export interface SessionsPage {
  readonly sessions: readonly SessionInfo[];
  /** `startedBeforeMs` of the next page; null when this is the last. */
  readonly next: number | null;
}

/** A session has started or ended. */
export type SessionListener = (projectId: string, sessionId: string, fact: SessionFact['kind']) => void;

/** What the facts say of a session, and where the newest of them is. */
interface Remembered extends KnownSession {
  readonly offset: Offset;
  /** Nothing can have been forgotten of it. */
  readonly whole: boolean;
}

/**
 * Every session that this installation knows: the catalog, and what the log's facts say before the catalog has them.
 * Tails `playhead.sessions` of all partitions from where the catalog is; remembers the newest sessions, bounded. What was
 * forgotten before the catalog had it is answered with `unavailable`, not with a guess.
 */
export class SessionDirectory {
  readonly #gateway: Gateway;
  readonly #known = new Map<string, Remembered>();
  /** By partition: the newest fact that was forgotten and that the catalog is not known to have. */
  readonly #forgottenTo = new Map<Partition, Offset>();
  /** By partition: facts below are in the catalog, as far as it was asked. */
  readonly #catalogNext = new Map<Partition, Offset>();
  readonly #listeners = new Set<SessionListener>();
  /** Questions to the catalog that are under way. */
  readonly #asked = new Map<string, Promise<SessionInfo | null>>();
  readonly #stop = new AbortController();
  readonly #tails: Promise<void>[] = [];
  /** By partition: where the tail reads next. */
  readonly #reached = new Map<Partition, Offset>();
  readonly #moved = new Latch();
  /** By partition: since when its tail reads without a failure, by our clock; not there while it does not. */
  readonly #readingSinceMs = new Map<Partition, number>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  start(): void {
    for (let partition = 0; partition < this.#gateway.log.partitions; partition++) this.#tails.push(this.#tail(partition));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tails);
  }

  /** Calls `listener` for every start and end from now on; the answer stops it. */
  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * One session of a project, or null. Nobody is told that a session does not exist while the log has facts that were not
   * read yet: ingest, in another process, may have answered its recorder a moment ago.
   *
   * @throws {PlayheadError} `unavailable` or `log_unavailable`
   */
  async session(projectId: string, sessionId: string): Promise<SessionInfo | null> {
    const key = keyOf(projectId, sessionId);
    const partition = partitionOf(sessionId, this.#gateway.log.partitions);
    await this.#begun(partition);
    const row = await this.#row(key, projectId, sessionId);
    const info = (): SessionInfo | null => mergedInfo(row, this.#known.get(key));
    // What was forgotten may be the start or the end of this session.
    const isWhole = (): boolean => !this.#forgottenTo.has(partition) || this.#known.get(key)?.whole === true;
    const isSure = (): boolean => info() !== null && (info()?.endedAtMs !== null || isWhole());
    if (isSure()) return info();
    if (info() === null) await this.#readToEnd(key, partition);
    if (isSure()) return info();
    await this.#assertCatalogHasForgotten(partition);
    // Again: the catalog may have taken over since what the tail, which begins where the catalog is, has not read.
    const again = mergedInfo(await this.#gateway.catalog.session(projectId, sessionId), this.#known.get(key));
    if (again?.endedAtMs == null && !isWhole()) throw new PlayheadError('unavailable', 'Facts of sessions were forgotten meanwhile.');
    return again;
  }

  /**
   * What the catalog says of a session. Who asks while the same is being asked gets that answer: viewers who come back to a slow catalog
   * again and again would else leave it a question each time, and nobody would ever be answered.
   */
  #row(key: string, projectId: string, sessionId: string): Promise<SessionInfo | null> {
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#gateway.catalog.session(projectId, sessionId).finally(() => {
      if (this.#asked.get(key) === asking) this.#asked.delete(key);
    });
    this.#asked.set(key, asking);
    return asking;
  }

  /** @throws {PlayheadError} `unavailable` while the catalog has not taken over a fact of the partition that was forgotten here */
  async #assertCatalogHasForgotten(partition: Partition): Promise<void> {
    if (!this.#forgottenTo.has(partition)) return;
    const { sessionsNext } = await this.#gateway.catalog.progress(partition);
    const forgottenTo = this.#forgottenTo.get(partition) ?? NO_OFFSET;
    this.#catalogNext.set(partition, sessionsNext);
    // What is being asked may be answered from before that.
    this.#asked.clear();
    if (sessionsNext <= forgottenTo) throw new PlayheadError('unavailable', 'The catalog is far behind the log.');
    this.#forgottenTo.delete(partition);
  }

  /** The end of a session as far as the log's facts tell it; null when they do not. */
  endOf(projectId: string, sessionId: string): Pick<SessionInfo, 'endedAtMs' | 'endReason'> | null {
    const ended = this.#known.get(keyOf(projectId, sessionId))?.ended;
    return ended ? { endedAtMs: ended.endedAtMs, endReason: ended.reason } : null;
  }

  /** Newest start first. A page holds a little more than `limit` where sessions that started in the same ms would be cut apart. */
  async sessions(query: SessionsQuery): Promise<SessionsPage> {
    const asked = Math.min(query.limit + PAGE_SLACK, CATALOG_PAGE_MAX);
    const rows = await this.#gateway.catalog.sessions({ ...query, limit: asked });
    const found = new Map<string, SessionInfo>();
    for (const row of rows) {
      const info = mergedInfo(row, this.#known.get(keyOf(row.projectId, row.sessionId)));
      if (info !== null) found.set(row.sessionId, info);
    }
    for (const info of await this.#beyondCatalog(query, found)) found.set(info.sessionId, info);
    const all = [...found.values()]
      .filter((info) => query.live === undefined || info.live === query.live)
      .toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.sessionId < b.sessionId ? 1 : -1));
    // A full answer of the catalog ends somewhere: what is older than its last row may lie between rows that it left out.
    const oldestRow = rows.length >= asked ? (rows.at(-1)?.startedAtMs ?? 0) : Number.NEGATIVE_INFINITY;
    const sure = all.filter((info) => info.startedAtMs >= oldestRow);
    let end = Math.min(query.limit, sure.length);
    const lastMs = sure[end - 1]?.startedAtMs;
    while (end < sure.length && sure[end]?.startedAtMs === lastMs) end++;
    const more = end < all.length || rows.length >= asked;
    return { sessions: sure.slice(0, end), next: more ? (lastMs ?? oldestRow) : null };
  }

  /** Sessions that the facts put on this page and the catalog's answer does not have. */
  async #beyondCatalog(query: SessionsQuery, found: ReadonlyMap<string, SessionInfo>): Promise<readonly SessionInfo[]> {
    const missing: SessionInfo[] = [];
    for (const known of this.#known.values()) {
      const info = mergedInfo(null, known);
      if (info === null || info.projectId !== query.projectId || found.has(info.sessionId)) continue;
      if (query.startedBeforeMs !== undefined && info.startedAtMs >= query.startedBeforeMs) continue;
      if (query.live !== undefined && info.live !== query.live) continue;
      missing.push(info);
    }
    const newest = missing.toSorted((a, b) => b.startedAtMs - a.startedAtMs).slice(0, query.limit + PAGE_SLACK);
    if (query.live !== false) return newest;
    // The catalog may have them as live ones, with counts that the facts do not have.
    const merged = await Promise.all(newest.map((info) => this.session(info.projectId, info.sessionId)));
    return merged.filter((info) => info !== null);
  }

  /**
   * Resolves when `key` is known, or when the tail has read what the log held at the call. Its last offsets may be holes: a tail that got
   * nothing for `directoryWaitMs` stands before one.
   *
   * @throws {PlayheadError} `log_unavailable` when the tail could not read all that time, or was closed meanwhile
   */
  async #readToEnd(key: string, partition: Partition): Promise<void> {
    const { log, clock } = this.#gateway;
    const { next: end } = await log.bounds('playhead.sessions', partition);
    const sinceMs = clock.now();
    const isReached = (): boolean => this.#known.has(key) || (this.#reached.get(partition) ?? NO_OFFSET) >= end;
    if (await this.#waitFor(isReached)) return;
    if (this.#stop.signal.aborted || (this.#readingSinceMs.get(partition) ?? Number.POSITIVE_INFINITY) > sinceMs) throw unread();
  }

  /**
   * Resolves when the tail has begun where the catalog was: what was told of sessions before is in every row from then on, and what is
   * told later the tail hears.
   *
   * @throws {PlayheadError} `log_unavailable`
   */
  async #begun(partition: Partition): Promise<void> {
    if (!(await this.#waitFor(() => this.#reached.has(partition)))) throw unread();
  }

  /** True when the condition, of what the tails have read, came true within `directoryWaitMs`. */
  async #waitFor(condition: () => boolean): Promise<boolean> {
    if (condition()) return true;
    const { clock, settings } = this.#gateway;
    const late = new AbortController();
    const cancel = clock.setTimer(settings.directoryWaitMs, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#stop.signal]);
    while (!signal.aborted && !condition()) await this.#moved.wait(signal);
    cancel();
    return condition();
  }

  async #tail(partition: Partition): Promise<void> {
    const { log, catalog, clock, logger, settings } = this.#gateway;
    const { signal } = this.#stop;
    let next: Offset | null = null;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        if (next === null) {
          const { sessionsNext } = await catalog.progress(partition);
          const { first } = await log.bounds('playhead.sessions', partition);
          this.#catalogNext.set(partition, sessionsNext);
          next = toOffset(Math.max(sessionsNext, first, NO_OFFSET + 1));
          this.#reach(partition, next);
        }
        this.#readingSinceMs.set(partition, clock.now());
        for await (const batch of log.read('playhead.sessions', partition, next, { signal })) {
          attempt = 0;
          for (const { offset, record } of batch.records) if (record !== null) this.#learn(offset, record);
          next = batch.next;
          this.#reach(partition, next);
        }
        if (signal.aborted) return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ partition, error: errorText(error) }, 'the facts of sessions cannot be read; they are asked for again');
        if (error instanceof PlayheadError && error.code === 'position_gone') next = null;
      }
      this.#readingSinceMs.delete(partition);
      await pause(clock, backoffMs(settings.retryMs, attempt), signal);
    }
  }

  #reach(partition: Partition, next: Offset): void {
    this.#reached.set(partition, next);
    this.#moved.open();
  }

  #learn(offset: Offset, fact: SessionFact): void {
    const { projectId, sessionId } = fact;
    const key = keyOf(projectId, sessionId);
    const before = this.#known.get(key);
    const after = withFact(before, fact);
    if (after === before) return;
    this.#known.delete(key);
    const partition = partitionOf(sessionId, this.#gateway.log.partitions);
    const whole = before?.whole ?? !this.#forgottenTo.has(partition);
    this.#known.set(key, { ...after, offset, whole });
    for (const [oldest, forgotten] of this.#known) {
      if (this.#known.size <= this.#gateway.settings.directorySessionsMax) break;
      this.#known.delete(oldest);
      this.#forget(forgotten);
    }
    for (const listener of this.#listeners) listener(projectId, sessionId, fact.kind);
  }

  #forget({ started, ended, offset }: Remembered): void {
    const sessionId = (ended ?? started)?.sessionId ?? '';
    const partition = partitionOf(sessionId, this.#gateway.log.partitions);
    const before = this.#forgottenTo.get(partition) ?? NO_OFFSET;
    const isInCatalog = offset < (this.#catalogNext.get(partition) ?? NO_OFFSET);
    if (!isInCatalog && offset > before) this.#forgottenTo.set(partition, offset);
  }
}

function keyOf(projectId: string, sessionId: string): string {
  return `${sessionId} ${projectId}`;
}

function unread(): PlayheadError {
  return new PlayheadError('log_unavailable', 'The facts of sessions cannot be read.');
}
