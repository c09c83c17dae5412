import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PositionedFrame } from '../src/index.ts';
import {
  ByteReader,
  BytesFault,
  ByteWriter,
  comparePositions,
  decodeFramesMessage,
  encodeFramesMessage,
  formatPosition,
  isSessionId,
  parsePosition,
  partitionOf,
  START,
  TRACKS,
  toOffset,
  uuidv7,
} from '../src/index.ts';
import { anyPart, NOW_MS, outcomeOf, POSITIONED } from './samples.ts';

const anyPosition = fc.record({ offset: fc.maxSafeNat().map(toOffset), index: fc.nat(0xffffffff) });
const anyFrame: fc.Arbitrary<PositionedFrame> = fc.record({
  position: anyPosition,
  windowId: fc.constantFrom('a', 'b', 'c'.repeat(64)),
  track: fc.constantFrom(...TRACKS),
  keyframe: fc.boolean(),
  timestampMs: fc.maxSafeNat(),
  payload: fc.uint8Array({ maxLength: 50 }),
  part: anyPart,
});

describe('wire message of frames', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), fc.maxSafeNat(), (frames, receivedAtMs) => {
        const message = { receivedAtMs, sentAtMs: 0, frames };
        expect(decodeFramesMessage(encodeFramesMessage(message))).toEqual(message);
      }),
    );
  });

  it('cut at any byte, or longer, is a BytesFault', () => {
    const bytes = encodeFramesMessage({ receivedAtMs: NOW_MS, sentAtMs: NOW_MS, frames: POSITIONED });
    for (let cut = 0; cut < bytes.length; cut++) expect(() => decodeFramesMessage(bytes.subarray(0, cut))).toThrow(BytesFault);
    expect(() => decodeFramesMessage(Uint8Array.from([...bytes, 0]))).toThrow(BytesFault);
  });

  it('of any bytes is a message or a BytesFault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        expect(outcomeOf(BytesFault, () => decodeFramesMessage(Uint8Array.from([1, 1, ...tail])))).toMatch(/read|fault/);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses a window id that its length byte cannot tell', () => {
    const [frame] = POSITIONED;
    if (!frame) throw new Error('the sample has frames');
    expect(() => encodeFramesMessage({ receivedAtMs: 0, sentAtMs: 0, frames: [{ ...frame, windowId: 'w'.repeat(256) }] })).toThrow(
      RangeError,
    );
  });
});

describe('numbers', () => {
  it('of every encoding come back as they were', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
        fc.double(),
        fc.string({ unit: 'grapheme' }),
        (natural, signed, real, text) => {
          const writer = new ByteWriter(1);
          writer.varint(natural);
          writer.u64(natural);
          writer.zigzag(signed);
          writer.f64(real);
          writer.text(text);
          const reader = new ByteReader(writer.bytes());
          expect([reader.varint(), reader.u64(), reader.zigzag(), reader.f64(), reader.text()]).toEqual([
            natural,
            natural,
            signed,
            real,
            text,
          ]);
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  it('that a varint cannot hold are refused, not written as another number', () => {
    for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) expect(() => new ByteWriter().varint(value)).toThrow(RangeError);
  });

  it('beyond 2^53 are a BytesFault, and so is a read of less than nothing', () => {
    expect(() => new ByteReader(new Uint8Array(8).fill(0xff)).u64()).toThrow(BytesFault);
    expect(() => new ByteReader(new Uint8Array(12).fill(0xff)).varint()).toThrow(BytesFault);
    expect(() => new ByteReader(new Uint8Array(8)).raw(-1)).toThrow(BytesFault);
  });

  it('a text that begins with a byte order mark keeps it', () => {
    const writer = new ByteWriter();
    writer.text('\ufeffa');
    expect(new ByteReader(writer.bytes()).text()).toBe('\ufeffa');
  });
});

describe('position', () => {
  it('comes back from its text, and nothing else is one', () => {
    fc.assert(
      fc.property(anyPosition, (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
    expect(parsePosition(formatPosition(START))).toEqual(START);
    for (const text of ['', '1', '1.', '.1', '-2.0', '1.2.3', '1e3.0', ' 1.2', '99999999999999999.0', '9007199254740993.0']) {
      expect([text, parsePosition(text)]).toEqual([text, undefined]);
    }
  });

  it('is ordered by offset, then by index', () => {
    const at = (offset: number, index: number) => ({ offset: toOffset(offset), index });
    expect(comparePositions(at(1, 9), at(2, 0))).toBeLessThan(0);
    expect(comparePositions(at(2, 1), at(2, 0))).toBeGreaterThan(0);
    expect(comparePositions(at(2, 1), at(2, 1))).toBe(0);
    expect(comparePositions(START, at(0, 0))).toBeLessThan(0);
  });
});

describe('ids', () => {
  it('a UUIDv7 is a session id, tells version and variant, and grows with time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 47 }), fc.uint8Array({ minLength: 10, maxLength: 10 }), (nowMs, random) => {
        const id = uuidv7(nowMs, random);
        expect(isSessionId(id)).toBe(true);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(nowMs);
        expect(uuidv7(nowMs + 1, random) > id).toBe(true);
      }),
    );
  });

  it('a session always falls to the same partition: these must never change', () => {
    expect(['session-a', 'session-b', '0190a0b0-0000-7000-8000-000000000001'].map((id) => partitionOf(id, 64))).toMatchInlineSnapshot(`
      [
        29,
        36,
        48,
      ]
    `);
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1024 }), (id, partitions) => {
        const partition = partitionOf(id, partitions);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
      }),
    );
  });
});
