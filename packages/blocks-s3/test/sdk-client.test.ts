import { openS3Blocks, type S3BlocksOptions } from '@playhead/blocks-s3';
import type { BlockStore } from '@playhead/ports';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { sdkClient } from '../src/sdk-client.ts';
import { clientSettingsOf } from '../src/settings.ts';
import { namesBelowLocalhost } from './names-below-localhost.ts';
import type { Fate, SmallS3 } from './small-s3.ts';
import { smallS3 } from './small-s3.ts';

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
const BUSY = { status: 503, code: 'SlowDown' };

/** An opened store, its server, and requests counted from here on. */
async function opened(more: Partial<S3BlocksOptions> = {}): Promise<{ blocks: BlockStore; server: SmallS3; since: () => string[] }> {
  const server = await smallS3();
  onTestFinished(() => server.stop());
  const blocks = await openS3Blocks({ bucket: 'bucket', endpoint: server.endpoint, credentials, ...more });
  onTestFinished(() => blocks.close());
  const before = server.requests.length;
  return { blocks, server, since: () => server.requests.slice(before).map(({ method, url }) => `${method} ${url.split('?', 1)[0]}`) };
}

describe('a request', () => {
  test('is conditional, signed, and has a checksum and its put’s mark', async () => {
    const { blocks, server } = await opened({ prefix: 'some/where' });
    await blocks.put('a/key', [Uint8Array.of(1, 2, 3)]);
    const { url, headers } = server.requests.at(-1) ?? {};
    expect(url).toMatch(/^\/bucket\/some\/where\/a\/key(\?|$)/);
    expect(headers).toMatchObject({
      'if-none-match': '*',
      'x-amz-checksum-crc32': 'VbyAHQ==',
      'x-amz-meta-playhead-put': expect.stringMatching(/^[0-9a-f-]{36}$/),
      authorization: expect.stringContaining('/us-east-1/s3/aws4_request'),
    });
  });

  test('takes the region', async () => {
    const { server } = await opened({ region: 'eu-north-1' });
    expect(server.requests.at(-1)?.headers.authorization).toContain('/eu-north-1/s3/aws4_request');
  });

  test('names the bucket in the host where paths are off, and in the path otherwise', async () => {
    namesBelowLocalhost();
    const server = await smallS3();
    onTestFinished(() => server.stop());
    const port = new URL(server.endpoint).port;
    const there = { bucket: 'its-bucket', endpoint: `http://s3.localhost:${port}`, credentials };
    const byHost = await openS3Blocks({ ...there, pathStyle: false });
    expect(await byHost.put('a/key', [Uint8Array.of(1)])).toBe('created');
    expect(new Set(server.requests.map(({ headers }) => headers.host))).toEqual(new Set([`its-bucket.s3.localhost:${port}`]));
    expect(server.requests.at(-1)?.url).toMatch(/^\/a\/key(\?|$)/);
    const byPath = await openS3Blocks(there);
    expect(await byPath.get('a/key')).toEqual(Uint8Array.of(1));
    expect(server.requests.at(-1)?.headers.host).toBe(`s3.localhost:${port}`);
    await Promise.all([byHost.close(), byPath.close()]);
  });

  test('waits for one of the connections, also with a large body', async () => {
    const { blocks, server } = await opened({ socketsMax: 2 });
    const bytes = new Uint8Array(3_000_000);
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => blocks.put(`key-${i}`, [bytes])));
    expect(answers).toEqual(Array.from({ length: 8 }, () => 'created'));
    expect(server.connections()).toBe(2);
  });
});

