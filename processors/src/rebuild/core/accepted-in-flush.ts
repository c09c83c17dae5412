import type { Flush, Upload } from '@playhead/schemas';
import { Marks } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';

interface SessionOfFlush {
  /** What the flush accepted. */
  readonly marks: Marks;
  /** What came by again so far. */
  readonly seen: Marks;
}

/**
 * Decides for the uploads of one flush, in log order, as the compactor that wrote it did. The flush carries the identities
 * that it accepted, so nothing else has to be known: no flush before it, and no horizon of what was forgotten by then.
 */
export class AcceptedInFlush {
  readonly #sessions = new Map<string, SessionOfFlush>();

  constructor(flush: Pick<Flush, 'blocks'>) {
    for (const { projectId, sessionId, marks } of flush.blocks) {
      this.#sessions.set(sessionKey(projectId, sessionId), { marks: decoded(marks), seen: new Marks() });
    }
  }

  /** Decides whether an upload counted; false for a duplicate. */
  accept(upload: Pick<Upload, 'projectId' | 'sessionId' | 'windowId' | 'uploadId' | 'counter'>): boolean {
    const session = this.#sessions.get(sessionKey(upload.projectId, upload.sessionId));
    return session !== undefined && session.marks.has(upload) && session.seen.accept(upload);
  }
}

/** Damaged marks accept nothing: what is made then has other bytes, and is not written. */
function decoded(marks: Uint8Array): Marks {
  try {
    return Marks.decode(marks);
  } catch {
    return new Marks();
  }
}
