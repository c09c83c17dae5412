import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDiskBlocks } from '@playhead/blocks-disk';
import { blockStoreContract } from '@playhead/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';

async function freshPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'playhead-blocks-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

blockStoreContract('openDiskBlocks', async () => {
  const path = await freshPath();
  const open = () => openDiskBlocks({ path });
  return { blocks: await open(), reopen: open };
});

describe('openDiskBlocks', () => {
  test('makes its directory', async () => {
    const path = join(await freshPath(), 'not', 'there');
    const blocks = await openDiskBlocks({ path });
    expect(await blocks.put('a/b', [Uint8Array.of(1)])).toBe('created');
    expect(await readdir(path)).toEqual(['incoming', 'objects']);
  });

  test('a directory that is taken away is unavailable, not empty, and has everything when it is back', async () => {
    const path = await freshPath();
    const blocks = await openDiskBlocks({ path: join(path, 'blocks') });
    await blocks.put('a/b', [Uint8Array.of(1)]);
    await rename(join(path, 'blocks'), join(path, 'away'));
    const list = async (): Promise<unknown> => {
      for await (const object of blocks.list('')) return object;
      return undefined;
    };
    const calls = [
      () => blocks.get('a/b'),
      () => blocks.size('a/b'),
      () => blocks.put('a/c', [Uint8Array.of(2)]),
      () => blocks.delete('a/b'),
      list,
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unavailable' });
    await rename(join(path, 'away'), join(path, 'blocks'));
    expect(await blocks.get('a/b')).toEqual(Uint8Array.of(1));
    expect(await blocks.put('a/c', [Uint8Array.of(2)])).toBe('created');
  });

  test('BS6 no key leaves the directory of objects, however it is written', async () => {
    const path = await freshPath();
    const blocks = await openDiskBlocks({ path });
    await writeFile(join(path, 'secret'), 'secret');
    for (const key of ['../secret', 'a/../../secret', '/etc/hostname', '..%2fsecret', '..\\secret']) {
      await expect(blocks.get(key)).rejects.toMatchObject({ code: 'invalid_request' });
    }
    for await (const object of blocks.list('../')) expect(object).toBeUndefined();
  });

  test('a key that is a folder of another is refused, both ways round', async () => {
    const blocks = await openDiskBlocks({ path: await freshPath() });
    await blocks.put('a/b', [Uint8Array.of(1)]);
    await expect(blocks.put('a', [Uint8Array.of(2)])).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(blocks.put('a/b/c', [Uint8Array.of(2)])).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await blocks.get('a/b')).toEqual(Uint8Array.of(1));
  });

  test('goes on when somebody removed its folders', async () => {
    const path = await freshPath();
    const blocks = await openDiskBlocks({ path });
    await blocks.put('a/b/1', [Uint8Array.of(1)]);
    await rm(join(path, 'objects', 'a'), { recursive: true });
    expect(await blocks.put('a/b/2', [Uint8Array.of(2)])).toBe('created');
    expect(await blocks.get('a/b/2')).toEqual(Uint8Array.of(2));
  });

  test('BS7 what a dead process left half written is swept at opening; what a living one writes stays', async () => {
    const path = await freshPath();
    await mkdir(join(path, 'incoming'), { recursive: true });
    const living = `${process.ppid}.token.writing`;
    for (const name of ['garbage', `${2 ** 22 + 1}.token.left`, `${process.pid}.of-somebody-before.left`, living]) {
      await writeFile(join(path, 'incoming', name), 'half');
    }
    await openDiskBlocks({ path });
    expect(await readdir(join(path, 'incoming'))).toEqual([living]);
  });

  test('leaves nothing in `incoming`, whether a put creates, finds, or fails', async () => {
    const path = await freshPath();
    const blocks = await openDiskBlocks({ path });
    await blocks.put('a', [Uint8Array.of(1)]);
    await blocks.put('a', [Uint8Array.of(2)]);
    await blocks.put('a/b', [Uint8Array.of(3)]).catch(() => undefined);
    await Promise.all(Array.from({ length: 8 }, (_, i) => blocks.put('race', [Uint8Array.of(i)])));
    expect(await readdir(join(path, 'incoming'))).toEqual([]);
  });
});
