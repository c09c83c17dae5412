import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame, IncompleteFrame, PositionedFrame } from '../src/index.ts';
import {
  decodeBlock,
  decodeBody,
  decodeFramesMessage,
  encodeBlock,
  encodeFrames,
  encodeFramesMessage,
  FRAME_PARTS_MAX,
  FrameJoiner,
  flagsOf,
  LIMITS,
  readFlags,
  splitFrame,
  toOffset,
} from '../src/index.ts';
import { CONTEXT, frameOf, NOW_MS, textBytes, unzstd, zstd } from './samples.ts';

/** Any DOM frames; the times of two differ, as those of two pictures of a page do. */
const anyFrames = fc
  .array(fc.record({ text: fc.string({ maxLength: 80 }), keyframe: fc.boolean() }), { maxLength: 8 })
  .map((frames) => frames.map(({ text, keyframe }, i) => frameOf('dom', NOW_MS - 1_000 + i, JSON.stringify({ text }), keyframe)));
/** The frames of two windows, parts of any size, an order of the two, and where uploads, blocks and messages are cut. */
const anyStream = fc.record({
  windows: fc.tuple(anyFrames, anyFrames),
  partBytesMax: fc.integer({ min: 4, max: 40 }),
  turns: fc.infiniteStream(fc.nat(1)),
  cuts: fc.infiniteStream(fc.boolean()),
});

interface Stream {
  readonly windows: readonly (readonly Frame[])[];
  readonly partBytesMax: number;
  readonly turns: Iterator<number>;
  readonly cuts: Iterator<boolean>;
}

/** The windows' parts in one stream: each upload holds parts of one window. */
function streamOf({ windows, partBytesMax, turns, cuts }: Stream): PositionedFrame[] {
  const queues = windows.map((frames) => frames.flatMap((frame) => splitFrame(frame, partBytesMax)));
  const stream: PositionedFrame[] = [];
  for (let offset = 0; queues.some((queue) => queue.length > 0); offset++) {
    const turn = queues[turns.next().value ?? 0]?.length ? 0 : 1;
    const number = queues[turn]?.length ? turn : 1 - turn;
    const upload: Frame[] = [];
    for (let frame = queues[number]?.shift(); frame !== undefined; frame = cuts.next().value ? queues[number]?.shift() : undefined)
      upload.push(frame);
    const { frames, fault } = decodeBody('frames', encodeFrames(upload), CONTEXT);
    expect(fault).toBeNull();
    frames.forEach((frame, index) => stream.push({ ...frame, windowId: `w${number}`, position: { offset: toOffset(offset), index } }));
  }
  return stream;
}

function join(frames: readonly PositionedFrame[], joiner = new FrameJoiner()): { whole: PositionedFrame[]; incomplete: IncompleteFrame[] } {
  const taken = frames.map((frame) => joiner.take(frame));
  return { whole: taken.flatMap(({ frame }) => frame ?? []), incomplete: taken.flatMap(({ incomplete }) => incomplete) };
}

/** `text` in parts of `partBytesMax` bytes, each an upload of its own from `offset` on. */
function partsOf(text: string, partBytesMax: number, timestampMs = NOW_MS, offset = 0, windowId = 'w'): PositionedFrame[] {
  return splitFrame(frameOf('dom', timestampMs, text, true), partBytesMax).map((frame, i) =>
    Object.assign({ position: { offset: toOffset(offset + i), index: 0 }, windowId }, frame),
  );
}

