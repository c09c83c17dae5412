import type { MergeableSession, StoredBlock } from '@playhead/ports';
import { BytesFault, encodeBlock, LIMITS, Marks, NO_COUNTS, toOffset } from '@playhead/schemas';
import { aFlushBlock, EXAMPLE_PROJECT } from '@playhead/testkit';
import { compressPiece } from '@playhead/uploads';
import { describe, expect, test } from 'vitest';
import { chooseSessions, nextSpan, SESSIONS_MAX } from '../src/merger/core/choose-sessions.ts';
import { summariseStretch } from '../src/merger/core/stretch-summary.ts';
import { cutStretches, MergeRoom } from '../src/merger/core/stretches.ts';
import { START_MS } from './fixtures.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TIMES = { mergeAfterMs: 10 * MINUTE_MS, mergeAgeMs: HOUR_MS, mergeBytesMin: 100, mergeBytesMax: 400 };

const session = (sessionId: string, endedAtMs: number, bytes: number): MergeableSession => ({
  projectId: EXAMPLE_PROJECT,
  sessionId,
  endedAtMs,
  bytes,
});

const chosen = (waiting: readonly MergeableSession[], nowMs: number): string[] =>
  chooseSessions(waiting, nowMs, TIMES).map(({ sessionId }) => sessionId);

/** A block of a flush with a text frame of so many bytes. */
function aBlock(offset: number, textBytes: number, overrides: Partial<StoredBlock> = {}): StoredBlock {
  const payload = new Uint8Array(textBytes).fill(120);
  const position = { offset: toOffset(offset), index: 0 };
  const frame = { position, windowId: 'w', track: 'dom', keyframe: false, timestampMs: START_MS, payload } as const;
  const { bytes, frameIndex } = encodeBlock([frame], compressPiece);
  const [firstOffset, lastOffset, flushLastOffset] = [toOffset(offset), toOffset(offset), toOffset(offset)];
  const place = { blockOffset: 0, blockLength: bytes.length, frameIndex, objectKey: `o${offset}`, flushLastOffset, merged: false };
  return { ...aFlushBlock(), firstOffset, lastOffset, ...place, ...overrides };
}

const roomFor = (mergeBytesMax: number, mergeSessionBytesMax = mergeBytesMax): MergeRoom =>
  new MergeRoom({ mergeBytesMax, mergeSessionBytesMax });

const places = (stretches: readonly (readonly StoredBlock[])[]): number[][] =>
  stretches.map((stretch) => stretch.map(({ flushLastOffset }) => flushLastOffset));

describe('when, and which', () => {
  test('[MG2] a merge is made when what waits is large enough, when the longest waits too long, or when there are very many', () => {
    const nowMs = START_MS + HOUR_MS;
    expect(chosen([], nowMs)).toEqual([]);
    expect(chosen([session('a', START_MS + 1, 60), session('b', START_MS + 2, 39)], nowMs)).toEqual([]);
    expect(chosen([session('a', START_MS + 1, 60), session('b', START_MS + 2, 40)], nowMs)).toEqual(['a', 'b']);
    expect(chosen([session('a', START_MS, 1), session('b', START_MS + 2, 1)], nowMs)).toEqual(['a', 'b']);
    const many = Array.from({ length: SESSIONS_MAX }, (_, i) => session(`s${i}`, START_MS + 1, 0));
    expect(chosen(many, nowMs)).toHaveLength(SESSIONS_MAX);
    expect(chosen(many.slice(1), nowMs)).toEqual([]);
  });

  test('[MG2] a merge takes no more sessions than fill it, the earliest end first', () => {
    const waiting = ['a', 'b', 'c', 'd'].map((sessionId, i) => session(sessionId, START_MS + i, 200));
    expect(chosen(waiting, START_MS + 10)).toEqual(['a', 'b']);
    expect(chosen([session('large', START_MS, 10_000), ...waiting], START_MS + 10)).toEqual(['large']);
    const mixed = [session('small', START_MS, 1), session('large', START_MS, 10_000), ...waiting];
    expect(chosen(mixed, START_MS + 10)).toEqual(['small', 'a']);
  });

  test('[MG1] the first look is over everything that ended long enough ago, later ones begin a day before what may still wait', () => {
    const day = 24 * HOUR_MS;
    const first = nextSpan(null, [], START_MS, TIMES.mergeAfterMs);
    expect(first).toEqual({ endedFromMs: 0, endedBeforeMs: START_MS - TIMES.mergeAfterMs });
    const waits = nextSpan(first, [session('a', START_MS - 50 * HOUR_MS, 1)], START_MS + 1, TIMES.mergeAfterMs);
    expect(waits.endedFromMs).toBe(START_MS - 50 * HOUR_MS - day);
    const none = nextSpan(first, [], START_MS + HOUR_MS, TIMES.mergeAfterMs);
    expect(none).toEqual({ endedFromMs: first.endedBeforeMs - day, endedBeforeMs: START_MS + HOUR_MS - TIMES.mergeAfterMs });
    // A clock that was set back.
    expect(nextSpan(first, [], START_MS - 5 * HOUR_MS, 0).endedFromMs).toBe(START_MS - 5 * HOUR_MS - day);
  });
});

