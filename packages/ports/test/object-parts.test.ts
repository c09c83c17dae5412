import { lengthOf, runsOf } from '@playhead/ports';
import fc from 'fast-check';
import { expect, test } from 'vitest';

test('runs hold what the parts hold, in order, each of the size that was asked for but the last', () => {
  const anyParts = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
  fc.assert(
    fc.property(anyParts, fc.integer({ min: 1, max: 30 }), (parts, runBytes) => {
      const runs = [...runsOf(parts, runBytes)];
      expect(Buffer.concat(runs.flat())).toEqual(Buffer.concat(parts));
      const lengths = runs.map(lengthOf);
      expect(lengths.slice(0, -1).every((length) => length === runBytes)).toBe(true);
      expect(lengths.every((length) => length > 0 && length <= runBytes)).toBe(true);
      expect(runs.flat().every(({ length }) => length > 0)).toBe(true);
    }),
  );
});

test('nothing is copied', () => {
  const part = new Uint8Array(10);
  for (const piece of [...runsOf([part], 4)].flat()) expect(piece.buffer).toBe(part.buffer);
});
