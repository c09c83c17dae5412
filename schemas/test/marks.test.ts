import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UploadIdentity } from '../src/index.ts';
import { BytesFault, ByteWriter, Marks } from '../src/index.ts';
import { outcomeOf } from './samples.ts';

const anyIdentity: fc.Arbitrary<UploadIdentity> = fc.record({
  windowId: fc.constantFrom('a', 'b', 'c'),
  uploadId: fc.constantFrom('u1', 'u2', 'u3', 'ü'),
  counter: fc.oneof(fc.constant(null), fc.nat(12), fc.constantFrom(1000, Number.MAX_SAFE_INTEGER - 1)),
});
const anyIdentities = fc.array(anyIdentity, { maxLength: 40 });

const keyOf = ({ windowId, uploadId, counter }: UploadIdentity) => `${windowId} ${counter === null ? `id ${uploadId}` : counter}`;

function marksOf(identities: readonly UploadIdentity[]): Marks {
  const marks = new Marks();
  for (const identity of identities) marks.accept(identity);
  return marks;
}

describe('marks', () => {
  it('accept each identity once, as a plain set does', () => {
    fc.assert(
      fc.property(anyIdentities, anyIdentities, (identities, others) => {
        const set = new Set<string>();
        const marks = new Marks();
        for (const identity of identities) {
          expect(marks.accept(identity)).toBe(!set.has(keyOf(identity)));
          set.add(keyOf(identity));
        }
        for (const identity of [...identities, ...others]) expect(marks.has(identity)).toBe(set.has(keyOf(identity)));
      }),
    );
  });

  it('survive being encoded and decoded, and are the same bytes again', () => {
    fc.assert(
      fc.property(anyIdentities, anyIdentities, (identities, others) => {
        const marks = marksOf(identities);
        const decoded = Marks.decode(marks.encode());
        expect(decoded.encode()).toEqual(marks.encode());
        for (const identity of [...identities, ...others]) expect(decoded.has(identity)).toBe(marks.has(identity));
      }),
    );
  });

  it('merged hold what both held; the order does not matter', () => {
    fc.assert(
      fc.property(anyIdentities, anyIdentities, anyIdentities, (left, right, others) => {
        const all = marksOf([...left, ...right]);
        const merged = marksOf(left);
        merged.merge(marksOf(right));
        const reversed = marksOf(right);
        reversed.merge(marksOf(left));
        for (const identity of [...left, ...right, ...others]) {
          expect(merged.has(identity)).toBe(all.has(identity));
          expect(reversed.has(identity)).toBe(all.has(identity));
        }
      }),
    );
  });

  it('a clone grows alone', () => {
    const marks = marksOf([{ windowId: 'a', uploadId: 'u', counter: 1 }]);
    const clone = marks.clone();
    clone.accept({ windowId: 'a', uploadId: 'u', counter: 2 });
    expect(marks.has({ windowId: 'a', uploadId: 'u', counter: 2 })).toBe(false);
    expect(clone.has({ windowId: 'a', uploadId: 'u', counter: 1 })).toBe(true);
  });

  it('of counters in a row take a few bytes', () => {
    const marks = new Marks();
    for (let counter = 0; counter < 100_000; counter++) marks.accept({ windowId: 'a', uploadId: 'u', counter });
    expect(marks.encode().length).toBeLessThan(12);
  });

  it('any bytes are marks or a BytesFault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
        expect(
          outcomeOf(BytesFault, () => {
            const marks = Marks.decode(Uint8Array.from([1, ...tail]));
            expect(Marks.decode(marks.encode()).encode()).toEqual(marks.encode());
          }),
        ).toMatch(/read|fault/);
      }),
      { numRuns: 1000 },
    );
  });

  it('cut bytes, bytes behind the end, another version and counters beyond 2^53 are BytesFaults', () => {
    const bytes = marksOf([
      { windowId: 'a', uploadId: 'u', counter: 4 },
      { windowId: 'b', uploadId: 'u', counter: null },
    ]).encode();
    for (let cut = 0; cut < bytes.length; cut++) expect(() => Marks.decode(bytes.subarray(0, cut))).toThrow(BytesFault);
    expect(() => Marks.decode(Uint8Array.from([...bytes, 0]))).toThrow(BytesFault);
    expect(() => Marks.decode(Uint8Array.of(2, 0))).toThrow(/version 2/);
    const writer = new ByteWriter();
    for (const value of [1, 1, 0, 1, Number.MAX_SAFE_INTEGER, 5, 0]) writer.varint(value);
    expect(() => Marks.decode(writer.bytes())).toThrow(/2\^53/);
  });

  it('a window that is named twice is a BytesFault: its ranges would be moved up for each that is put before them', () => {
    const writer = new ByteWriter();
    writer.u8(1);
    writer.varint(2);
    for (let window = 0; window < 2; window++) {
      writer.text('a');
      for (const value of [1, 0, 0, 0]) writer.varint(value);
    }
    expect(() => Marks.decode(writer.bytes())).toThrow(/"a" twice/);
  });
});
