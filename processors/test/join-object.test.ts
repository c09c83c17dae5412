import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { joinObject } from '../src/runtime/join-object.ts';

const MIB = 1024 * 1024;
const part = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

test.each([
  ['nothing', []],
  ['small parts', [part(3, 1), part(0, 2), part(5, 3)]],
  ['parts that end with a step', [part(4 * MIB, 1), part(4 * MIB, 2)]],
  ['parts across steps', [part(3 * MIB, 1), part(3 * MIB, 2), part(9 * MIB, 3), part(1, 4)]],
])('an object of %s is its parts one behind the other, and the hash is of all of it', async (_, parts) => {
  const whole = Buffer.concat(parts);
  const { object, sha256Hex } = await joinObject(parts, whole.length);
  expect(Buffer.compare(object, whole)).toBe(0);
  expect(sha256Hex).toBe(createHash('sha256').update(whole).digest('hex'));
});

test('others get their turn while a large object is put together', async () => {
  const done = new AbortController();
  let turns = 0;
  const others = (async () => {
    for (; !done.signal.aborted; await setImmediate()) turns++;
  })();
  await joinObject(
    Array.from({ length: 32 }, () => part(MIB, 1)),
    32 * MIB,
  );
  done.abort();
  await others;
  expect(turns).toBeGreaterThanOrEqual(8);
});