describe('a request that fails', () => {
  test.each<[string, Fate]>([
    ['an error of the server', { status: 500, code: 'InternalError' }],
    ['throttling', BUSY],
    ['silence', 'stall'],
    ['a lost answer', 'lose the answer'],
  ])('by %s is repeated', async (_, fate) => {
    const { blocks, server, since } = await opened({ attemptTimeoutMs: 300 });
    server.fates.push(fate, fate);
    expect(await blocks.size('key')).toBeNull();
    expect(since()).toEqual(['HEAD /bucket/key', 'HEAD /bucket/key', 'HEAD /bucket/key']);
  });

  test('again and again fails with unavailable after as many attempts as were allowed', async () => {
    const { blocks, server, since } = await opened({ attempts: 2 });
    server.fates.push(BUSY, BUSY, BUSY);
    await expect(blocks.put('key', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'unavailable', details: { s3: 'SlowDown' } });
    expect(since()).toHaveLength(2);
  });

  test('because it is refused is not repeated', async () => {
    const { blocks, server, since } = await opened();
    server.fates.push({ status: 403, code: 'AccessDenied' });
    await expect(blocks.get('key')).rejects.toMatchObject({ code: 'unavailable', details: { s3: 'AccessDenied' } });
    expect(since()).toHaveLength(1);
  });

  test('BS2 after its effect: the put that is repeated finds its own object and has created it', async () => {
    const { blocks, server, since } = await opened();
    server.fates.push('lose the answer');
    expect(await blocks.put('key', [Uint8Array.of(1)])).toBe('created');
    expect(since()).toEqual(['PUT /bucket/key', 'PUT /bucket/key', 'HEAD /bucket/key']);
    expect(await blocks.put('key', [Uint8Array.of(1)])).toBe('exists');
  });

  test('BS2 after its effect and is not repeated leaves its outcome open; repeating answers `exists`', async () => {
    const { blocks, server } = await opened({ attempts: 1 });
    server.fates.push('lose the answer');
    await expect(blocks.put('key', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'unavailable' });
    expect(await blocks.put('key', [Uint8Array.of(1)])).toBe('exists');
  });

  test('by conflicts is repeated by the store', async () => {
    const { blocks, server, since } = await opened();
    server.fates.push({ status: 409, code: 'ConditionalRequestConflict' }, { status: 409, code: 'ConditionalRequestConflict' });
    expect(await blocks.put('key', [Uint8Array.of(1)])).toBe('created');
    expect(since()).toHaveLength(3);
  });
});

describe('checksums', () => {
  test('BS7 go with each part of an object', async () => {
    const { server } = await opened();
    const client = sdkClient('bucket', clientSettingsOf({ bucket: 'bucket', endpoint: server.endpoint, credentials }));
    onTestFinished(() => client.close());
    await client.putPart('key', 'upload', 1, Uint8Array.of(1, 2, 3));
    expect(server.requests.at(-1)?.headers['x-amz-checksum-crc32']).toBe('VbyAHQ==');
  });

  test('BS1 of an answer are looked at: one with another byte is asked for again', async () => {
    const { blocks, server, since } = await opened();
    await blocks.put('key', [Uint8Array.of(1, 2, 3)]);
    server.fates.push('damage', 'damage');
    expect(await blocks.get('key')).toEqual(Uint8Array.of(1, 2, 3));
    expect(since()).toHaveLength(4);
  });

  test('tell an answer that is damaged from one that was cut', async () => {
    const { blocks, server } = await opened();
    await blocks.put('key', [new Uint8Array(100_000).fill(7)]);
    const client = sdkClient('bucket', clientSettingsOf({ bucket: 'bucket', endpoint: server.endpoint, credentials }));
    onTestFinished(() => client.close());
    server.fates.push('damage', 'cut');
    await expect(client.get('key')).rejects.toMatchObject({ name: 'S3Fault', kind: 'damaged' });
    await expect(client.get('key')).rejects.toMatchObject({ name: 'S3Fault', kind: 'cut' });
  });

  test('BS1 BS7 cannot be turned off by the environment', async () => {
    vi.stubEnv('AWS_REQUEST_CHECKSUM_CALCULATION', 'WHEN_REQUIRED');
    vi.stubEnv('AWS_RESPONSE_CHECKSUM_VALIDATION', 'WHEN_REQUIRED');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { blocks, server } = await opened();
    await blocks.put('key', [Uint8Array.of(1, 2, 3)]);
    expect(server.requests.at(-1)?.headers['x-amz-checksum-crc32']).toBe('VbyAHQ==');
    await blocks.get('key');
    expect(server.requests.at(-1)?.headers['x-amz-checksum-mode']).toBe('ENABLED');
  });
});

