import type { SignalRow } from '@playhead/ports';
import type { Flush, FlushBlock } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';

const SESSION_IDS = Array.from({ length: 10 }, (_, i) => `session-${i}`);
const NO_COUNTS = {
  images: 0,
  keyframes: 0,
  inputs: 0,
  navigations: 0,
  consoles: 0,
  requests: 0,
  errors: 0,
  crashes: 0,
  customs: 0,
  gaps: 0,
};

/** The n-th flush (from 0) of a chain in which each covers one offset and holds ten blocks with one click each. */
export function numberedFlush(n: number): { readonly flush: Flush; readonly signals: readonly SignalRow[] } {
  const atMs = 1_768_478_400_000 + n * 1000;
  const flush: Flush = {
    partition: 0,
    prevLastOffset: toOffset(n - 1),
    firstOffset: toOffset(n),
    lastOffset: toOffset(n),
    objectKey: `p0/${n}`,
    objectBytes: 100,
    createdAtMs: atMs,
    writer: 'test',
    gap: null,
    blocks: SESSION_IDS.map((sessionId) => blockOf(sessionId, n, atMs)),
  };
  return { flush, signals: SESSION_IDS.map((sessionId) => clickOf(sessionId, n, atMs)) };
}

function blockOf(sessionId: string, n: number, atMs: number): FlushBlock {
  return {
    projectId: 'shop',
    sessionId,
    blockOffset: 0,
    blockLength: 10,
    firstOffset: toOffset(n),
    lastOffset: toOffset(n),
    firstTimestampMs: atMs,
    lastTimestampMs: atMs,
    firstReceivedAtMs: atMs,
    lastReceivedAtMs: atMs,
    windows: ['w'],
    counts: { ...NO_COUNTS, frames: 1, clicks: 1 },
    uploads: 1,
    duplicates: 0,
    rejected: 0,
    bytesReceived: 100,
    pages: [],
    facts: {},
    marks: Uint8Array.of(1, 0),
    frameIndex: new Uint8Array(2000).fill(n),
  };
}

function clickOf(sessionId: string, n: number, atMs: number): SignalRow {
  const position = { offset: toOffset(n), index: 0 };
  return { projectId: 'shop', sessionId, windowId: 'w', position, timestampMs: atMs, signal: { kind: 'click', selector: '.checkout-btn' } };
}
