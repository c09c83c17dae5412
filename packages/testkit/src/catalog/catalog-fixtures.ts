import type { Catalog, PositionedFact, SignalRow } from '@playhead/ports';
import type { Flush, FlushBlock, Merge, MergedBlock, SessionCounts, SessionEnded, SessionStarted, Signal } from '@playhead/schemas';
import { NO_COUNTS, NO_OFFSET, toOffset } from '@playhead/schemas';

/** A catalog with nothing in it, migrated. */
export interface CatalogUnderTest {
  readonly catalog: Catalog;
  /** Closes the catalog and opens it again over the same data. Absent where nothing outlives the catalog. */
  readonly reopen?: () => Promise<Catalog>;
  /** One more catalog over the same data, at the same time; not migrated. Absent where there can be one only. */
  readonly alongside?: () => Promise<Catalog>;
  /** Closes everything and removes the data. */
  readonly dispose: () => Promise<void>;
}

/** Records as a catalog is given them; every field can be overridden. */

export const T0 = Date.UTC(2026, 0, 15, 12);
export const PROJECT = 'shop';
export const HOUR_MS = 60 * 60 * 1000;

export function counts(overrides: Partial<SessionCounts> = {}): SessionCounts {
  return { ...NO_COUNTS, frames: 1, ...overrides };
}

export function aFlushBlock(sessionId: string, offset: number, overrides: Partial<FlushBlock> = {}): FlushBlock {
  return {
    projectId: PROJECT,
    sessionId,
    blockOffset: 0,
    blockLength: 100,
    firstOffset: toOffset(offset),
    lastOffset: toOffset(offset),
    firstTimestampMs: T0 + offset * 1000,
    lastTimestampMs: T0 + offset * 1000 + 500,
    firstReceivedAtMs: T0 + offset * 1000 + 700,
    lastReceivedAtMs: T0 + offset * 1000 + 800,
    windows: ['w1'],
    counts: counts(),
    uploads: 1,
    duplicates: 0,
    rejected: 0,
    bytesReceived: 1000,
    pages: [],
    facts: {},
    marks: Uint8Array.of(1, 0),
    frameIndex: Uint8Array.of(1, offset & 255),
    ...overrides,
  };
}

/** A flush of the offsets [first..last] that follows `prev`. */
export function aChainedFlush(
  prev: number,
  first: number,
  last: number,
  blocks: readonly FlushBlock[],
  overrides: Partial<Flush> = {},
): Flush {
  return {
    partition: 0,
    prevLastOffset: prev === -1 ? NO_OFFSET : toOffset(prev),
    firstOffset: toOffset(first),
    lastOffset: toOffset(last),
    objectKey: `p0/${first}-${last}`,
    objectBytes: 1000,
    createdAtMs: T0 + last * 1000 + 900,
    writer: 'test',
    gap: null,
    blocks,
    ...overrides,
  };
}

/** The blocks of a session in the flushes from `firstFlush` to `lastFlush` (their last offsets), as one. */
export function aMergedBlock(sessionId: string, firstFlush: number, lastFlush: number, overrides: Partial<MergedBlock> = {}): MergedBlock {
  return {
    ...aFlushBlock(sessionId, firstFlush),
    lastOffset: toOffset(lastFlush),
    firstFlush: toOffset(firstFlush),
    lastFlush: toOffset(lastFlush),
    ...overrides,
  };
}

/** The merge with this number, made at `T0` plus as many hours. */
export function aNumberedMerge(number: number, blocks: readonly MergedBlock[], overrides: Partial<Merge> = {}): Merge {
  return {
    partition: 0,
    number,
    objectKey: `p0/merged-${number}`,
    objectBytes: 1000,
    createdAtMs: T0 + number * HOUR_MS,
    writer: 'test',
    blocks,
    ...overrides,
  };
}

export function started(sessionId: string, offset: number, overrides: Partial<SessionStarted> = {}): PositionedFact {
  const fact = {
    kind: 'started',
    projectId: PROJECT,
    sessionId,
    startedAtMs: T0,
    source: 'web',
    userId: '',
    facts: {},
    ...overrides,
  } as const;
  return { offset: toOffset(offset), fact };
}

export function ended(sessionId: string, offset: number, overrides: Partial<SessionEnded> = {}): PositionedFact {
  const fact = { kind: 'ended', projectId: PROJECT, sessionId, endedAtMs: T0 + 60_000, reason: 'told', ...overrides } as const;
  return { offset: toOffset(offset), fact };
}

export function aSignalRow(
  sessionId: string,
  offset: number,
  index: number,
  signal: Signal,
  overrides: Partial<SignalRow> = {},
): SignalRow {
  const position = { offset: toOffset(offset), index };
  return { projectId: PROJECT, sessionId, windowId: 'w1', position, timestampMs: T0 + offset * 1000 + index, signal, ...overrides };
}
