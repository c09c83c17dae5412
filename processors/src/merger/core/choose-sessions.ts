/** Sessions that one look at the catalog asks for. More wait for the next merge. */
export const SESSIONS_MAX = 500;

/**
 * How far behind the earliest end that waits a look begins. Ends are told late: what a dead process left is ended by the next one,
 * with the time of its last upload.
 */
const LATE_MS = 24 * 60 * 60 * 1000;

/** Of a session that can be merged, what decides when it is. */
export interface WaitingSession {
  readonly endedAtMs: number;
  /** Stored. */
  readonly bytes: number;
}

/** When a merge is worth it, and how much it takes: see the settings. */
export interface MergeTimes {
  readonly mergeAgeMs: number;
  readonly mergeBytesMin: number;
  readonly mergeBytesMax: number;
}

/**
 * The sessions of a merge, the earliest end first; none while it is not worth a merge yet. It begins with the one that waits longest, however
 * large, and goes on with those that fit whole: a large one behind others waits until it is the first, and keeps no smaller ones out.
 *
 * @param waiting sessions that can be merged, the earliest end first: SESSIONS_MAX where there may be more
 */
export function chooseSessions<S extends WaitingSession>(waiting: readonly S[], nowMs: number, times: MergeTimes): readonly S[] {
  const [longest] = waiting;
  if (longest === undefined) return [];
  const bytes = waiting.reduce((sum, session) => sum + session.bytes, 0);
  const isDue = bytes >= times.mergeBytesMin || nowMs - longest.endedAtMs >= times.mergeAgeMs || waiting.length >= SESSIONS_MAX;
  if (!isDue) return [];
  const chosen: S[] = [];
  let taken = 0;
  for (const session of waiting) {
    if (chosen.length > 0 && taken + session.bytes > times.mergeBytesMax) continue;
    chosen.push(session);
    taken += session.bytes;
  }
  return chosen;
}

/** The span of ends that a look asks for, Unix ms. */
export interface LookSpan {
  readonly endedFromMs: number;
  readonly endedBeforeMs: number;
}

/**
 * The span of the next look. The first one of a process is over everything; later ones begin where something may still wait.
 *
 * @param answer of the last look
 */
export function nextSpan(last: LookSpan | null, answer: readonly WaitingSession[], nowMs: number, mergeAfterMs: number): LookSpan {
  const endedBeforeMs = nowMs - mergeAfterMs;
  if (last === null) return { endedFromMs: 0, endedBeforeMs };
  const earliestMs = answer[0]?.endedAtMs ?? last.endedBeforeMs;
  return { endedFromMs: Math.max(0, Math.min(earliestMs, endedBeforeMs) - LATE_MS), endedBeforeMs };
}
