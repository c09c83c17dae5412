import { expect, test } from 'vitest';
import { compressPiece, compressPieceWell, decompressPiece } from '../src/index.ts';

/** Content size flag and single segment flag of a zstd frame's descriptor (RFC 8878, 3.1.1.1): one of them says that the size is there. */
const tellsItsSize = (frame: Uint8Array): boolean => ((frame[4] ?? 0) & 0b1110_0000) !== 0;

const text = (bytes: number): Uint8Array => new TextEncoder().encode('Everything that a page says, it says again. '.repeat(bytes / 44));

test.each([0, 44, 44 * 100, 44 * 30_000])(
  'a piece of %i bytes is compressed both ways, tells its size, and holds little else',
  async (bytes) => {
    const raw = text(bytes);
    for (const compressed of [compressPiece(raw), await compressPieceWell(raw)]) {
      expect(Buffer.compare(decompressPiece(compressed, raw.length), raw)).toBe(0);
      expect(tellsItsSize(compressed)).toBe(true);
      expect(compressed.buffer.byteLength).toBeLessThanOrEqual(2 * compressed.length);
    }
  },
);

test('what is compressed well does not hold up others', async () => {
  const raw = text(4_400_000);
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  await compressPieceWell(raw);
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(0);
});
