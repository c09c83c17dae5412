import type { RecorderConfig } from '@playhead/schemas';
import { uuidv7 } from '@playhead/schemas';
import type { StoredSession, StoredWindow } from './core/continuity.ts';
import {
  chooseSession,
  chooseWindow,
  DEFAULT_CONFIG,
  isAlive,
  parseSession,
  parseWindow,
  rememberKeyframe,
  sessionAfter,
  takeCounter,
} from './core/continuity.ts';
import type { TextStore } from './storage.ts';

/** How often the shared record of the session's last activity is renewed, ms. Far below its silence, far above every upload. */
const TOUCH_EVERY_MS = 5_000;

export interface IdentityParts {
  readonly sessionStore: TextStore;
  readonly windowStore: TextStore;
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Who this page is: its session, shared with the origin's other tabs, and its window, kept through the tab's page loads. */
export class Identity {
  readonly #parts: IdentityParts;
  #session: StoredSession;
  #window: StoredWindow;
  #touchedAtMs = 0;

  constructor(parts: IdentityParts, userId: string) {
    this.#parts = parts;
    this.#session = chooseSession(this.#storedSession(), parts.now(), this.#fresh(userId, DEFAULT_CONFIG));
    this.#window = this.#claimWindow();
    this.#save();
  }

  get session(): StoredSession {
    return this.#session;
  }

  get window(): StoredWindow {
    return this.#window;
  }

  get config(): RecorderConfig {
    return this.#session.config;
  }

  #id(): string {
    return uuidv7(this.#parts.now(), this.#parts.randomBytes(10));
  }

  #fresh(userId: string, config: RecorderConfig): { id: string; userId: string; config: RecorderConfig } {
    return { id: this.#id(), userId, config };
  }

  #storedSession(): StoredSession | null {
    return parseSession(this.#parts.sessionStore.read());
  }

  #claimWindow(): StoredWindow {
    return chooseWindow(parseWindow(this.#parts.windowStore.read()), this.#session.id, this.#id());
  }

  #save(): void {
    this.#parts.sessionStore.write(JSON.stringify(this.#session));
    this.#parts.windowStore.write(JSON.stringify(this.#window));
  }

  /** Looks at what other tabs did. True when this page now belongs to another session than before. */
  refresh(): boolean {
    const before = this.#session.id;
    const nowMs = this.#parts.now();
    const stored = this.#storedSession();
    if (stored?.id === before) {
      // Another tab may have kept the session alive, or announced it.
      this.#session = { ...stored, activeAtMs: Math.max(stored.activeAtMs, this.#session.activeAtMs) };
    }
    const mineAlive = isAlive(this.#session, nowMs);
    const otherAlive = stored !== null && stored.id !== before && isAlive(stored, nowMs);
    if (mineAlive && !otherAlive) return false;
    this.#session = chooseSession(stored?.id === before ? null : stored, nowMs, this.#fresh(this.#session.userId, this.config));
    return this.#enter(before);
  }

  /** The session was called ended by ingest. */
  renew(): void {
    const before = this.#session.id;
    this.#session = sessionAfter(before, this.#storedSession(), this.#parts.now(), this.#fresh(this.#session.userId, this.config));
    this.#enter(before);
  }

  #enter(before: string): boolean {
    if (this.#session.id !== before) this.#window = chooseWindow(null, this.#session.id, this.#id());
    this.#save();
    return this.#session.id !== before;
  }

  /** Back from the back/forward cache: other pages of this tab may have used the window, other tabs the session. */
  reclaim(): void {
    const nowMs = this.#parts.now();
    this.#session = chooseSession(this.#storedSession(), nowMs, this.#fresh(this.#session.userId, this.config));
    this.#window = this.#claimWindow();
    this.#save();
  }

  /** Ingest heard of the session just now. */
  touch(force = false): void {
    const nowMs = this.#parts.now();
    this.#session = { ...this.#session, activeAtMs: nowMs };
    if (!force && nowMs - this.#touchedAtMs < TOUCH_EVERY_MS) return;
    this.#touchedAtMs = nowMs;
    // Another tab may have moved on to a new session: its record is not overwritten.
    const stored = this.#storedSession();
    if (stored === null || stored.id === this.#session.id) this.#parts.sessionStore.write(JSON.stringify(this.#session));
  }

  announced(config: RecorderConfig): void {
    this.#session = { ...this.#session, announced: true, config };
    this.touch(true);
  }

  identify(userId: string): void {
    this.#session = { ...this.#session, userId };
    this.touch(true);
  }

  /** The next upload's counter; stored before it is used. */
  nextCounter(): number {
    const { counter, window } = takeCounter(this.#window);
    this.#window = window;
    this.#parts.windowStore.write(JSON.stringify(window));
    return counter;
  }

  /** True once per watch. */
  takeKeyframeFor(watchId: string): boolean {
    if (this.#window.keyframesFor.includes(watchId)) return false;
    this.#window = rememberKeyframe(this.#window, watchId);
    this.#parts.windowStore.write(JSON.stringify(this.#window));
    return true;
  }

  /** The page goes: the tab's next page may have the window. */
  close(): void {
    this.#window = { ...this.#window, open: false };
    this.#parts.windowStore.write(JSON.stringify(this.#window));
  }
}