describe('an answer', () => {
  test('BS1 that is cut is asked for again', async () => {
    const { blocks, server, since } = await opened();
    await blocks.put('key', [new Uint8Array(100_000).fill(7)]);
    server.fates.push('cut', 'cut');
    expect(await blocks.get('key')).toEqual(new Uint8Array(100_000).fill(7));
    expect(since()).toHaveLength(4);
  });

  test('that stops half way fails with unavailable in time', async () => {
    const { blocks, server } = await opened({ requestTimeoutMs: 400 });
    await blocks.put('key', [new Uint8Array(100_000)]);
    server.fates.push('stop half way');
    await expect(blocks.get('key')).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('that stops half way is asked for again after an attempt’s time', async () => {
    const { blocks, server } = await opened({ attemptTimeoutMs: 400 });
    await blocks.put('key', [new Uint8Array(100_000).fill(7)]);
    server.fates.push('stop half way');
    expect(await blocks.get('key')).toEqual(new Uint8Array(100_000).fill(7));
  });

  test('that never comes fails with unavailable in time, whatever attempts are left', async () => {
    const { blocks, server, since } = await opened({ requestTimeoutMs: 500, attemptTimeoutMs: 10_000, attempts: 100 });
    server.fates.push('stall');
    await expect(blocks.put('key', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'unavailable' });
    expect(since()).toHaveLength(1);
  });

  test('that has not come when the store is closed fails with unavailable, and is not asked for again', async () => {
    const { blocks, server, since } = await opened();
    server.fates.push('stall');
    const put = blocks.put('key', [Uint8Array.of(1)]).catch((error: unknown) => error);
    await expect.poll(since).toHaveLength(1);
    await blocks.close();
    expect(await put).toMatchObject({ code: 'unavailable' });
    expect(since()).toHaveLength(1);
  });
});

describe('opening', () => {
  test.each<[string, Partial<S3BlocksOptions>]>([
    ['no bucket', { bucket: '' }],
    ['a prefix that climbs', { prefix: '../other' }],
    ['a prefix with a slash too many', { prefix: 'a/' }],
    ['a prefix that leaves no room for keys', { prefix: `${'x'.repeat(250)}/${'y'.repeat(250)}` }],
    ['parts below S3’s minimum', { partBytes: 5 * 1024 * 1024 - 1 }],
    ['parts of no size', { partBytes: Number.NaN }],
  ])('refuses %s', async (_, options) => {
    await expect(openS3Blocks({ bucket: 'bucket', endpoint: 'http://127.0.0.1:9', credentials, ...options })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  test.each([
    ['us-east-1', ''],
    ['eu-north-1', '<LocationConstraint>eu-north-1</LocationConstraint>'],
  ])('makes a bucket that is not there, in %s', async (region, constraint) => {
    const server = await smallS3();
    onTestFinished(() => server.stop());
    const open = () => openS3Blocks({ bucket: 'its-bucket', endpoint: server.endpoint, credentials, region });
    await (await open()).close();
    const made = server.requests.filter(({ url }) => /^\/its-bucket\/?(\?|$)/.test(url));
    expect(made.map(({ method }) => method)).toEqual(['PUT']);
    const body = String(made[0]?.body);
    expect(/<LocationConstraint>.*<\/LocationConstraint>/.exec(body)?.[0] ?? body).toBe(constraint);
    const before = server.requests.length;
    await (await open()).close();
    expect(server.requests.slice(before).map(({ method, url }) => `${method} ${url.split('?', 1)[0]}`)).toEqual([
      'PUT /its-bucket/~playhead',
    ]);
  });

  test('makes a bucket whose making was answered by nobody', async () => {
    const server = await smallS3();
    onTestFinished(() => server.stop());
    server.fates.push('serve', 'lose the answer');
    const blocks = await openS3Blocks({ bucket: 'its-bucket', endpoint: server.endpoint, credentials });
    expect(await blocks.put('key', [Uint8Array.of(1)])).toBe('created');
    await blocks.close();
  });

  test('for reading only makes no bucket', async () => {
    const server = await smallS3();
    onTestFinished(() => server.stop());
    const options = { bucket: 'its-bucket', endpoint: server.endpoint, credentials, readOnly: true };
    await expect(openS3Blocks(options)).rejects.toMatchObject({ code: 'unavailable', details: { s3: 'NoSuchBucket' } });
    expect(server.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  test('fails with unavailable where nothing listens', async () => {
    const server = await smallS3();
    await server.stop();
    await expect(openS3Blocks({ bucket: 'bucket', endpoint: server.endpoint, credentials })).rejects.toMatchObject({
      code: 'unavailable',
      details: { s3: 'ECONNREFUSED' },
    });
  });
});
