import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextCutter } from '../src/core/text-cutter.ts';

function piecesOf(text: string, pieceBytesMax: number): Uint8Array[] {
  const cutter = new TextCutter(text, pieceBytesMax);
  const pieces: Uint8Array[] = [];
  while (!cutter.isDone) pieces.push(cutter.next());
  return pieces;
}

describe('a text in pieces', () => {
  test('[RC35] is the text in UTF-8 when they are put together; each piece is within its bound and text by itself', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 200 });
    fc.assert(
      fc.property(anyText, fc.integer({ min: 4, max: 60 }), (text, pieceBytesMax) => {
        const pieces = piecesOf(text, pieceBytesMax);
        expect(Buffer.concat(pieces).toString()).toBe(text);
        for (const piece of pieces) {
          expect(piece.length).toBeGreaterThan(0);
          expect(piece.length).toBeLessThanOrEqual(pieceBytesMax);
          expect(new TextDecoder('utf-8', { fatal: true }).decode(piece)).toBeDefined();
        }
        // As few as characters allow.
        for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeGreaterThan(pieceBytesMax - 4);
      }),
    );
  });

  test('[RC35] is one piece where it fits', () => {
    expect(piecesOf('abc', 4)).toHaveLength(1);
    expect(piecesOf('abcd', 4)).toHaveLength(1);
    expect(piecesOf('abcde', 4)).toHaveLength(2);
    expect(piecesOf('', 4)).toEqual([]);
  });

  test('[RC35] half a character pair, which JSON escapes, becomes a replacement character and stops nothing', () => {
    expect(Buffer.concat(piecesOf('a\ud800', 4)).toString()).toBe('a\ufffd');
    expect(Buffer.concat(piecesOf('abc\ud800def', 4)).toString()).toBe('abc\ufffddef');
  });
});
