import type { Clock, EventLog } from '@playhead/ports';
import type { SessionFact, SessionStarted, Upload, Watch } from '@playhead/schemas';
import { PlayheadError, partitionOf } from '@playhead/schemas';
import { RecentKeys } from './core/recent-keys.ts';
import { replyHeaders } from './core/reply-headers.ts';
import { sessionKey } from './core/session-id.ts';
import { WatchBoard } from './core/watch-board.ts';
import { NewsWaits } from './news-waits.ts';
import type { IngestSettings } from './settings.ts';

export type BookBounds = Pick<IngestSettings, 'appendTimeoutMs' | 'sessionsMax' | 'watchPollMs' | 'watchPollsMax'>;

/**
 * What this process knows of sessions, and how it tells the log. Everything known is bounded and only a memory of the log:
 * forgetting costs a repeated fact, of which the first counts.
 */
export class SessionBook {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #appendTimeoutMs: number;
  readonly #announced: RecentKeys;
  readonly #ended: RecentKeys;
  readonly #watches = new WatchBoard();
  readonly #waits: NewsWaits;
  /** Announcements under way, so that uploads that come together announce once. */
  readonly #announcing = new Map<string, Promise<void>>();

  constructor(log: EventLog, clock: Clock, bounds: BookBounds) {
    this.#log = log;
    this.#clock = clock;
    this.#appendTimeoutMs = bounds.appendTimeoutMs;
    this.#announced = new RecentKeys(bounds.sessionsMax);
    this.#ended = new RecentKeys(bounds.sessionsMax);
    this.#waits = new NewsWaits(clock, bounds.watchPollMs, bounds.watchPollsMax);
  }

  /** A fact that is in the log, from here or from another process. */
  know(fact: SessionFact): void {
    const key = sessionKey(fact.projectId, fact.sessionId);
    (fact.kind === 'started' ? this.#announced : this.#ended).add(key);
    if (fact.kind === 'ended') this.#waits.tell(key);
  }

  /** A lease that is in the log. */
  see(watch: Watch): void {
    const watched = this.#watches.apply(watch, this.#clock.now());
    if (watched) this.#waits.tell(sessionKey(watch.projectId, watch.sessionId));
  }

  /** What the recorder of a session has to hear now. */
  replyHeaders(projectId: string, sessionId: string): Readonly<Record<string, string>> {
    const watch = this.#watches.newestWatch(projectId, sessionId, this.#clock.now());
    return replyHeaders(watch, this.#ended.has(sessionKey(projectId, sessionId)));
  }

  /**
   * Resolves when the recorder of a session has something to hear: at once when it has now, else when the session is watched or
   * ended, when the time is up, when the client is gone or when ingest closes.
   *
   * @param gone resolves when the client has left
   * @throws {PlayheadError} `overloaded`
   */
  async news(projectId: string, sessionId: string, gone: Promise<void>): Promise<void> {
    if (Object.keys(this.replyHeaders(projectId, sessionId)).length > 0) return;
    await this.#waits.wait(sessionKey(projectId, sessionId), gone);
  }

  /** Answers everybody who waits for news, now and from now on. */
  close(): void {
    this.#waits.close();
  }

  /**
   * Resolves when the fact is durable.
   *
   * @param settled as with {@link append}
   * @throws {PlayheadError} `log_unavailable`
   */
  async tell(fact: SessionFact, settled: () => void = () => {}): Promise<void> {
    const partition = partitionOf(fact.sessionId, this.#log.partitions);
    const append = async (): Promise<unknown> => this.#log.append('playhead.sessions', partition, fact.sessionId, fact);
    await this.#durable(append().finally(settled));
    this.know(fact);
  }

  /**
   * Makes a session known to the log when this process does not know that it is.
   *
   * @param settled as with {@link append}; called at once where there is nothing to tell
   * @throws {PlayheadError} `log_unavailable`; the next upload tries again
   */
  async announce(started: SessionStarted, settled: () => void = () => {}): Promise<void> {
    const key = sessionKey(started.projectId, started.sessionId);
    let announcing = this.#announcing.get(key);
    if (announcing || this.#announced.has(key)) settled();
    else {
      announcing = this.tell(started, settled).finally(() => this.#announcing.delete(key));
      this.#announcing.set(key, announcing);
    }
    await announcing;
  }

  /**
   * Resolves when the upload is durable.
   *
   * @param settled called once, when the log no longer holds the body: also after the caller was told that it took too long
   * @throws {PlayheadError} `log_unavailable`
   */
  async append(upload: Upload, settled: () => void): Promise<void> {
    const partition = partitionOf(upload.sessionId, this.#log.partitions);
    const append = async (): Promise<unknown> => this.#log.append('playhead.uploads', partition, upload.sessionId, upload);
    await this.#durable(append().finally(settled));
  }

  /** Only a resolved append counts; one that rejects, or that does not settle in time, is `log_unavailable`. */
  async #durable(append: Promise<unknown>): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.setTimer(this.#appendTimeoutMs, () => {
        reject(new PlayheadError('log_unavailable', `The log did not answer within ${this.#appendTimeoutMs} ms.`));
      });
    });
    try {
      await Promise.race([append, late]);
    } catch (error) {
      if (error instanceof PlayheadError && error.code === 'log_unavailable') throw error;
      throw new PlayheadError('log_unavailable', undefined, { cause: error });
    } finally {
      cancel();
    }
  }
}