describe('a frame in parts', () => {
  it('is the frame again when it is joined: any payload, any cut into uploads, blocks and messages, any order of two windows', () => {
    fc.assert(
      fc.property(anyStream, (setting) => {
        const stream = streamOf(setting);
        const fromBlocks: PositionedFrame[] = [];
        const fromMessages: PositionedFrame[] = [];
        for (let from = 0, to = 1; from < stream.length; from = to, to = from + 1) {
          while (to < stream.length && setting.cuts.next().value) to++;
          const run = stream.slice(from, to);
          fromBlocks.push(...decodeBlock(encodeBlock(run, zstd).bytes, unzstd));
          fromMessages.push(...decodeFramesMessage(encodeFramesMessage({ receivedAtMs: 0, sentAtMs: 0, frames: run })).frames);
        }
        // History, then live, at any place.
        const handover = Math.floor(stream.length / 2);
        for (const all of [fromBlocks, fromMessages, [...fromBlocks.slice(0, handover), ...fromMessages.slice(handover)]]) {
          const joiner = new FrameJoiner();
          const { whole, incomplete } = join(all, joiner);
          setting.windows.forEach((frames, i) => {
            expect(whole.filter(({ windowId }) => windowId === `w${i}`)).toEqual(
              frames.map((frame) => expect.objectContaining({ ...frame })),
            );
          });
          expect([incomplete, joiner.open, joiner.bytes]).toEqual([[], [], 0]);
        }
      }),
    );
  });

  it('comes out whole or not at all when any of its parts are lost, and is told once', () => {
    fc.assert(
      fc.property(anyStream, fc.infiniteStream(fc.integer({ min: 0, max: 5 })), (setting, losses) => {
        const stream = streamOf(setting);
        const left = stream.filter(() => losses.next().value !== 0);
        const joiner = new FrameJoiner();
        const { whole, incomplete } = join(left, joiner);
        const missing = [...incomplete, ...joiner.open];
        setting.windows.forEach((frames, i) => {
          const windowId = `w${i}`;
          for (const frame of frames) {
            const there = (all: readonly PositionedFrame[]): number =>
              all.filter((one) => one.windowId === windowId && one.timestampMs === frame.timestampMs).length;
            const complete = there(stream) === there(left);
            expect(
              whole.filter((one) => one.windowId === windowId && one.timestampMs === frame.timestampMs).map(({ payload }) => payload),
            ).toEqual(complete ? [frame.payload] : []);
            const told = missing.filter((one) => one.windowId === windowId && one.timestampMs === frame.timestampMs).length;
            expect(told).toBe(complete || there(left) === 0 ? 0 : 1);
          }
        });
      }),
    );
  });

  it('has its keyframe flag on its first part only, and the place of it', () => {
    const parts = partsOf('[{"type":4},{"type":2}]', 10, NOW_MS, 5);
    expect(parts.map(({ keyframe, part }) => [keyframe, part?.number, part?.continues])).toEqual([
      [true, 0, true],
      [false, 1, true],
      [false, 2, false],
    ]);
    expect(join(parts).whole).toEqual([
      { ...frameOf('dom', NOW_MS, '[{"type":4},{"type":2}]', true), windowId: 'w', position: { offset: 5, index: 0 } },
    ]);
  });

  it('is whole when it is no larger than a part', () => {
    const frame = frameOf('dom', NOW_MS, '{"type":3}');
    expect(splitFrame(frame)).toEqual([frame]);
    expect(splitFrame(frame, 10)).toEqual([frame]);
  });

  it('needs no more parts than flags can number', () => {
    const payload = textBytes(`"${'x'.repeat(FRAME_PARTS_MAX - 2)}"`);
    const parts = splitFrame(frameOf('dom', NOW_MS, payload), 1);
    expect(parts).toHaveLength(FRAME_PARTS_MAX);
    for (const part of parts) expect(readFlags(flagsOf(part))).toEqual({ keyframe: false, part: part.part });
    expect(() => splitFrame(frameOf('dom', NOW_MS, Uint8Array.of(...payload, 0)), 1)).toThrow(RangeError);
  });

  it('is interrupted by a frame that begins anew, whole or in parts', () => {
    const [first, second] = partsOf('{"old":"keyframe"}', 8);
    const anew = partsOf('{"new":"keyframe"}', 8, NOW_MS + 1, 10);
    const change: PositionedFrame = { ...frameOf('dom', NOW_MS + 2, '{}'), windowId: 'w', position: { offset: toOffset(20), index: 0 } };
    if (!first || !second) throw new Error('there are parts');
    const told = { position: first.position, windowId: 'w', track: 'dom', keyframe: true, timestampMs: NOW_MS, reason: 'interrupted' };
    expect(join([first, second, ...anew, change])).toMatchObject({ whole: [{ timestampMs: NOW_MS + 1 }, change], incomplete: [told] });
    expect(join([first, second, change, ...anew])).toMatchObject({ whole: [change, { timestampMs: NOW_MS + 1 }], incomplete: [told] });
  });

  it('is missing without its beginning, and told once', () => {
    const parts = partsOf('{"a":"keyframe"}', 4).slice(1);
    expect(join(parts)).toMatchObject({
      whole: [],
      incomplete: [{ position: parts[0]?.position, reason: 'no-beginning', keyframe: false }],
    });
  });

  it('is told as open while it waits for its end', () => {
    const joiner = new FrameJoiner();
    const parts = partsOf('{"a":"keyframe"}', 4);
    expect(join(parts.slice(0, 2), joiner)).toEqual({ whole: [], incomplete: [] });
    expect(joiner.open).toMatchObject([{ position: { offset: 0, index: 0 }, keyframe: true, reason: 'interrupted' }]);
    expect(join(parts.slice(2), joiner).whole).toHaveLength(1);
    expect(joiner.open).toEqual([]);
  });

  it('that is too large is dropped as soon as this shows, and told once; what comes next is joined', () => {
    const joiner = new FrameJoiner({ frameBytesMax: 10, joiningBytesMax: 100 });
    const large = partsOf('{"text":"0123456789"}', 4);
    const { whole, incomplete } = join(large.slice(0, 3), joiner);
    expect([whole, joiner.bytes, joiner.open]).toEqual([[], 0, []]);
    expect(incomplete).toMatchObject([{ position: { offset: 0 }, reason: 'too-large', keyframe: true }]);
    expect(join([...large.slice(3), ...partsOf('{"a":1}', 4, NOW_MS + 1, 10)], joiner)).toMatchObject({
      whole: [{ timestampMs: NOW_MS + 1 }],
      incomplete: [],
    });
    const atTheEnd = join(partsOf('{"ab":"cd"}', 6, NOW_MS + 2, 20), joiner);
    expect(atTheEnd).toMatchObject({ whole: [], incomplete: [{ timestampMs: NOW_MS + 2, reason: 'too-large' }] });
  });

  it('waits within a bound, however many windows leave theirs open: what waits longest is given up', () => {
    const joiner = new FrameJoiner({ frameBytesMax: 20, joiningBytesMax: 20 });
    let most = 0;
    const told: IncompleteFrame[] = [];
    for (let i = 0; i < 50; i++) {
      const [first] = partsOf('{"text":"0123456789"}', 8, NOW_MS, i, `w${i}`);
      if (first) told.push(...joiner.take(first).incomplete);
      most = Math.max(most, joiner.bytes);
    }
    expect(most).toBe(16);
    expect(told.map(({ windowId }) => windowId)).toEqual(Array.from({ length: 48 }, (_, i) => `w${i}`));
  });

  it('is no longer counted when it is whole, broken off, or passed over', () => {
    const joiner = new FrameJoiner();
    const parts = partsOf('{"text":"0123456789"}', 8);
    const bytesAfter = (frames: readonly PositionedFrame[]): number => {
      for (const frame of frames) joiner.take(frame);
      return joiner.bytes;
    };
    expect(bytesAfter(parts.slice(0, 2))).toBe(16);
    expect(bytesAfter(parts.slice(2))).toBe(0);
    // Without a beginning; then of a frame that is broken.
    expect(bytesAfter(parts.slice(1))).toBe(0);
    expect(bytesAfter(parts.slice(0, 1))).toBe(8);
    expect(bytesAfter(partsOf('{}', 8, NOW_MS + 1, 50))).toBe(0);
  });

  it('is held as copies: a part does not keep the message in memory that it came with', () => {
    const message = new Uint8Array(10_000);
    const joiner = new FrameJoiner();
    const [first] = partsOf('{"text":"0123456789"}', 8);
    if (!first) throw new Error('there are parts');
    message.set(first.payload, 100);
    joiner.take({ ...first, payload: message.subarray(100, 108) });
    expect(joiner.bytes).toBe(8);
    message.fill(0);
    expect(join(partsOf('{"text":"0123456789"}', 8).slice(1), joiner).whole).toHaveLength(1);
  });
});

describe('limits', () => {
  it('let a page of 60 MB be joined', () => {
    expect(LIMITS.joinedFrameBytesMax).toBeGreaterThan(60_000_000);
    expect(Math.ceil(LIMITS.joinedFrameBytesMax / LIMITS.framePartBytesMax)).toBeLessThanOrEqual(FRAME_PARTS_MAX);
  });
});
