import type { Topic } from '@playhead/schemas';
import { TOPIC_NAMES, toOffset } from '@playhead/schemas';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundsOfKeys, decodeValue, encodeValue, keyOf, offsetOf, TOPIC_CODE } from '../src/record-layout.ts';

/** A codec that has encoded these bytes. */
const behindRoom =
  (record: Uint8Array) =>
  (roomBytes: number): Uint8Array =>
    Buffer.concat([Buffer.alloc(roomBytes), record]);

const topics = fc.constantFrom(...TOPIC_NAMES);
const partitions = fc.integer({ min: 0, max: 1023 });
const offsets = fc.maxSafeNat().map(toOffset);
const places = fc.record({ topic: topics, partition: partitions, offset: offsets });

describe('how records lie in LMDB', () => {
  test('the bytes of layout 1 stay as they are', () => {
    expect(keyOf('playhead.uploads', 258, toOffset(2 ** 40 + 5)).toString('hex')).toBe('0101020000010000000005');
    expect(encodeValue(1_750_000_000_000, 'kä', behindRoom(Uint8Array.of(9, 8))).toString('hex')).toBe('0101977420dc0000036bc3a40908');
    const codes: [Topic, number][] = [
      ['playhead.uploads', 1],
      ['playhead.flushes', 2],
      ['playhead.sessions', 3],
      ['playhead.watches', 4],
      ['playhead.rejected', 5],
      ['playhead.merges', 6],
    ];
    expect(Object.entries(TOPIC_CODE)).toEqual(codes);
  });

  test('the order of keys is the order of offsets', () => {
    fc.assert(
      fc.property(places, offsets, ({ topic, partition, offset }, other) => {
        const [key, otherKey] = [keyOf(topic, partition, offset), keyOf(topic, partition, other)];
        expect(offsetOf(key)).toBe(offset);
        expect(Math.sign(Buffer.compare(key, otherKey))).toBe(Math.sign(offset - other));
      }),
    );
  });

  test('a partition holds its own keys and no other', () => {
    fc.assert(
      fc.property(places, topics, partitions, ({ topic, partition, offset }, otherTopic, otherPartition) => {
        const key = keyOf(topic, partition, offset);
        const { before, behind } = boundsOfKeys(otherTopic, otherPartition);
        const within = Buffer.compare(before, key) < 0 && Buffer.compare(key, behind) <= 0;
        expect(within).toBe(topic === otherTopic && partition === otherPartition);
        const own = boundsOfKeys(topic, partition);
        expect(Buffer.compare(own.before, key) < 0 && Buffer.compare(key, own.behind) <= 0).toBe(true);
      }),
    );
  });

  test('a value gives back its time, key and record', () => {
    const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
    fc.assert(
      fc.property(times, fc.string({ unit: 'grapheme' }), fc.uint8Array(), (appendedAtMs, key, record) => {
        const decoded = decodeValue(encodeValue(appendedAtMs, key, behindRoom(record)));
        expect({ ...decoded, record: Uint8Array.from(decoded.record) }).toEqual({ appendedAtMs, key, record });
      }),
    );
  });

  test('damaged values are refused, never misread', () => {
    const value = encodeValue(1, 'key', behindRoom(Uint8Array.of(1)));
    for (let length = 0; length < 12; length++) expect(() => decodeValue(value.subarray(0, length))).toThrow(/log/);
    expect(() => decodeValue(Uint8Array.of(2, ...value.subarray(1)))).toThrow('layout 2');
    expect(() => encodeValue(1, 'k'.repeat(65_536), behindRoom(new Uint8Array()))).toThrow(RangeError);
  });
});
