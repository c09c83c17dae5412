import type { MergedBlock, SessionCounts } from '@playhead/schemas';
import { Marks, NO_COUNTS } from '@playhead/schemas';
import { BoundedFacts } from '../../core/bounded-facts.ts';
import type { Stretch } from './stretches.ts';

/** Everything of a {@link MergedBlock} but where its block is. */
export type StretchSummary = Omit<MergedBlock, 'blockOffset' | 'blockLength' | 'frameIndex'>;

/**
 * What a merged block tells: what its blocks told, together.
 *
 * @throws {BytesFault} for damaged marks
 */
export function summariseStretch(stretch: Stretch): StretchSummary {
  const first = stretch[0];
  const last = stretch.at(-1);
  if (!first || !last) throw new Error('a stretch without a block');
  const bounded = new BoundedFacts();
  const marks = new Marks();
  for (const block of stretch) {
    for (const windowId of block.windows) bounded.addWindow(windowId);
    for (const url of block.pages) bounded.addPage(url);
    bounded.addFacts(block.facts);
    marks.merge(Marks.decode(block.marks));
  }
  const withFrames = stretch.filter(({ counts }) => counts.frames > 0);
  const sum = (of: 'uploads' | 'duplicates' | 'rejected' | 'bytesReceived'): number =>
    stretch.reduce((total, block) => total + block[of], 0);
  return {
    projectId: first.projectId,
    sessionId: first.sessionId,
    firstFlush: first.flushLastOffset,
    lastFlush: last.flushLastOffset,
    firstOffset: first.firstOffset,
    lastOffset: last.lastOffset,
    firstTimestampMs: withFrames.length === 0 ? 0 : Math.min(...withFrames.map((block) => block.firstTimestampMs)),
    lastTimestampMs: withFrames.length === 0 ? 0 : Math.max(...withFrames.map((block) => block.lastTimestampMs)),
    firstReceivedAtMs: Math.min(...stretch.map((block) => block.firstReceivedAtMs)),
    lastReceivedAtMs: Math.max(...stretch.map((block) => block.lastReceivedAtMs)),
    windows: bounded.windows,
    counts: sumOfCounts(stretch.map(({ counts }) => counts)),
    uploads: sum('uploads'),
    duplicates: sum('duplicates'),
    rejected: sum('rejected'),
    bytesReceived: sum('bytesReceived'),
    pages: bounded.pages,
    facts: bounded.facts,
    marks: marks.encode(),
  };
}

function sumOfCounts(all: readonly SessionCounts[]): SessionCounts {
  const sums = { ...NO_COUNTS };
  for (const counts of all) for (const name of Object.keys(sums) as (keyof SessionCounts)[]) sums[name] += counts[name];
  return sums;
}
