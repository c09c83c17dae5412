import type { SessionEnded, SessionFact, SessionInfo, SessionStarted } from '@playhead/schemas';
import { NO_COUNTS } from '@playhead/schemas';

/** What the facts in the log say of a session, whether the catalog has taken them over or not. */
export interface KnownSession {
  readonly started: SessionStarted | null;
  readonly ended: SessionEnded | null;
}

/** Adds a fact; the first of a kind counts. Answers the same object when it says nothing new. */
export function withFact(known: KnownSession | undefined, fact: SessionFact): KnownSession {
  const before = known ?? { started: null, ended: null };
  if (fact.kind === 'started') return before.started === null ? { ...before, started: fact } : before;
  return before.ended === null ? { ...before, ended: fact } : before;
}

/**
 * What is known of a session: the catalog's row, and the end where the catalog has not heard of it yet, as the catalog will
 * tell it (CA13, CA14). Null when there is neither row nor start.
 */
export function mergedInfo(row: SessionInfo | null, known: KnownSession | undefined): SessionInfo | null {
  const info = row ?? (known?.started ? infoOfStart(known.started) : null);
  const ended = known?.ended ?? null;
  if (info === null || ended === null || info.endedAtMs !== null) return info;
  return {
    ...info,
    endedAtMs: ended.endedAtMs,
    endReason: ended.reason,
    live: false,
    durationMs: info.counts.frames > 0 ? info.durationMs : Math.max(0, ended.endedAtMs - info.startedAtMs),
  };
}

function infoOfStart(started: SessionStarted): SessionInfo {
  const { projectId, sessionId, userId, source, startedAtMs, facts } = started;
  const pages = facts['url'] === undefined ? [] : [facts['url']];
  return {
    projectId,
    sessionId,
    userId: userId || facts['userId'] || '',
    source,
    startedAtMs,
    lastActivityMs: startedAtMs,
    endedAtMs: null,
    endReason: null,
    live: true,
    durationMs: 0,
    counts: NO_COUNTS,
    bytes: 0,
    windows: 0,
    pages,
    facts,
  };
}
