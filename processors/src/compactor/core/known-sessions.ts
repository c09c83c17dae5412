import type { FlushBlock, Upload } from '@playhead/schemas';
import { Marks } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';

/** What a compactor remembers of a session, to recognise its duplicates. */
export interface KnownSession {
  readonly projectId: string;
  readonly sessionId: string;
  readonly marks: Marks;
  /** The partition's time ({@link KnownSessions.newestMs}) at the session's last upload. */
  seenAtMs: number;
}

/**
 * The sessions of a partition whose duplicates can still come.
 *
 * Time here is the partition's: the newest receipt so far. It stands still while nothing is uploaded, so that a
 * partition that was not read for days forgets nothing before it has caught up.
 */
export class KnownSessions {
  readonly #sessions = new Map<string, KnownSession>();
  #newestMs: number;

  constructor(newestMs = 0, sessions: Iterable<KnownSession> = []) {
    this.#newestMs = newestMs;
    for (const session of sessions) this.#sessions.set(sessionKey(session.projectId, session.sessionId), session);
  }

  get newestMs(): number {
    return this.#newestMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(projectId: string, sessionId: string): KnownSession | undefined {
    return this.#sessions.get(sessionKey(projectId, sessionId));
  }

  values(): Iterable<KnownSession> {
    return this.#sessions.values();
  }

  /**
   * Decides whether an upload counts; false for a duplicate.
   *
   * @param nowMs Unix ms: a receipt ahead of it (an ingest whose clock is wrong) does not move the partition's time
   */
  accept(upload: Pick<Upload, 'projectId' | 'sessionId' | 'windowId' | 'uploadId' | 'counter' | 'receivedAtMs'>, nowMs: number): boolean {
    return this.#touch(upload.projectId, upload.sessionId, upload.receivedAtMs, nowMs).marks.accept(upload);
  }

  /** Takes over what a valid flush says of a session. Damaged marks throw a BytesFault; the session is known all the same. */
  learn(block: Pick<FlushBlock, 'projectId' | 'sessionId' | 'lastReceivedAtMs' | 'marks'>, nowMs: number): void {
    const session = this.#touch(block.projectId, block.sessionId, block.lastReceivedAtMs, nowMs);
    session.marks.merge(Marks.decode(block.marks));
  }

  /** Forgets the sessions that have been quiet for more than `horizonMs` of the partition's time. */
  forget(horizonMs: number): void {
    for (const [key, session] of this.#sessions) {
      if (this.#newestMs - session.seenAtMs > horizonMs) this.#sessions.delete(key);
    }
  }

  #touch(projectId: string, sessionId: string, receivedAtMs: number, nowMs: number): KnownSession {
    this.#newestMs = Math.max(this.#newestMs, Math.min(receivedAtMs, nowMs));
    const key = sessionKey(projectId, sessionId);
    let session = this.#sessions.get(key);
    if (!session) {
      session = { projectId, sessionId, marks: new Marks(), seenAtMs: this.#newestMs };
      this.#sessions.set(key, session);
    }
    session.seenAtMs = this.#newestMs;
    return session;
  }
}
