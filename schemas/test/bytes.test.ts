import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../src/bytes.ts';

const texts = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ maxLength: 200, unit: 'binary' }),
  fc.constantFrom(126, 127, 128, 129).map((length) => 'a'.repeat(length)),
  fc.constantFrom(126, 127, 128).map((length) => `${'a'.repeat(length)}é`),
);

test('a text is its UTF-8 behind the length of that, whatever is in it, and what is written around it stays', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 8 }), fc.nat(300), (some, capacity) => {
      const writer = new ByteWriter(capacity);
      const expected = new ByteWriter();
      for (const text of some) {
        writer.text(text);
        const utf8 = Buffer.from(text, 'utf8');
        expected.varint(utf8.length);
        expected.raw(utf8);
      }
      expect(Buffer.from(writer.bytes())).toEqual(Buffer.from(expected.bytes()));
      const reader = new ByteReader(writer.bytes());
      expect(some.map(() => reader.text())).toEqual(some.map((text) => text.toWellFormed()));
      expect(reader.remaining).toBe(0);
    }),
  );
});

test('a writer that begins anew holds nothing of before', () => {
  const writer = new ByteWriter(4);
  writer.text('before');
  writer.clear();
  expect(writer.length).toBe(0);
  writer.u8(7);
  expect([...writer.bytes()]).toEqual([7]);
});