describe('stretches', () => {
  test('[MG1] only blocks that no merge has are taken, whole, and none across a merged one', () => {
    const blocks = [0, 1, 2, 3, 4].map((offset) => aBlock(offset, 10, { merged: offset === 2 }));
    const { stretches, isFull } = cutStretches(blocks, roomFor(1_000_000));
    expect(places(stretches)).toEqual([
      [0, 1],
      [3, 4],
    ]);
    expect(isFull).toBe(false);
  });

  test('[MG1] entries without frames are taken as well', () => {
    const quiet = { blockLength: 0, frameIndex: new Uint8Array(), objectKey: '' };
    const blocks = [aBlock(0, 1, quiet), aBlock(1, 10), aBlock(2, 1, quiet)];
    expect(places(cutStretches(blocks, roomFor(1_000_000)).stretches)).toEqual([[0, 1, 2]]);
  });

  test('[MG6] a stretch inflates to no more than is allowed, but for one larger block', () => {
    const blocks = [aBlock(0, 60), aBlock(1, 40), aBlock(2, 1), aBlock(3, 1_000), aBlock(4, 1)];
    expect(places(cutStretches(blocks, roomFor(1_000_000), 100).stretches)).toEqual([[0, 1], [2], [3], [4]]);
  });

  test('[MG2] the session that a merge begins with is cut where it is too large for one object, behind a first block at least', () => {
    const blocks = [0, 1, 2, 3].map((offset) => aBlock(offset, 10));
    const [{ blockLength }] = blocks as [StoredBlock];
    const cut = cutStretches(blocks, roomFor(blockLength, 3 * blockLength));
    expect([places(cut.stretches), cut.isFull]).toEqual([[[0, 1, 2]], true]);
    const tight = cutStretches(blocks, roomFor(1, 1));
    expect([places(tight.stretches), tight.isFull]).toEqual([[[0]], true]);
    const whole = cutStretches(blocks, roomFor(1, 4 * blockLength));
    expect([places(whole.stretches), whole.isFull]).toEqual([[[0, 1, 2, 3]], false]);
  });

  test('[MG2] a session behind another one comes whole, or not at all', () => {
    const blocks = [0, 1, 2, 3].map((offset) => aBlock(offset, 10, { merged: offset === 1 }));
    const [first, ...others] = blocks as [StoredBlock, ...StoredBlock[]];
    const { blockLength } = first;
    for (const [room, expected] of [
      [roomFor(3 * blockLength, 100 * blockLength), [[[2, 3]], false]],
      [roomFor(3 * blockLength - 1, 100 * blockLength), [[], true]],
    ] as const) {
      expect(cutStretches([first], room).isFull).toBe(false);
      const second = cutStretches(others, room);
      expect([places(second.stretches), second.isFull]).toEqual(expected);
    }
    // Behind one that is larger than what several may have.
    const full = roomFor(blockLength, 4 * blockLength);
    expect(cutStretches(blocks, full).isFull).toBe(false);
    expect(cutStretches([aBlock(9, 1)], full)).toEqual({ stretches: [], isFull: true });
  });

  test('[MG6] what goes into the record of a merge is bounded', () => {
    const marks = new Uint8Array(3 * 1024 * 1024);
    const { stretches, isFull } = cutStretches(
      [0, 1, 2].map((offset) => aBlock(offset, 1, { marks })),
      roomFor(Number.MAX_SAFE_INTEGER),
    );
    expect([places(stretches), isFull]).toEqual([[[0, 1]], true]);
    const room = roomFor(Number.MAX_SAFE_INTEGER);
    for (const expected of [false, false, true]) expect(cutStretches([aBlock(0, 1, { marks })], room).isFull).toBe(expected);
  });

  test('a damaged frame index is an error', () => {
    expect(() => cutStretches([aBlock(0, 1, { frameIndex: Uint8Array.of(9, 9) })], roomFor(1))).toThrow(BytesFault);
  });
});

