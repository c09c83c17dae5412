import { imageSize } from '@playhead/schemas';
import { jpegOf, manualClock } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';

describe('manualClock', () => {
  test('calls timers in order of time, each at its own time, also those set on the way', () => {
    const clock = manualClock(1_000);
    const calls: string[] = [];
    const note = (name: string) => () => void calls.push(`${name}@${clock.now()}`);
    clock.setTimer(30, note('late'));
    clock.setTimer(10, () => {
      note('early')();
      clock.setTimer(5, note('nested'));
    });
    clock.setTimer(10, note('early too'));
    const cancel = clock.setTimer(20, note('cancelled'));
    cancel();
    clock.advance(9);
    expect(calls).toEqual([]);
    clock.advance(16);
    expect(calls).toEqual(['early@1010', 'early too@1010', 'nested@1015']);
    expect([clock.now(), clock.waiting]).toEqual([1_025, 1]);
    clock.advance(1_000);
    expect(calls.at(-1)).toBe('late@1030');
    expect(clock.now()).toBe(2_025);
  });
});

describe('jpegOf', () => {
  test('gives a JPEG of the asked size and at least the asked bytes', () => {
    expect(imageSize(jpegOf({ width: 390, height: 844 }))).toEqual({ width: 390, height: 844 });
    for (const bytesMin of [1_000, 65_700, 200_000]) {
      const jpeg = jpegOf({ bytesMin });
      expect(jpeg.length).toBeGreaterThanOrEqual(bytesMin);
      expect(jpeg.length).toBeLessThan(bytesMin + 100);
      expect([...jpeg.subarray(0, 2), ...jpeg.subarray(-2)]).toEqual([0xff, 0xd8, 0xff, 0xd9]);
    }
  });

  test('numbers give different pictures, the same number the same', () => {
    const pictures = new Set(Array.from({ length: 300 }, (_, i) => jpegOf(i).toString()));
    expect(pictures.size).toBe(300);
    expect(jpegOf(5)).toEqual(jpegOf(5));
  });
});
