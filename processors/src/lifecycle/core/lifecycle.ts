import type { FlushBlock, SessionEnded, SessionFact, Upload } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';
import { Agenda } from './agenda.ts';

/**
 * Which sessions of a partition are open, and when they are over. Rules: SPEC.md (LC...).
 *
 * A session is the set of its windows. A window is open from its first upload until it has been silent for
 * `sessionSilenceMs`, or for `windowGoodbyeMs` after it said goodbye. The session is over when its last window is gone,
 * or when somebody says so. All times are ingest's clock: recorders' clocks lie.
 */
export interface LifecycleSettings {
  readonly sessionSilenceMs: number;
  readonly windowGoodbyeMs: number;
}

export interface WindowLife {
  readonly windowId: string;
  /** Latest receipt, Unix ms. */
  lastSeenMs: number;
  /** It said goodbye and nothing newer came since. */
  goodbye: boolean;
  /** The counter of the goodbye: an upload before it that arrives late does not take it back. null where the recorder has none. */
  goodbyeCounter: number | null;
}

export interface OpenSession {
  readonly projectId: string;
  readonly sessionId: string;
  /** Latest receipt of any window, or the start where there is none yet. What `endedAtMs` will say. */
  lastReceivedAtMs: number;
  readonly windows: Map<string, WindowLife>;
}

export interface EndedSession {
  readonly projectId: string;
  readonly sessionId: string;
  readonly endedAtMs: number;
}

type SessionName = Pick<EndedSession, 'projectId' | 'sessionId'>;

export type SeenUpload = Pick<Upload, 'projectId' | 'sessionId' | 'windowId' | 'counter' | 'goodbye' | 'receivedAtMs'>;

