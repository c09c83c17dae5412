import { isSessionId, LIMITS, PlayheadError } from '@playhead/schemas';

const UUIDV7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The Unix ms in a UUIDv7 (RFC 9562 section 5.7); undefined for any other id. */
export function uuidv7TimeMs(id: string): number | undefined {
  const match = UUIDV7.exec(id);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : undefined;
}

/** One session of one project: foreign recorders bring ids of their own, so two projects may have the same. */
export function sessionKey(projectId: string, sessionId: string): string {
  return `${projectId}\n${sessionId}`;
}

/**
 * Checks the id of a session that somebody wants to record into.
 *
 * @throws {PlayheadError} `invalid_request` for a wrong shape; `session_expired` for a UUIDv7 so old that duplicates of the
 *   session are no longer recognised
 */
export function assertRecordable(sessionId: string, nowMs: number): void {
  if (!isSessionId(sessionId)) {
    const problems = [{ path: 'sessionId', message: 'is not 8 to 64 characters of [A-Za-z0-9_-], the first a letter or digit' }];
    throw new PlayheadError('invalid_request', 'sessionId has a wrong shape.', { details: { problems } });
  }
  const madeAtMs = uuidv7TimeMs(sessionId);
  if (madeAtMs !== undefined && madeAtMs < nowMs - LIMITS.dedupeHorizonMs) {
    throw new PlayheadError('session_expired', undefined, { details: { sessionMadeAtMs: madeAtMs, ageMaxMs: LIMITS.dedupeHorizonMs } });
  }
}
