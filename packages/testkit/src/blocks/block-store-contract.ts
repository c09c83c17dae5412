import type { BlockStore, StoredObject } from '@playhead/ports';
import { afterEach, describe, expect, test } from 'vitest';

export interface OpenedBlockStore {
  readonly blocks: BlockStore;
  /** Where the adapter persists: opens the same store again, after the first was closed. */
  readonly reopen?: () => Promise<BlockStore>;
}

/**
 * Registers the suite of the BlockStore port (SPEC.md, BS...).
 *
 * @param factory opens a new, empty store; the suite closes it
 */
export function blockStoreContract(name: string, factory: () => Promise<OpenedBlockStore>): void {
  describe(`${name} keeps the contract of BlockStore`, () => {
    const opened: BlockStore[] = [];
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((blocks) => blocks.close()));
    });
    async function open(): Promise<OpenedBlockStore> {
      const made = await factory();
      opened.push(made.blocks);
      return made;
    }

    test('BS1 an object is read back byte for byte, also after reopening', async () => {
      const { blocks, reopen } = await open();
      const contents = [0, 1, 4_096, 3_000_001].map((length) => patterned(length));
      for (const [i, bytes] of contents.entries()) expect(await blocks.put(`some/where/${i}`, [bytes])).toBe('created');
      for (const [i, bytes] of contents.entries()) expect(equal(await blocks.get(`some/where/${i}`), bytes)).toBe(true);
      if (!reopen) return;
      await blocks.close();
      const again = await reopen();
      opened.push(again);
      for (const [i, bytes] of contents.entries()) expect(equal(await again.get(`some/where/${i}`), bytes)).toBe(true);
    });

    test('BS1 an object is its parts one behind the other, however many, however long, also empty ones and none', async () => {
      const { blocks } = await open();
      const [large, bytes] = [patterned(9_500_000), patterned(5_000)];
      const objects: readonly (readonly Uint8Array[])[] = [
        [],
        [new Uint8Array(), new Uint8Array()],
        [new Uint8Array(), bytes, new Uint8Array()],
        Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1)),
        [bytes.subarray(0, 1), large, bytes.subarray(1, 2), large.subarray(7, 6_000_000), bytes],
      ];
      for (const [i, parts] of objects.entries()) expect(await blocks.put(`in/parts/${i}`, parts)).toBe('created');
      for (const [i, parts] of objects.entries()) {
        const whole = Buffer.concat(parts);
        expect(await blocks.size(`in/parts/${i}`)).toBe(whole.length);
        expect(equal(await blocks.get(`in/parts/${i}`), whole)).toBe(true);
      }
    });

    test('BS1 the caller may reuse its buffers once the object is put, and what was read is its own', async () => {
      const { blocks } = await open();
      const bytes = patterned(100);
      await blocks.put('key', [bytes]);
      bytes.fill(0);
      const read = await blocks.get('key');
      expect(equal(read, patterned(100))).toBe(true);
      read.fill(0);
      expect(equal(await blocks.get('key'), patterned(100))).toBe(true);
    });

    test('BS2 the second put of a key answers `exists` and changes nothing', async () => {
      const { blocks } = await open();
      expect(await blocks.put('a/key', [patterned(10)])).toBe('created');
      expect(await blocks.put('a/key', [patterned(20)])).toBe('exists');
      expect(await blocks.size('a/key')).toBe(10);
      expect(equal(await blocks.get('a/key'), patterned(10))).toBe(true);
    });

    test('BS2 of racing puts exactly one answers `created`, and its bytes are there', async () => {
      const { blocks } = await open();
      for (let round = 0; round < 5; round++) {
        const key = `race/${round}`;
        const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => blocks.put(key, [patterned(1_000 + i)])));
        expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
        const winner = answers.indexOf('created');
        expect(equal(await blocks.get(key), patterned(1_000 + winner))).toBe(true);
      }
    });

    test('BS3 a range is answered exactly', async () => {
      const { blocks } = await open();
      const bytes = patterned(10_000);
      await blocks.put('key', [bytes]);
      for (const [offset, length] of [
        [0, 1],
        [0, 10_000],
        [9_999, 1],
        [123, 4_567],
      ] as const) {
        expect(equal(await blocks.get('key', { offset, length }), bytes.subarray(offset, offset + length))).toBe(true);
      }
    });

    test('BS3 a range that leaves the object fails with range_not_satisfiable', async () => {
      const { blocks } = await open();
      await blocks.put('key', [patterned(100)]);
      await blocks.put('empty', [new Uint8Array()]);
      const outside = [
        { key: 'key', offset: 100, length: 1 },
        { key: 'key', offset: 0, length: 101 },
        { key: 'key', offset: 99, length: 2 },
        { key: 'key', offset: -1, length: 2 },
        { key: 'key', offset: 0, length: 0 },
        { key: 'key', offset: 5_000, length: 10 },
        { key: 'empty', offset: 0, length: 1 },
      ];
      for (const { key, offset, length } of outside) {
        await expect(blocks.get(key, { offset, length })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
      }
    });

    test('BS4 what is not there is told as such', async () => {
      const { blocks } = await open();
      await blocks.put('there/key', [patterned(5)]);
      for (const key of ['nothing', 'there/nothing', 'not/there', 'there']) {
        await expect(blocks.get(key)).rejects.toMatchObject({ code: 'not_found' });
        await expect(blocks.get(key, { offset: 0, length: 1 })).rejects.toMatchObject({ code: 'not_found' });
        expect(await blocks.size(key)).toBeNull();
        await blocks.delete(key);
      }
      expect(await blocks.size('there/key')).toBe(5);
    });

    test('BS4 what was deleted is gone, and its key can be written again', async () => {
      const { blocks } = await open();
      await blocks.put('a/b/key', [patterned(5)]);
      await blocks.delete('a/b/key');
      expect(await blocks.size('a/b/key')).toBeNull();
      expect(await collect(blocks.list(''))).toEqual([]);
      expect(await blocks.put('a/b/key', [patterned(6)])).toBe('created');
      expect(await blocks.size('a/b/key')).toBe(6);
    });

    test('BS5 `list` yields what begins with the prefix, in order of the keys’ bytes', async () => {
      const { blocks } = await open();
      const keys = ['a', 'a-b', 'a.b', 'ab/x', 'ab/x2', 'ab-/z', 'abc', 'A/1', 'b/0/1', 'b/0-1', 'b/00', 'B', '_', '0/9'];
      for (const [i, key] of keys.entries()) await blocks.put(key, [patterned(i + 1)]);
      const expected = (prefix: string): StoredObject[] =>
        keys
          .map((key, i) => ({ key, bytes: i + 1 }))
          .filter(({ key }) => key.startsWith(prefix))
          .toSorted((a, b) => (a.key < b.key ? -1 : 1));
      for (const prefix of ['', 'a', 'ab', 'ab/', 'ab/x', 'b/0', 'b/0/', 'B', 'z', 'b/0/1/', '../', '/']) {
        expect(await collect(blocks.list(prefix))).toEqual(expected(prefix));
      }
    });

    test('BS5 `list` goes beyond a thousand objects', async () => {
      const { blocks } = await open();
      const keys = Array.from({ length: 1_050 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      for (let i = 0; i < keys.length; i += 50) {
        await Promise.all(keys.slice(i, i + 50).map((key) => blocks.put(key, [patterned(3)])));
      }
      expect((await collect(blocks.list('many/'))).map((object) => object.key)).toEqual(keys);
    });

    test('BS6 a key outside of the alphabet is refused and touches nothing', async () => {
      const { blocks } = await open();
      const bad = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../b',
        'a/./b',
        'a b',
        'ä',
        'a\\b',
        'a\0b',
        'a\n',
        'a:b',
        `${'x/'.repeat(256)}x`,
        'x'.repeat(256),
      ];
      for (const key of bad) {
        const refused = { code: 'invalid_request' };
        await expect(blocks.put(key, [patterned(1)])).rejects.toMatchObject(refused);
        await expect(blocks.get(key)).rejects.toMatchObject(refused);
        await expect(blocks.size(key)).rejects.toMatchObject(refused);
        await expect(blocks.delete(key)).rejects.toMatchObject(refused);
      }
      expect(await collect(blocks.list(''))).toEqual([]);
    });

    test('BS6 the longest key and every character of the alphabet are taken', async () => {
      const { blocks } = await open();
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-';
      const long = `${'x'.repeat(255)}/${'y'.repeat(254)}/z`;
      for (const key of [alphabet, long, '...', '.hidden', 'a/..b', '-']) {
        expect(await blocks.put(key, [patterned(9)])).toBe('created');
        expect(equal(await blocks.get(key), patterned(9))).toBe(true);
      }
    });

    test('BS7 an object is never seen half written', async () => {
      const { blocks } = await open();
      const bytes = patterned(4_000_000);
      const progress = { done: false };
      const put = blocks.put('large/object', [bytes]).finally(() => {
        progress.done = true;
      });
      while (!progress.done) {
        expect([null, bytes.length]).toContain(await blocks.size('large/object'));
        for (const object of await collect(blocks.list(''))) expect(object).toEqual({ key: 'large/object', bytes: bytes.length });
      }
      expect(await put).toBe('created');
      expect(equal(await blocks.get('large/object'), bytes)).toBe(true);
    });
  });
}

function patterned(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

async function collect(list: AsyncIterable<StoredObject>): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const object of list) objects.push(object);
  return objects;
}
