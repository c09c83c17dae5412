import { gzipSync } from 'node:zlib';
import type { RawPiece } from '@playhead/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compressPiece, compressPieceWell, decompressPiece } from '../src/index.ts';

/** Content size flag and single segment flag of a zstd frame's descriptor (RFC 8878, 3.1.1.1): one of them says that the size is there. */
const tellsItsSize = (frame: Uint8Array): boolean => ((frame[4] ?? 0) & 0b1110_0000) !== 0;

const aPiece = (raw: Uint8Array, pictures = false): RawPiece => ({ payloads: [raw], rawLength: raw.length, pictures });

const text = (bytes: number): Uint8Array => new TextEncoder().encode('Everything that a page says, it says again. '.repeat(bytes / 44));

test.each([0, 44, 44 * 100, 44 * 30_000])(
  'a piece of %i bytes is compressed both ways, comes back, and holds little else',
  async (bytes) => {
    const raw = text(bytes);
    expect(tellsItsSize(compressPiece(raw))).toBe(true);
    for (const compressed of [compressPiece(raw), await compressPieceWell(aPiece(raw)), await compressPieceWell(aPiece(raw, true))]) {
      expect(Buffer.compare(decompressPiece(compressed, raw.length), raw)).toBe(0);
      expect(compressed.buffer.byteLength).toBeLessThanOrEqual(2 * compressed.length);
    }
  },
);

test('first bytes tell how a piece was compressed: brotli never begins like gzip or zstd', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 5_000 }), async (some, times) => {
      const raw = new Uint8Array(some.length * times).map((_, i) => some[i % some.length] ?? 0);
      const compressed = await compressPieceWell(aPiece(raw));
      expect((compressed[0] ?? 0) & 0b1111).toBe(0b0111);
      expect(Buffer.compare(decompressPiece(compressed, raw.length), raw)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('no piece gives more than it is said to hold', async () => {
  const raw = text(44 * 1000);
  for (const compressed of [compressPiece(raw), await compressPieceWell(aPiece(raw)), new Uint8Array(gzipSync(raw))]) {
    expect(() => decompressPiece(compressed, raw.length - 1)).toThrow(RangeError);
    expect(() => decompressPiece(compressed.subarray(0, -5), raw.length)).toThrow(Error);
  }
});

test('what is compressed well does not hold up others', async () => {
  const raw = text(4_400_000);
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  await compressPieceWell(aPiece(raw));
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(0);
});
