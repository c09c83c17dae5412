import { crc32 } from 'node:zlib';
import { blockParts, decodeBlock, FrameJoiner, LIMITS, NO_OFFSET, nextOffset, splitFrame } from '@playhead/schemas';
import { aDomKeyframe, anUpload, anUploadOf, EXAMPLE_SESSION, uploadsOf } from '@playhead/testkit';
import { compressPiece, decompressPiece, positionFrames, readUploadAsync } from '@playhead/uploads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PendingFlush } from '../src/compactor/core/pending-flush.ts';
import type { EncodeBlock } from '../src/compactor/core/session-block.ts';
import { encodeSession } from '../src/compactor/core/session-block.ts';
import { parseSignal } from '../src/core/parse-signal.ts';

const T0 = Date.UTC(2026, 0, 15, 12);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('encodeSession', () => {
  test('[FC7] an encoder that throws costs only the upload that it threw for', async () => {
    const pending = new PendingFlush(0);
    let offset = nextOffset(NO_OFFSET);
    for (const upload of uploadsOf(3)) {
      const frames = positionFrames(upload, offset, (await readUploadAsync(upload)).frames);
      pending.addUpload(offset, upload, { frames, body: null, fault: null }, 0);
      offset = nextOffset(offset);
    }
    const encode: EncodeBlock = (uploads) => {
      if (uploads.some(({ frames, offset: at }) => at === 1 && frames.length > 0)) throw new Error('a frame that no block takes');
      return blockParts(uploads, compressPiece, crc32);
    };
    const [session] = pending.sessions;
    if (!session) throw new Error('no session');
    const { summary, spoiled, block } = encodeSession(session, encode);
    expect(spoiled).toMatchObject([{ offset: 1, message: 'a frame that no block takes' }]);
    expect(summary).toMatchObject({ sessionId: EXAMPLE_SESSION, uploads: 3, rejected: 1, counts: { frames: 5, clicks: 2 }, lastOffset: 2 });
    expect(block?.length).toBeGreaterThan(0);
  });

  test('[FC12] a frame in parts counts once, with its first part, also where the parts are in two flushes', () => {
    const parts = splitFrame(aDomKeyframe(T0), 200);
    const flushes = [new PendingFlush(0), new PendingFlush(0)];
    let offset = nextOffset(NO_OFFSET);
    for (const [counter, part] of parts.entries()) {
      const upload = anUploadOf([part], { counter });
      const content = { frames: positionFrames(upload, offset, [part]), body: null, fault: null };
      flushes[counter < 2 ? 0 : 1]?.addUpload(offset, upload, content, 0);
      offset = nextOffset(offset);
    }
    const encoded = flushes.flatMap(({ sessions }) =>
      [...sessions].map((session) => encodeSession(session, (uploads) => blockParts(uploads, compressPiece, crc32))),
    );
    expect(encoded.map(({ summary }) => [summary.counts.frames, summary.counts.keyframes])).toEqual([
      [1, 1],
      [0, 0],
    ]);
    const joiner = new FrameJoiner();
    const stored = encoded.flatMap(({ block }) => decodeBlock(Buffer.concat(block?.parts ?? []), decompressPiece));
    expect(stored.map((frame) => joiner.take(frame).frame).filter((frame) => frame !== null)).toMatchObject([aDomKeyframe(T0)]);
  });
});

describe('pending flush', () => {
  test('it refuses offsets that go back, and a gap behind something', () => {
    const pending = new PendingFlush(0);
    const zero = nextOffset(NO_OFFSET);
    const one = nextOffset(zero);
    pending.addDuplicate(one, anUpload(), 0);
    expect(() => pending.addDuplicate(zero, anUpload(), 0)).toThrow('offset 0 behind 1');
    expect(() => pending.lose({ firstOffset: zero, lastOffset: zero }, 0)).toThrow('a gap inside of a flush');
  });

  test('heartbeats and duplicates weigh something, so that they are bounded', () => {
    const pending = new PendingFlush(0);
    pending.addDuplicate(nextOffset(NO_OFFSET), anUpload(), 0);
    expect(pending.bytes).toBeGreaterThan(0);
  });
});

