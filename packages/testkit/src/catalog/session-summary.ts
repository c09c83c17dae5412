import type { StoredBlock } from '@playhead/ports';
import type { FlushGap, SessionCounts, SessionEnded, SessionInfo, SessionStarted } from '@playhead/schemas';
import { LIMITS, NO_COUNTS } from '@playhead/schemas';

/** All that a catalog has of one session. */
export interface KnownSession {
  readonly projectId: string;
  readonly sessionId: string;
  readonly started: SessionStarted | null;
  readonly ended: SessionEnded | null;
  /** In order of `flushLastOffset`. */
  readonly blocks: readonly StoredBlock[];
}

/**
 * The summary that every catalog gives of a session (CA4, CA5, CA7, CA13, CA14); null when nothing but signals is known.
 *
 * - `startedAtMs`: what the started fact says; else the earliest frame; else the earliest receipt; else the end.
 * - `lastActivityMs`: the latest of the started fact, all frames and all receipts; the end where none of them is known.
 * - `durationMs`: latest frame minus earliest frame, by the recorder's clock; without frames the end, or else
 *   `lastActivityMs`, minus `startedAtMs`, at least 0.
 * - `userId`: what the started fact says; where it says none, the fact `userId`.
 * - `facts`: the started fact's, then the blocks' in order; the latest value of a name counts.
 * - `pages`: the first LIMITS.pagesMax distinct ones in order of first appearance.
 */
export function summarise(known: KnownSession): SessionInfo | null {
  const { started, ended, blocks } = known;
  if (!started && !ended && blocks.length === 0) return null;
  const framed = blocks.filter((block) => block.counts.frames > 0);
  const firstTimestampMs = minOf(framed.map((block) => block.firstTimestampMs));
  const lastTimestampMs = maxOf(framed.map((block) => block.lastTimestampMs));
  const firstReceivedAtMs = minOf(blocks.map((block) => block.firstReceivedAtMs));
  const activity = [started?.startedAtMs, lastTimestampMs, maxOf(blocks.map((block) => block.lastReceivedAtMs))];
  const startedAtMs = started?.startedAtMs ?? firstTimestampMs ?? firstReceivedAtMs ?? ended?.endedAtMs ?? 0;
  const lastActivityMs = maxOf(activity.filter((time) => time !== undefined)) ?? ended?.endedAtMs ?? 0;
  const isFramed = firstTimestampMs !== undefined && lastTimestampMs !== undefined;
  const facts = Object.fromEntries([started?.facts ?? {}, ...blocks.map((block) => block.facts)].flatMap(Object.entries));
  return {
    projectId: known.projectId,
    sessionId: known.sessionId,
    userId: started?.userId || facts['userId'] || '',
    source: started?.source ?? '',
    startedAtMs,
    lastActivityMs,
    endedAtMs: ended?.endedAtMs ?? null,
    endReason: ended?.reason ?? null,
    live: ended === null,
    durationMs: isFramed ? lastTimestampMs - firstTimestampMs : Math.max(0, (ended?.endedAtMs ?? lastActivityMs) - startedAtMs),
    counts: blocks.reduce((sum, block) => addCounts(sum, block.counts), NO_COUNTS),
    bytes: blocks.reduce((sum, block) => sum + block.bytesReceived, 0),
    windows: new Set(blocks.flatMap((block) => block.windows)).size,
    pages: [...new Set(blocks.flatMap((block) => block.pages))].slice(0, LIMITS.pagesMax),
    facts,
  };
}

/** A gap, and when its uploads were received (ingest's clock, Unix ms): behind the flush before it, before its own flush. */
export interface KnownGap extends FlushGap {
  readonly receivedAfterMs: number;
  readonly receivedBeforeMs: number;
}

/**
 * The gaps in which a session may have lost uploads (CA11): those between two of its blocks, and those between whose
 * receipts it was open or may have been. Its last uploads may be what is lost, and clocks are set right in between: so as if it had
 * begun LIMITS.sessionSilenceMs earlier and ended as much later.
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
    .toSorted((a, b) => a.firstOffset - b.firstOffset)
    .map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset }));
}

function addCounts(a: SessionCounts, b: SessionCounts): SessionCounts {
  return {
    frames: a.frames + b.frames,
    images: a.images + b.images,
    keyframes: a.keyframes + b.keyframes,
    clicks: a.clicks + b.clicks,
    inputs: a.inputs + b.inputs,
    navigations: a.navigations + b.navigations,
    consoles: a.consoles + b.consoles,
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    crashes: a.crashes + b.crashes,
    customs: a.customs + b.customs,
    gaps: a.gaps + b.gaps,
  };
}

function minOf(values: readonly number[]): number | undefined {
  return values.reduce<number | undefined>((least, value) => (least === undefined || value < least ? value : least), undefined);
}

function maxOf(values: readonly number[]): number | undefined {
  return values.reduce<number | undefined>((most, value) => (most === undefined || value > most ? value : most), undefined);
}
