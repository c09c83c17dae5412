import type { FlushBlock, Outline, SessionCounts, SignalKind } from '@playhead/schemas';
import { isContinuation, NO_COUNTS, OutlineCursor } from '@playhead/schemas';
import { BoundedFacts } from '../../core/bounded-facts.ts';
import { parseSignal } from '../../core/parse-signal.ts';
import type { PendingSession } from './pending-flush.ts';

/** The count that a signal adds to. A tap is a phone's click. */
const COUNT_OF_SIGNAL: Readonly<Record<SignalKind, keyof SessionCounts>> = {
  click: 'clicks',
  tap: 'clicks',
  input: 'inputs',
  navigation: 'navigations',
  console: 'consoles',
  request: 'requests',
  error: 'errors',
  crash: 'crashes',
  custom: 'customs',
  gap: 'gaps',
};

/** How many signals stand behind the counts of a block: 0 says that there is nothing to fetch. */
export function signalsCounted(counts: SessionCounts): number {
  const names = new Set(Object.values(COUNT_OF_SIGNAL));
  let sum = 0;
  for (const name of names) sum += counts[name];
  return sum;
}

/** Everything of a {@link FlushBlock} but where its block is. */
export type SessionSummary = Omit<FlushBlock, 'blockOffset' | 'blockLength' | 'frameIndex'>;

/** What one flush tells of one session. Duplicates count as duplicates and nowhere else. */
export function summarise(session: PendingSession): SessionSummary {
  const { projectId, sessionId } = session;
  const counts = { ...NO_COUNTS };
  const bounded = new BoundedFacts();
  let [uploads, duplicates, rejected, bytesReceived] = [0, 0, 0, 0];
  let [firstTimestampMs, lastTimestampMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [firstReceivedAtMs, lastReceivedAtMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const countSignal = (payload: Uint8Array): void => {
    const signal = parseSignal(payload);
    counts[COUNT_OF_SIGNAL[signal.kind]]++;
    if (signal.kind === 'navigation') bounded.addPage(signal.url);
  };

  for (const upload of session.uploads) {
    firstReceivedAtMs = Math.min(firstReceivedAtMs, upload.receivedAtMs);
    lastReceivedAtMs = Math.max(lastReceivedAtMs, upload.receivedAtMs);
    bounded.addWindow(upload.windowId);
    if (upload.duplicate) {
      duplicates++;
      continue;
    }
    uploads++;
    if (upload.rejected) rejected++;
    bytesReceived += upload.bytesReceived;
    bounded.addFacts(upload.facts);
    bounded.addPage(upload.facts.url);
    for (const frame of upload.frames) {
      // A frame in parts is one frame.
      if (!isContinuation(frame)) counts.frames++;
      if (frame.track === 'image') counts.images++;
      if (frame.keyframe) counts.keyframes++;
      firstTimestampMs = Math.min(firstTimestampMs, frame.timestampMs);
      lastTimestampMs = Math.max(lastTimestampMs, frame.timestampMs);
      if (frame.track === 'signal') countSignal(frame.payload);
    }
    if (upload.body === null) continue;
    const { outline } = upload.body;
    counts.frames += outline.begun;
    counts.keyframes += outline.keyframes;
    firstTimestampMs = Math.min(firstTimestampMs, outline.firstMs);
    lastTimestampMs = Math.max(lastTimestampMs, outline.lastMs);
    if (outline.signals > 0) for (const payload of signalsOf(outline)) countSignal(payload);
  }

  const first = session.uploads[0];
  const last = session.uploads.at(-1);
  if (!first || !last) throw new Error('a session without an upload');
  return {
    projectId,
    sessionId,
    firstOffset: first.offset,
    lastOffset: last.offset,
    firstTimestampMs: counts.frames > 0 ? firstTimestampMs : 0,
    lastTimestampMs: counts.frames > 0 ? lastTimestampMs : 0,
    firstReceivedAtMs,
    lastReceivedAtMs,
    windows: bounded.windows,
    counts,
    uploads,
    duplicates,
    rejected,
    bytesReceived,
    pages: bounded.pages,
    facts: bounded.facts,
    marks: session.marks.encode(),
  };
}

function signalsOf({ bytes }: Outline): Uint8Array[] {
  const signals: Uint8Array[] = [];
  const frame = new OutlineCursor(bytes);
  while (frame.next()) if (frame.track === 'signal') signals.push(bytes.subarray(frame.at, frame.at + frame.length));
  return signals;
}
