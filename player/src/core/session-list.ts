import type { SessionInfo } from '@playhead/schemas';

/** The sessions that a list shows, newest start first, as pages and the feed told them. */
export type SessionList = readonly SessionInfo[];

/** Adds or replaces sessions. What is known better stays: a list read earlier does not undo what the feed told since. */
export function mergeSessions(list: SessionList, told: readonly SessionInfo[]): SessionList {
  const byId = new Map(list.map((session) => [session.sessionId, session]));
  for (const session of told) {
    const known = byId.get(session.sessionId);
    if (!known || !isOlder(session, known)) byId.set(session.sessionId, session);
  }
  return [...byId.values()].toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.sessionId < b.sessionId ? -1 : 1));
}

function isOlder(session: SessionInfo, known: SessionInfo): boolean {
  if (known.endedAtMs !== null && session.endedAtMs === null) return true;
  return session.lastActivityMs < known.lastActivityMs && session.live === known.live;
}

/** Live sessions first, each part newest start first. */
export function liveFirst(list: SessionList): SessionList {
  return [...list.filter((session) => session.live), ...list.filter((session) => !session.live)];
}
