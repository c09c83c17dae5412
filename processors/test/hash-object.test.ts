import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hashObject } from '../src/runtime/hash-object.ts';

const MIB = 1024 * 1024;
const part = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

test.each([
  ['nothing', []],
  ['small parts', [part(3, 1), part(0, 2), part(5, 3)]],
  ['parts that end with a step', [part(4 * MIB, 1), part(4 * MIB, 2)]],
  ['parts across steps', [part(3 * MIB, 1), part(3 * MIB, 2), part(9 * MIB, 3), part(1, 4)]],
])('the hash of an object of %s is that of its parts one behind the other', async (_, parts) => {
  expect(await hashObject(parts)).toBe(createHash('sha256').update(Buffer.concat(parts)).digest('hex'));
});

test('others get their turn while a large object is hashed', async () => {
  const done = new AbortController();
  let turns = 0;
  const others = (async () => {
    for (; !done.signal.aborted; await setImmediate()) turns++;
  })();
  await hashObject(Array.from({ length: 32 }, () => part(MIB, 1)));
  done.abort();
  await others;
  expect(turns).toBeGreaterThanOrEqual(8);
});