describe('parseSignal', () => {
  test('[FC12] what is not JSON, not an object, unknown or too long is a custom signal', () => {
    for (const text of ['', '{', 'null', '1', '[]', '{"kind":"quux"}', '{"kind":{"toString":1}}']) {
      expect(parseSignal(bytesOf(text))).toEqual({ kind: 'custom' });
    }
    expect(parseSignal(bytesOf(JSON.stringify({ kind: 'click', text: 'x'.repeat(100_000) })))).toEqual({ kind: 'custom' });
    expect(parseSignal(Uint8Array.of(0xff, 0xfe))).toEqual({ kind: 'custom' });
  });

  test('fields of a wrong type are left out and texts are cut', () => {
    const signal = { kind: 'click', selector: 5, text: 'x'.repeat(2_000), url: null, x: '3', y: 4, more: true };
    expect(parseSignal(bytesOf(JSON.stringify(signal)))).toEqual({ kind: 'click', text: 'x'.repeat(LIMITS.signalTextCharsMax), y: 4 });
  });

  test('a gap keeps what it tells, also a reason that nobody here knows; what cannot be is left out', () => {
    const parsed = (fields: object): unknown => parseSignal(bytesOf(JSON.stringify({ kind: 'gap', ...fields })));
    const gap = { reason: 'buffer_full', fromMs: T0, toMs: T0 + 5, frames: 3, bytes: 0, track: 'image' };
    expect(parsed(gap)).toEqual({ kind: 'gap', ...gap });
    expect(parsed({ reason: 'solar_flare', value: 'x' })).toEqual({ kind: 'gap', reason: 'solar_flare', value: 'x' });
    expect(parsed({ reason: 'Not a word', fromMs: 7, toMs: 2 ** 43, frames: 1.5, bytes: -1, track: 'sound' })).toEqual({ kind: 'gap' });
    expect(parsed({ fromMs: T0 + 9.7, toMs: T0, frames: '3' })).toEqual({ kind: 'gap', fromMs: T0 + 9 });
  });

  test('only a gap tells what a gap tells', () => {
    expect(parseSignal(bytesOf(JSON.stringify({ kind: 'click', reason: 'refused', fromMs: T0, frames: 1 })))).toEqual({ kind: 'click' });
  });

  test('whatever is recorded, what is read of it is bounded and plain', () => {
    const field = fc.oneof(fc.jsonValue(), fc.double(), fc.constantFrom('refused', 'dom', T0));
    const names = ['reason', 'fromMs', 'toMs', 'frames', 'bytes', 'track'];
    const gap = fc.dictionary(fc.constantFrom(...names), field);
    fc.assert(
      fc.property(gap, (fields) => {
        const signal = parseSignal(bytesOf(JSON.stringify({ kind: 'gap', ...fields })));
        expect(signal.kind).toBe('gap');
        expect(signal.reason ?? 'fault').toMatch(/^[a-z0-9_]{1,40}$/);
        for (const number of [signal.fromMs, signal.toMs, signal.frames, signal.bytes])
          expect(Number.isSafeInteger(number ?? 0)).toBe(true);
        expect((signal.fromMs ?? 0) <= (signal.toMs ?? Number.POSITIVE_INFINITY)).toBe(true);
      }),
    );
  });
});

test('[FC14] a flush is due at its age, sooner when a session in it has ended, and never later for it', () => {
  const times = { flushAgeMs: 10_000, flushEndedMs: 1_000 };
  const [first, second] = [nextOffset(NO_OFFSET), nextOffset(nextOffset(NO_OFFSET))];
  const { projectId, sessionId, ...rest } = anUpload();
  const pending = new PendingFlush(0);
  pending.addDuplicate(first, { projectId, sessionId, ...rest }, 5_000);
  pending.noteEnded(projectId, sessionId, 5_500);
  expect(pending.dueMs(times)).toBe(15_000);
  pending.addUpload(second, { projectId, sessionId, ...rest }, { frames: [], body: null, fault: null }, 6_000);
  pending.noteEnded(projectId, 'another-session', 6_000);
  pending.noteEnded('another-project', sessionId, 6_000);
  expect(pending.dueMs(times)).toBe(15_000);
  pending.noteEnded(projectId, sessionId, 7_000);
  pending.noteEnded(projectId, sessionId, 9_000);
  expect(pending.dueMs(times)).toBe(8_000);
  expect(pending.dueMs({ ...times, flushAgeMs: 2_000 })).toBe(7_000);
});