describe('summary', () => {
  const marked = (counter: number): Uint8Array => {
    const marks = new Marks();
    marks.accept({ windowId: 'w', uploadId: '', counter });
    return marks.encode();
  };

  test('[MG1] counts are sums, times are the outermost, pages come once in order, of facts the latest value counts', () => {
    const one = aBlock(3, 1, {
      counts: { ...NO_COUNTS, frames: 2, clicks: 1 },
      firstTimestampMs: 200,
      lastTimestampMs: 300,
      firstReceivedAtMs: 50,
      lastReceivedAtMs: 60,
      windows: ['w1'],
      pages: ['/a', '/b'],
      facts: { url: '/a', title: 'A' },
      uploads: 2,
      duplicates: 1,
      rejected: 1,
      bytesReceived: 10,
      marks: marked(0),
    });
    const quiet = aBlock(7, 1, {
      counts: NO_COUNTS,
      firstTimestampMs: 0,
      lastTimestampMs: 0,
      firstReceivedAtMs: 40,
      lastReceivedAtMs: 90,
      windows: ['w2', 'w1'],
      pages: ['/c', '/a'],
      facts: { url: '/c' },
      uploads: 1,
      duplicates: 0,
      rejected: 0,
      bytesReceived: 5,
      marks: marked(1),
    });
    const summary = summariseStretch([one, quiet]);
    expect(summary).toMatchObject({
      firstFlush: 3,
      lastFlush: 7,
      firstOffset: 3,
      lastOffset: 7,
      firstTimestampMs: 200,
      lastTimestampMs: 300,
      firstReceivedAtMs: 40,
      lastReceivedAtMs: 90,
      windows: ['w1', 'w2'],
      counts: { frames: 2, clicks: 1, images: 0 },
      uploads: 3,
      duplicates: 1,
      rejected: 1,
      bytesReceived: 15,
      pages: ['/a', '/b', '/c'],
      facts: { url: '/c', title: 'A' },
    });
    const marks = Marks.decode(summary.marks);
    expect([0, 1, 2].map((counter) => marks.has({ windowId: 'w', uploadId: '', counter }))).toEqual([true, true, false]);
    expect(summariseStretch([quiet])).toMatchObject({ firstTimestampMs: 0, lastTimestampMs: 0 });
  });

  test('[MG1] pages of a merged block are bounded as those of a flush are', () => {
    const pagesOf = (from: number): string[] => Array.from({ length: LIMITS.pagesMax }, (_, i) => `/${from + i}`);
    const { pages } = summariseStretch([aBlock(0, 1, { pages: pagesOf(50) }), aBlock(1, 1, { pages: pagesOf(0) })]);
    expect(pages).toEqual(pagesOf(50));
  });
});
