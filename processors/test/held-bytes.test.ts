import { expect, test } from 'vitest';
import { heldBytes } from '../src/core/held-bytes.ts';

test('views hold their buffers, each counted once', () => {
  const [one, other] = [new Uint8Array(100), new Uint8Array(30)];
  expect(heldBytes([])).toBe(0);
  expect(heldBytes([one.subarray(3, 5), other, one.subarray(90), new Uint8Array(7), other.subarray(1, 2)])).toBe(137);
});
