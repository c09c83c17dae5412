import type { StoredBlock } from '@playhead/ports';
import type { FlushGap, SessionInfo } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';

/** A gap, and when its uploads were received (ingest's clock, Unix ms): behind the flush before it, before its own flush. */
export interface KnownGap extends FlushGap {
  readonly receivedAfterMs: number;
  readonly receivedBeforeMs: number;
}

/**
 * The gaps in which a session may have lost uploads (CA11): those between two of its blocks, and those between whose
 * receipts it was open or may have been. Its last uploads may be what is lost, and clocks are set right in between: so as if it had
 * begun LIMITS.sessionSilenceMs earlier and ended as much later.
 *
 * @param gaps in order
 * @param blocks in order
 */
export function gapsOfLife(gaps: readonly KnownGap[], session: SessionInfo | null, blocks: readonly StoredBlock[]): readonly FlushGap[] {
  if (!session) return [];
  const first = blocks[0];
  const last = blocks.at(-1);
  return gaps
    .filter((gap) => {
      if (first && last && first.firstOffset < gap.firstOffset && gap.lastOffset < last.lastOffset) return true;
      const openFromMs = session.startedAtMs - LIMITS.sessionSilenceMs;
      const openUntilMs = (session.endedAtMs ?? Number.POSITIVE_INFINITY) + LIMITS.sessionSilenceMs;
      return openFromMs <= gap.receivedBeforeMs && openUntilMs >= gap.receivedAfterMs;
    })
    .map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset }));
}