export class Lifecycle {
  readonly #bornMs: number;
  readonly #settings: LifecycleSettings;
  readonly #open = new Map<string, OpenSession>();
  readonly #ended = new Map<string, EndedSession>();
  /** Open sessions, by a time before which none of them can be over. */
  readonly #agenda = new Agenda<OpenSession>();
  /** Time of the last look. */
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** @param bornMs since when somebody listens: silence before it proves nothing */
  constructor(bornMs: number, settings: LifecycleSettings, open: Iterable<OpenSession> = [], ended: Iterable<EndedSession> = []) {
    this.#bornMs = bornMs;
    this.#settings = settings;
    for (const session of ended) this.#ended.set(keyOf(session), session);
    for (const session of open) if (!this.#ended.has(keyOf(session))) this.#add(session);
  }

  get openCount(): number {
    return this.#open.size;
  }

  open(): Iterable<OpenSession> {
    return this.#open.values();
  }

  ended(): Iterable<EndedSession> {
    return this.#ended.values();
  }

  isEnded(projectId: string, sessionId: string): boolean {
    return this.#ended.has(sessionKey(projectId, sessionId));
  }

  /** An upload was read. `duplicate`: a repetition shows that the window lives, but takes no goodbye back. */
  upload(upload: SeenUpload, duplicate: boolean): void {
    const session = this.#session(upload, upload.receivedAtMs);
    if (!session) return;
    const isNewWindow = !session.windows.has(upload.windowId);
    const window = windowOf(session, upload.windowId, upload.receivedAtMs);
    session.lastReceivedAtMs = Math.max(session.lastReceivedAtMs, upload.receivedAtMs);
    window.lastSeenMs = Math.max(window.lastSeenMs, upload.receivedAtMs);
    if (upload.goodbye) {
      window.goodbye = true;
      window.goodbyeCounter = upload.counter;
    } else if (!duplicate && window.goodbye && !isBefore(upload.counter, window.goodbyeCounter)) {
      window.goodbye = false;
      window.goodbyeCounter = null;
    }
    // Only these can be over sooner by it: all others are over later, which is found when their time has come.
    if (isNewWindow || upload.goodbye || this.#isAhead(upload.receivedAtMs, this.#lookedMs)) this.#agenda.put(session, 0);
  }

  /** A fact of `playhead.sessions` was read. */
  fact(fact: SessionFact): void {
    if (fact.kind === 'started') this.#session(fact, fact.startedAtMs);
    else {
      const { projectId, sessionId, endedAtMs } = fact;
      const session = this.#open.get(keyOf(fact));
      if (session) this.#agenda.drop(session);
      this.#open.delete(keyOf(fact));
      if (!this.#ended.has(keyOf(fact))) this.#ended.set(keyOf(fact), { projectId, sessionId, endedAtMs });
    }
  }

  /** A flush that was made before our time tells of a session. It does not tell goodbyes, so its windows end by silence. */
  flushed(block: Pick<FlushBlock, 'projectId' | 'sessionId' | 'windows' | 'lastReceivedAtMs'>): void {
    for (const windowId of block.windows) {
      this.upload({ ...block, windowId, counter: null, goodbye: false, receivedAtMs: block.lastReceivedAtMs }, false);
    }
  }

  /**
   * The sessions that are over at `atMs`. They stay open until their fact was read back or told by {@link Lifecycle.fact}:
   * a process that dies in between has ended nothing. Costs what may be over, and not what is open.
   *
   * @param atMs up to when everything that was uploaded has been read, Unix ms
   */
  over(atMs: number): readonly SessionEnded[] {
    const over: SessionEnded[] = [];
    // A clock that was set back: what was received may be ahead of it now.
    if (atMs < this.#lookedMs) for (const session of this.#open.values()) this.#agenda.put(session, 0);
    this.#lookedMs = atMs;
    for (const session of this.#agenda.take(atMs)) {
      const end = this.#endOf(session, atMs);
      this.#agenda.put(session, end.dueMs);
      if (end.dueMs > atMs) continue;
      const { projectId, sessionId, lastReceivedAtMs } = session;
      over.push({ kind: 'ended', projectId, sessionId, endedAtMs: lastReceivedAtMs, reason: end.reason });
    }
    return over;
  }

  /** Forgets the sessions that ended before `beforeMs` and that `isKnown` does not know any more. */
  forget(beforeMs: number, isKnown: (projectId: string, sessionId: string) => boolean): void {
    for (const [key, { projectId, sessionId, endedAtMs }] of this.#ended) {
      if (endedAtMs < beforeMs && !isKnown(projectId, sessionId)) this.#ended.delete(key);
    }
  }

  /** When the last window is gone if nothing more comes, and what will have ended it. */
  #endOf(session: OpenSession, atMs: number): { dueMs: number; reason: 'closed' | 'silence' } {
    const { sessionSilenceMs, windowGoodbyeMs } = this.#settings;
    // A receipt ahead of our clock (an ingest machine whose clock is wrong) must not keep a session open for that long.
    const since = (ms: number): number => Math.max(this.#bornMs, this.#isAhead(ms, atMs) ? 0 : ms);
    let last: { dueMs: number; reason: 'closed' | 'silence' } | undefined;
    for (const window of session.windows.values()) {
      const dueMs = since(window.lastSeenMs) + (window.goodbye ? windowGoodbyeMs : sessionSilenceMs);
      if (last === undefined || dueMs > last.dueMs) last = { dueMs, reason: window.goodbye ? 'closed' : 'silence' };
    }
    return last ?? { dueMs: since(session.lastReceivedAtMs) + sessionSilenceMs, reason: 'silence' };
  }

  #isAhead(receivedAtMs: number, atMs: number): boolean {
    return receivedAtMs > atMs + this.#settings.sessionSilenceMs;
  }

  #add(session: OpenSession): void {
    this.#open.set(keyOf(session), session);
    this.#agenda.put(session, 0);
  }

  /** The open session, made if it is new; undefined when it has ended: an end is never taken back. */
  #session(of: SessionName, seenMs: number): OpenSession | undefined {
    const key = keyOf(of);
    if (this.#ended.has(key)) return undefined;
    let session = this.#open.get(key);
    if (!session) {
      session = { projectId: of.projectId, sessionId: of.sessionId, lastReceivedAtMs: seenMs, windows: new Map() };
      this.#add(session);
    }
    return session;
  }
}

function keyOf(session: SessionName): string {
  return sessionKey(session.projectId, session.sessionId);
}

function isBefore(counter: number | null, goodbyeCounter: number | null): boolean {
  return counter !== null && goodbyeCounter !== null && counter < goodbyeCounter;
}

/** The window, made if it is new. Beyond LIMITS.windowsMax the one that was silent longest makes room. */
function windowOf(session: OpenSession, windowId: string, seenMs: number): WindowLife {
  let window = session.windows.get(windowId);
  if (!window) {
    if (session.windows.size >= LIMITS.windowsMax) {
      let oldest: WindowLife | undefined;
      for (const other of session.windows.values()) if (!oldest || other.lastSeenMs < oldest.lastSeenMs) oldest = other;
      if (oldest) session.windows.delete(oldest.windowId);
    }
    window = { windowId, lastSeenMs: seenMs, goodbye: false, goodbyeCounter: null };
    session.windows.set(windowId, window);
  }
  return window;
}
