import type { SessionInfo } from '@playhead/schemas';
import type { SessionList } from '../core/session-list.ts';
import { mergeSessions } from '../core/session-list.ts';
import type { ReadApi } from '../player/api.ts';
import { ApiFault } from '../player/api.ts';

const PAGE = 40;
/** While the page is looked at: durations and counts grow without an event for each step. */
const REFRESH_MS = 4_000;

export type FeedFault = 'unauthorized' | 'unreachable';

/** What the list page knows. */
export interface FeedView {
  readonly sessions: SessionList;
  /** The first page came. */
  readonly loaded: boolean;
  readonly next: number | null;
  readonly loadingMore: boolean;
  readonly fault: FeedFault | null;
}

/** Sessions as the catalog lists them, and as they start, change and end. */
export class SessionFeed {
  readonly #api: ReadApi;
  readonly #changed: (view: FeedView) => void;
  #view: FeedView = { sessions: [], loaded: false, next: null, loadingMore: false, fault: null };
  #events: EventSource | null = null;
  #timer = 0;
  #closed = false;

  constructor(api: ReadApi, changed: (view: FeedView) => void) {
    this.#api = api;
    this.#changed = changed;
    document.addEventListener('visibilitychange', this.#visible);
    void this.#refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#events?.close();
    document.removeEventListener('visibilitychange', this.#visible);
  }

  async more(): Promise<void> {
    const before = this.#view.next;
    if (before === null || this.#view.loadingMore) return;
    this.#tell({ loadingMore: true });
    try {
      const page = await this.#api.sessions({ before, limit: PAGE });
      this.#tell({ sessions: mergeSessions(this.#view.sessions, page.sessions), next: page.next, loadingMore: false });
    } catch {
      this.#tell({ loadingMore: false, fault: 'unreachable' });
    }
  }

  #tell(change: Partial<FeedView>): void {
    if (this.#closed) return;
    this.#view = { ...this.#view, ...change };
    this.#changed(this.#view);
  }

  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const page = await this.#api.sessions({ limit: PAGE });
      const first = !this.#view.loaded;
      this.#tell({
        sessions: mergeSessions(this.#view.sessions, page.sessions),
        loaded: true,
        fault: null,
        ...(first ? { next: page.next } : {}),
      });
      this.#listen();
    } catch (cause) {
      const unauthorized = cause instanceof ApiFault && (cause.status === 401 || cause.status === 403);
      this.#tell({ fault: unauthorized ? 'unauthorized' : 'unreachable' });
      this.#events?.close();
      this.#events = null;
    }
    this.#plan();
  }

  #plan(): void {
    if (this.#closed || document.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#refresh(), REFRESH_MS);
  }

  #listen(): void {
    if (this.#closed || (this.#events && this.#events.readyState !== EventSource.CLOSED)) return;
    this.#events = this.#api.feed();
    this.#events.addEventListener('session', (event) => {
      try {
        this.#tell({ sessions: mergeSessions(this.#view.sessions, [JSON.parse(String(event.data)) as SessionInfo]) });
      } catch {
        // The next listing tells the same.
      }
    });
  }

  #visible = (): void => {
    if (document.hidden) clearTimeout(this.#timer);
    else void this.#refresh();
  };
}
