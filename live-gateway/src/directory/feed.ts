import type { SessionInfo } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import { errorText } from '../error-text.ts';
import type { SessionDirectory } from './session-directory.ts';

/** Sessions of a project that are compared with the catalog while somebody listens. */
const REFRESHED_SESSIONS = 50;
/** Sessions whose last shown state is remembered, per project. */
const SHOWN_MAX = 500;

/** Where the feed is written: one server-sent event, or comment, per call. */
export interface FeedListener {
  session(info: SessionInfo): void;
  heartbeat(): void;
  /** The gateway goes away. */
  end(): void;
}

interface ProjectFeed {
  readonly listeners: Set<FeedListener>;
  /** What listeners were shown last, by session: an unchanged session is not sent again. */
  readonly shown: Map<string, string>;
  cancelRefresh: () => void;
}

/**
 * Tells listeners of a project when a session starts, ends or changes. Starts and ends come from the log's facts at once;
 * changes from one look per project into the catalog every `feedRefreshMs`, and only while somebody listens.
 */
export class Feed {
  readonly #gateway: Gateway;
  readonly #directory: SessionDirectory;
  readonly #projects = new Map<string, ProjectFeed>();
  readonly #stopListening: () => void;
  #cancelHeartbeat: () => void = () => {};
  #listeners = 0;

  constructor(gateway: Gateway, directory: SessionDirectory) {
    this.#gateway = gateway;
    this.#directory = directory;
    this.#stopListening = directory.listen((projectId, sessionId) => void this.#onFact(projectId, sessionId));
  }

  /**
   * Enters a listener; the answer removes it.
   *
   * @throws {PlayheadError} `overloaded` beyond `feedListenersMax`
   */
  join(projectId: string, listener: FeedListener): () => void {
    if (this.#listeners >= this.#gateway.settings.feedListenersMax) throw new PlayheadError('overloaded', 'Too many listen to the feed.');
    if (this.#listeners === 0) this.#beat();
    this.#listeners++;
    let feed = this.#projects.get(projectId);
    if (feed === undefined) {
      feed = { listeners: new Set(), shown: new Map(), cancelRefresh: () => {} };
      this.#projects.set(projectId, feed);
      void this.#refresh(projectId, feed, false);
    }
    const joined = feed;
    joined.listeners.add(listener);
    return () => {
      if (!joined.listeners.delete(listener)) return;
      this.#listeners--;
      if (this.#listeners === 0) this.#cancelHeartbeat();
      if (joined.listeners.size > 0) return;
      joined.cancelRefresh();
      if (this.#projects.get(projectId) === joined) this.#projects.delete(projectId);
    };
  }

  close(): void {
    this.#stopListening();
    this.#cancelHeartbeat();
    for (const feed of this.#projects.values()) {
      feed.cancelRefresh();
      for (const listener of feed.listeners) listener.end();
    }
    this.#projects.clear();
  }

  async #onFact(projectId: string, sessionId: string): Promise<void> {
    const feed = this.#projects.get(projectId);
    if (feed === undefined) return;
    try {
      const info = await this.#directory.session(projectId, sessionId);
      if (info === null) return;
      // Told in any case: the silent first look may have seen it in the meantime.
      feed.shown.delete(sessionId);
      show(feed, info, true);
    } catch (error) {
      this.#gateway.logger.warn({ error: errorText(error) }, 'a change of a session could not be told');
    }
  }

  /** `tell`: false for the first look, which only learns what a new listener has read from the list. */
  async #refresh(projectId: string, feed: ProjectFeed, tell: boolean): Promise<void> {
    try {
      const { sessions } = await this.#directory.sessions({ projectId, limit: REFRESHED_SESSIONS });
      for (const info of sessions) show(feed, info, tell);
    } catch (error) {
      this.#gateway.logger.warn({ error: errorText(error) }, 'the feed of sessions could not be refreshed');
    }
    if (this.#projects.get(projectId) !== feed) return;
    feed.cancelRefresh = this.#gateway.clock.setTimer(
      this.#gateway.settings.feedRefreshMs,
      () => void this.#refresh(projectId, feed, true),
    );
  }

  #beat(): void {
    this.#cancelHeartbeat = this.#gateway.clock.setTimer(this.#gateway.settings.feedHeartbeatMs, () => {
      for (const feed of this.#projects.values()) for (const listener of feed.listeners) listener.heartbeat();
      this.#beat();
    });
  }
}

function show(feed: ProjectFeed, info: SessionInfo, tell: boolean): void {
  const text = JSON.stringify(info);
  if (feed.shown.get(info.sessionId) === text) return;
  feed.shown.delete(info.sessionId);
  feed.shown.set(info.sessionId, text);
  for (const oldest of feed.shown.keys()) {
    if (feed.shown.size <= SHOWN_MAX) break;
    feed.shown.delete(oldest);
  }
  if (tell) for (const listener of feed.listeners) listener.session(info);
}
