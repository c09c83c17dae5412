import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { openS3Blocks, type S3BlocksOptions } from '@playhead/blocks-s3';
import type { StartedS3 } from '@playhead/containers';
import { noContainers, startS3 } from '@playhead/containers';
import type { BlockStore } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { blockStoreContract } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { namesBelowLocalhost } from './names-below-localhost.ts';

const MIB = 1024 * 1024;

describe.runIf(noContainers === '')(`a block store on a real S3 server ${noContainers && `(${noContainers})`}`, () => {
  let s3: StartedS3;
  beforeAll(async () => {
    s3 = await startS3();
  }, 180_000);
  afterAll(() => s3.stop());

  function optionsFor(bucket: string, more: Partial<S3BlocksOptions> = {}): S3BlocksOptions {
    const { endpoint, region, accessKeyId, secretAccessKey } = s3;
    return { endpoint, region, credentials: { accessKeyId, secretAccessKey }, bucket, ...more };
  }

  /** The name of a bucket that is not there. */
  function freshBucket(): string {
    return `bucket-${randomUUID()}`;
  }

  async function freshStore(more: Partial<S3BlocksOptions> = {}): Promise<BlockStore> {
    const blocks = await openS3Blocks(optionsFor(freshBucket(), more));
    onTestFinished(() => blocks.close());
    return blocks;
  }

  blockStoreContract('openS3Blocks', async () => {
    const bucket = freshBucket();
    const open = () => openS3Blocks(optionsFor(bucket));
    return { blocks: await open(), reopen: open };
  });

  blockStoreContract('openS3Blocks below a prefix, in a bucket with others', async () => {
    const bucket = freshBucket();
    const [before, after, outer] = await Promise.all(
      ['some/prefiw', 'some/prefix-and', 'some'].map((prefix) => openS3Blocks(optionsFor(bucket, { prefix }))),
    );
    for (const other of [before, after, outer]) {
      await other?.put('a', [Uint8Array.of(1)]);
      await other?.close();
    }
    const open = () => openS3Blocks(optionsFor(bucket, { prefix: 'some/prefix' }));
    return { blocks: await open(), reopen: open };
  });

  test('BS1 BS3 an object in parts is read back byte for byte, also in ranges across parts', async () => {
    const blocks = await freshStore();
    const bytes = patterned(40 * MIB + 123);
    expect(await blocks.put('large/object', [bytes])).toBe('created');
    expect(await blocks.size('large/object')).toBe(bytes.length);
    expect(Buffer.compare(await blocks.get('large/object'), bytes)).toBe(0);
    const offset = 16 * MIB - 10;
    expect(Buffer.compare(await blocks.get('large/object', { offset, length: 20 }), bytes.subarray(offset, offset + 20))).toBe(0);
    const past = { offset: bytes.length - 1, length: 2 };
    await expect(blocks.get('large/object', past)).rejects.toMatchObject({ code: 'range_not_satisfiable' });
    expect(await blocks.put('large/object', [patterned(17 * MIB)])).toBe('exists');
    expect(await blocks.put('large/object', [patterned(1)])).toBe('exists');
    expect(await blocks.size('large/object')).toBe(bytes.length);
  });

  test('BS2 of racing puts in parts and in one piece exactly one answers `created`, and its bytes are there', async () => {
    const blocks = await freshStore({ partBytes: 5 * MIB });
    for (let round = 0; round < 4; round++) {
      const contents = [6 * MIB, 1_000, 7 * MIB, 2_000, 8 * MIB, 3_000].map((length) => patterned(length + round));
      const answers = await Promise.all(contents.map((bytes) => blocks.put(`race/${round}`, [bytes])));
      expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
      const winner = contents[answers.indexOf('created')] ?? new Uint8Array();
      expect(Buffer.compare(await blocks.get(`race/${round}`), winner)).toBe(0);
    }
  });

  test('BS2 of racing puts through many stores exactly one answers `created`', async () => {
    const bucket = freshBucket();
    const stores = await Promise.all(Array.from({ length: 6 }, () => openS3Blocks(optionsFor(bucket))));
    onTestFinished(async () => void (await Promise.all(stores.map((blocks) => blocks.close()))));
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        stores.flatMap((blocks, i) => [blocks.put(`r/${round}`, [Uint8Array.of(i)]), blocks.put(`r/${round}`, [Uint8Array.of(i)])]),
      );
      expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
      expect(await stores[0]?.get(`r/${round}`)).toEqual(Uint8Array.of(Math.floor(answers.indexOf('created') / 2)));
    }
  });

  test('BS5 `list` goes on over pages in order of key, among folders too', async () => {
    const blocks = await freshStore({ prefix: 'p' });
    const keys = Array.from({ length: 2_300 }, (_, i) => `many${'-./_'[i % 4]}${i % 7}/${String(i % 3 === 0 ? i : 9_999 - i)}`);
    for (let i = 0; i < keys.length; i += 50) await Promise.all(keys.slice(i, i + 50).map((key) => blocks.put(key, [Uint8Array.of(1)])));
    const listed: string[] = [];
    for await (const { key } of blocks.list('many')) listed.push(key);
    expect(listed).toEqual(keys.toSorted());
  }, 120_000);

  test('a server that stands still makes every call fail with unavailable in time; afterwards they succeed', async () => {
    const blocks = await freshStore({ attemptTimeoutMs: 400, requestTimeoutMs: 1_000, attempts: 2 });
    await blocks.put('before', [Uint8Array.of(1, 2, 3)]);
    onTestFinished(() => s3.unpause());
    await s3.pause();
    const calls: readonly (() => Promise<unknown>)[] = [
      () => blocks.put('during', [Uint8Array.of(4)]),
      () => blocks.get('before'),
      () => blocks.size('before'),
      () => blocks.delete('before'),
      async () => {
        for await (const object of blocks.list('')) expect(object).toBeUndefined();
      },
      () => openS3Blocks(optionsFor('bucket', { attemptTimeoutMs: 400, requestTimeoutMs: 1_000 })),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await s3.unpause();
    // What was sent meanwhile may take effect now, or not: the port says that repeating is safe.
    expect(['created', 'exists']).toContain(await blocks.put('during', [Uint8Array.of(4)]));
    expect(await blocks.get('during')).toEqual(Uint8Array.of(4));
    expect(await blocks.put('after', [Uint8Array.of(5)])).toBe('created');
  });

  test('a server that stands still for less than a put’s patience costs nothing: its answer says who wrote', async () => {
    const blocks = await freshStore({ attemptTimeoutMs: 1_000, requestTimeoutMs: 60_000, attempts: 50 });
    onTestFinished(() => s3.unpause());
    await s3.pause();
    const puts = Promise.allSettled([6, 7, 8].map((byte) => blocks.put(`patient/${byte}`, [Uint8Array.of(byte)])));
    // Longer than an attempt: each put is under way twice or more when the server goes on.
    await setTimeout(2_500);
    await s3.unpause();
    expect(await puts).toEqual([6, 7, 8].map(() => ({ status: 'fulfilled', value: 'created' })));
    expect(await blocks.get('patient/6')).toEqual(Uint8Array.of(6));
  });

  test.each([
    ['in one piece', 64 * MIB],
    ['in parts', 5 * MIB],
  ])('BS7 an object whose put %s was cut at any moment is whole or absent', async (_, partBytes) => {
    const bucket = freshBucket();
    const reader = await openS3Blocks(optionsFor(bucket));
    onTestFinished(() => reader.close());
    const bytes = patterned(24 * MIB);
    const outcomes = new Set<unknown>();
    for (const afterMs of [0, 5, 20, 50, 100, 200, 400, 5_000]) {
      const key = `cut/after-${afterMs}`;
      const writer = await openS3Blocks(optionsFor(bucket, { partBytes }));
      const put = writer.put(key, [bytes]).catch((error: unknown) => (error instanceof PlayheadError ? error.code : error));
      await Promise.race([put, setTimeout(afterMs)]);
      await writer.close();
      const outcome = await put;
      expect(['created', 'unavailable']).toContain(outcome);
      outcomes.add(outcome);
      // Whole already, or else written now: never anything else.
      const sizes = outcome === 'created' ? [bytes.length] : [null, bytes.length];
      expect(sizes).toContain(await reader.size(key));
      expect(['created', 'exists']).toContain(await reader.put(key, [bytes]));
      expect(Buffer.compare(await reader.get(key), bytes)).toBe(0);
    }
    expect(outcomes.has('unavailable')).toBe(true);
  });

  test('opening a bucket that is not there makes it, also when many open it at once', async () => {
    for (let round = 0; round < 10; round++) {
      const bucket = freshBucket();
      const stores = await Promise.all(Array.from({ length: 4 }, () => openS3Blocks(optionsFor(bucket))));
      const answers = await Promise.all(stores.map((blocks) => blocks.put('key', [Uint8Array.of(round)])));
      expect(answers.toSorted()).toEqual(['created', 'exists', 'exists', 'exists']);
      await Promise.all(stores.map((blocks) => blocks.close()));
    }
  });

  test('opening without the right to make the bucket, or to use it, fails with unavailable and what to do', async () => {
    const user = { accessKeyId: `user-${randomUUID()}`, secretAccessKey: 'secret' };
    await s3.createUser(user.accessKeyId, user.secretAccessKey);
    const bucket = freshBucket();
    const theirs = optionsFor(bucket, { credentials: user });
    const refused = (message: RegExp) => ({
      code: 'unavailable',
      message: expect.stringMatching(message),
      details: { bucket, s3: 'AccessDenied' },
    });
    await expect(openS3Blocks(theirs)).rejects.toMatchObject(refused(/is not there and may not be made: make it by hand/));
    const ours = await openS3Blocks(optionsFor(bucket));
    await ours.close();
    await expect(openS3Blocks(theirs)).rejects.toMatchObject(refused(/may not be used: choose another name/));
  });

  test('a bucket that is named in the host is made, written and read', async () => {
    namesBelowLocalhost();
    const bucket = freshBucket();
    const endpoint = `http://s3.localhost:${new URL(s3.endpoint).port}`;
    const byHost = await openS3Blocks(optionsFor(bucket, { endpoint, pathStyle: false }));
    const bytes = patterned(17 * MIB);
    expect(await byHost.put('in/parts', [bytes])).toBe('created');
    expect(await byHost.put('in/parts', [bytes])).toBe('exists');
    expect(await byHost.get('in/parts', { offset: 16 * MIB, length: 9 })).toEqual(bytes.slice(16 * MIB, 16 * MIB + 9));
    const byPath = await openS3Blocks(optionsFor(bucket));
    const listed: unknown[] = [];
    for await (const object of byPath.list('')) listed.push(object);
    expect(listed).toEqual([{ key: 'in/parts', bytes: bytes.length }]);
    await byHost.delete('in/parts');
    expect(await byPath.size('in/parts')).toBeNull();
    await Promise.all([byHost.close(), byPath.close()]);
  });

  test('opening fails with unavailable and the reason when credentials or server are not there, or no bucket to read', async () => {
    const bucket = freshBucket();
    await (await openS3Blocks(optionsFor(bucket))).close();
    const wrong = { credentials: { accessKeyId: 'playhead', secretAccessKey: 'wrong' } };
    const cases = [
      { options: optionsFor('no-such-bucket', { readOnly: true }), s3: 'NoSuchBucket' },
      { options: optionsFor(bucket, wrong), s3: 'SignatureDoesNotMatch' },
      { options: optionsFor(bucket, { ...wrong, readOnly: true }), s3: 'SignatureDoesNotMatch' },
      { options: optionsFor(bucket, { endpoint: 'http://127.0.0.1:9' }), s3: 'ECONNREFUSED' },
    ];
    for (const { options, s3 } of cases) {
      await expect(openS3Blocks(options)).rejects.toMatchObject({ code: 'unavailable', details: { s3 } });
    }
  });

  test('opening for reading writes nothing', async () => {
    const bucket = freshBucket();
    await (await openS3Blocks(optionsFor(bucket, { prefix: 'other' }))).close();
    const reading = await openS3Blocks(optionsFor(bucket, { readOnly: true }));
    expect((await s3.container.exec(['ls', `/data/${bucket}`])).output.trim()).toBe('other');
    const writing = await openS3Blocks(optionsFor(bucket));
    await writing.put('key', [Uint8Array.of(1)]);
    expect(await reading.get('key')).toEqual(Uint8Array.of(1));
    await Promise.all([reading.close(), writing.close()]);
  });

  test('a key that is a folder of another is refused where the server keeps objects as files', async () => {
    const blocks = await freshStore();
    await blocks.put('a/b', [Uint8Array.of(1)]);
    await expect(blocks.put('a', [Uint8Array.of(2)])).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(blocks.put('a/b/c', [Uint8Array.of(2)])).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await blocks.get('a/b')).toEqual(Uint8Array.of(1));
  });

  test('closing fails what comes after it with unavailable', async () => {
    const blocks = await freshStore();
    await blocks.close();
    await blocks.close();
    await expect(blocks.put('key', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(blocks.get('key')).rejects.toMatchObject({ code: 'unavailable' });
  });
});

function patterned(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}
