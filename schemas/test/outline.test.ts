import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../src/index.ts';
import {
  BytesFault,
  ByteWriter,
  encodeFrames,
  encodeOutline,
  isContinuation,
  LIMITS,
  OUTLINE_BYTES_MAX,
  outlineOf,
  readOutline,
  TIMESTAMP_MAX_MS,
} from '../src/index.ts';
import { FRAMES, frameOf, jpegOf, NOW_MS, outlined, toldBy } from './samples.ts';

const anyFrame: fc.Arbitrary<Frame> = fc
  .record({
    track: fc.constantFrom('dom' as const, 'hierarchy' as const, 'signal' as const),
    keyframe: fc.boolean(),
    timestampMs: fc.integer({ min: 0, max: TIMESTAMP_MAX_MS }),
    payload: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    part: fc.option(fc.record({ number: fc.nat({ max: 63 }), continues: fc.boolean() }), { nil: undefined }),
  })
  // What the flags tell of a whole frame is that it is no part.
  .map((frame) => (frame.part?.number === 0 && !frame.part.continues ? Object.assign(frame, { part: undefined }) : frame));

/** One frame, written as the format says. */
function written({ kind = 1, timestampMs = NOW_MS, length = 5, count = 1, version = 1 }): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(version);
  writer.varint(count);
  writer.varint(kind);
  writer.zigzag(timestampMs);
  writer.varint(length);
  return writer.bytes();
}

describe('an outline', () => {
  it('tells all of the frames but the payloads, and of signals these too', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const bytes = encodeOutline(frames);
        expect(toldBy(bytes)).toEqual(outlined(frames));
        const times = frames.map(({ timestampMs }) => timestampMs);
        expect(readOutline(bytes)).toEqual({
          bytes,
          frames: frames.length,
          begun: frames.filter((frame) => !isContinuation(frame)).length,
          keyframes: frames.filter(({ keyframe }) => keyframe).length,
          signals: frames.filter(({ track }) => track === 'signal').length,
          firstMs: Math.min(...times),
          lastMs: Math.max(...times),
          rawLength: encodeFrames(frames).length,
        });
      }),
    );
  });

  it('is not logged beyond OUTLINE_BYTES_MAX', () => {
    const upload = { format: 'frames', codec: 'gzip', body: new Uint8Array() } as const;
    const signal: Frame = { track: 'signal', keyframe: false, timestampMs: NOW_MS, payload: new Uint8Array(OUTLINE_BYTES_MAX - 20) };
    expect(outlineOf(upload, [signal], null)).toEqual(encodeOutline([signal]));
    expect(outlineOf(upload, [signal, { ...signal, payload: new Uint8Array(20) }], null)).toHaveLength(0);
  });

  it('is of text alone: a picture is a mistake of the caller', () => {
    expect(() => encodeOutline([frameOf('image', NOW_MS, jpegOf(1, 1))])).toThrow(RangeError);
  });

  it('is refused where it is not what the encoder writes', () => {
    const sound = encodeOutline(FRAMES.filter(({ track }) => track !== 'image'));
    expect(() => readOutline(written({}))).not.toThrow();
    const faulty: readonly Uint8Array[] = [
      new Uint8Array(),
      ...Array.from(sound, (_, end) => sound.subarray(0, end)),
      Uint8Array.of(...sound, 0),
      written({ version: 2 }),
      written({ count: 2 }),
      written({ count: 1_000_000 }),
      written({ kind: 0 }),
      // A picture.
      written({ kind: 2 }),
      written({ kind: 5 }),
      written({ kind: 256 * 8 + 1 }),
      written({ timestampMs: -1 }),
      written({ timestampMs: TIMESTAMP_MAX_MS + 1 }),
      written({ length: 0 }),
      written({ length: LIMITS.frameBytesMax + 1 }),
    ];
    for (const bytes of faulty) expect(() => readOutline(bytes)).toThrow(BytesFault);
  });
});
