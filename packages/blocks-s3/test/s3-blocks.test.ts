import type { ManualClock } from '@playhead/testkit';
import { blockStoreContract, manualClock } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { S3Blocks } from '../src/s3-blocks.ts';
import type { S3FaultKind } from '../src/s3-client.ts';
import { S3Fault } from '../src/s3-client.ts';
import type { FakeClient } from './fake-client.ts';
import { fakeClient } from './fake-client.ts';

const PART_BYTES = 1_000;

function storeOver(client: FakeClient, clock: ManualClock = eagerClock()): S3Blocks {
  let marks = 0;
  const newMark = () => `mark-${++marks}`;
  return new S3Blocks({ client, prefix: 'p/', partBytes: PART_BYTES, clock, random: () => 0.5, newMark });
}

/** A clock on which every timer comes due at once. */
function eagerClock(): ManualClock {
  const clock = manualClock();
  return {
    ...clock,
    setTimer(ms, run) {
      const cancel = clock.setTimer(ms, run);
      queueMicrotask(() => clock.advance(ms));
      return cancel;
    },
  };
}

/** Throws the faults one after the other at calls that begin so, then nothing more. */
function failing(call: string, ...faults: readonly S3Fault[]): (made: string) => void {
  const left = [...faults];
  return (made) => {
    const fault = made.startsWith(call) ? left.shift() : undefined;
    if (fault) throw fault;
  };
}

const conflict = () => new S3Fault('conflict', 'ConditionalRequestConflict');
const lost = (attempts = 3) => new S3Fault('unknown', 'TimeoutError', { attempts });

blockStoreContract('S3Blocks over S3 in memory, nearly everything in parts', async () => ({ blocks: storeOver(fakeClient()) }));

describe('a put', () => {
  test('BS2 that meets another under way is repeated, with pauses that grow', async () => {
    const client = fakeClient();
    const clock = manualClock();
    client.before = failing('put', conflict(), conflict());
    const put = storeOver(client, clock).put('key', [Uint8Array.of(1)]);
    const begunAtMs = clock.now();
    const pauses: number[] = [];
    for (const tries of [1, 2]) {
      await expect.poll(() => clock.waiting).toBe(1);
      expect(client.calls).toHaveLength(tries);
      let ms = 0;
      for (; clock.waiting === 1; ms++) clock.advance(1);
      pauses.push(ms);
    }
    expect(await put).toBe('created');
    expect(pauses).toEqual([50, 100]);
    expect(clock.now()).toBe(begunAtMs + 150);
  });

  test('BS2 that meets others for ever fails with unavailable', async () => {
    const client = fakeClient();
    client.before = failing('put', ...Array.from({ length: 100 }, conflict));
    await expect(storeOver(client).put('key', [Uint8Array.of(1)])).rejects.toMatchObject({
      code: 'unavailable',
      details: { key: 'key', s3: 'ConditionalRequestConflict' },
    });
    expect(client.calls).toHaveLength(5);
  });

  test.each([1, 2_500])('BS2 of %i bytes whose outcome is not known fails with unavailable, and can be repeated', async (length) => {
    const before = fakeClient();
    before.before = failing(length > PART_BYTES ? 'complete' : 'put', lost());
    const never = storeOver(before);
    await expect(never.put('key', [new Uint8Array(length)])).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(await never.put('key', [new Uint8Array(length)])).toBe('created');

    const after = fakeClient();
    after.after = failing(length > PART_BYTES ? 'complete' : 'put', lost());
    const nevertheless = storeOver(after);
    await expect(nevertheless.put('key', [new Uint8Array(length)])).rejects.toMatchObject({ code: 'unavailable' });
    expect(await nevertheless.put('key', [new Uint8Array(length)])).toBe('exists');
  });

  test.each<[S3FaultKind, number]>([
    ['exists', 1],
    ['exists', 2_500],
    ['upload_gone', 2_500],
  ])('BS2 whose repeated request meets its own object (%s, %i bytes) has created it', async (kind, length) => {
    const client = fakeClient();
    client.after = failing(length > PART_BYTES ? 'complete' : 'put', new S3Fault(kind, 'met', { attempts: 2 }));
    expect(await storeOver(client).put('key', [new Uint8Array(length)])).toBe('created');
  });

  test('BS2 whose repeated request meets an object of somebody else answers `exists`', async () => {
    const client = fakeClient();
    const theirs = storeOver(client);
    await theirs.put('other', [Uint8Array.of(1)]);
    await theirs.put('key', [Uint8Array.of(1)]);
    client.before = failing('put', new S3Fault('exists', 'PreconditionFailed', { attempts: 2 }));
    expect(await storeOver(client).put('key', [Uint8Array.of(2)])).toBe('exists');
    expect(client.objects.get('p/key')?.bytes).toEqual(Uint8Array.of(1));
  });

  test('BS2 whose repeated request met an object that is gone since does not guess', async () => {
    const client = fakeClient();
    client.before = failing('put', new S3Fault('exists', 'PreconditionFailed', { attempts: 2 }));
    await expect(storeOver(client).put('key', [Uint8Array.of(2)])).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a put in parts', () => {
  const bytes = Uint8Array.from({ length: 10 * PART_BYTES + 7 }, (_, i) => i % 251);

  test('BS1 sends each part once, at most four at a time, and completes them in order', async () => {
    const client = fakeClient();
    let under = 0;
    let most = 0;
    client.before = async (call) => {
      if (!call.startsWith('part')) return;
      most = Math.max(most, ++under);
      // Later parts are faster.
      for (let turns = 20 - Number(call.split(' ')[1]); turns > 0; turns--) await Promise.resolve();
      under--;
    };
    expect(await storeOver(client).put('key', [bytes])).toBe('created');
    expect(most).toBe(4);
    expect(client.calls.filter((call) => call.startsWith('part'))).toHaveLength(11);
    expect(Buffer.compare(client.objects.get('p/key')?.bytes ?? Buffer.of(), bytes)).toBe(0);
    expect(client.uploads.size).toBe(0);
  });

  test('BS7 is aborted when a part fails, after the others have ended', async () => {
    const client = fakeClient();
    client.before = failing('part 6', lost());
    await expect(storeOver(client).put('key', [bytes])).rejects.toMatchObject({ code: 'unavailable' });
    expect(client.uploads.size).toBe(0);
    expect(client.objects.size).toBe(0);
    expect(client.calls.at(-1)).toBe('abort p/key');
    expect(client.calls.filter((call) => call.startsWith('part')).length).toBeLessThan(11);
  });

  test('BS7 tells what failed, also when it cannot be aborted', async () => {
    const client = fakeClient();
    const failures = [failing('part 2', new S3Fault('refused', 'AccessDenied')), failing('abort', lost())];
    client.before = (call) => {
      for (const fail of failures) fail(call);
    };
    await expect(storeOver(client).put('key', [bytes])).rejects.toMatchObject({ code: 'unavailable', details: { s3: 'AccessDenied' } });
    expect(client.calls.at(-1)).toBe('abort p/key');
  });

  test('BS2 is aborted when somebody was faster, and answers `exists`', async () => {
    const client = fakeClient();
    const other = storeOver(client);
    client.before = async (call) => {
      if (call === 'part 11 p/key') await other.put('key', [Uint8Array.of(1)]);
    };
    expect(await storeOver(client).put('key', [bytes])).toBe('exists');
    expect(client.uploads.size).toBe(0);
    expect(client.objects.get('p/key')?.bytes).toEqual(Uint8Array.of(1));
  });

  test('BS2 uploads nothing when the object is there', async () => {
    const client = fakeClient();
    const blocks = storeOver(client);
    await blocks.put('key', [Uint8Array.of(1)]);
    expect(await blocks.put('key', [bytes])).toBe('exists');
    expect(client.calls).toEqual(['put p/key', 'head p/key']);
  });

  test('BS2 begins a new upload when its completion meets another put under way', async () => {
    const client = fakeClient();
    client.before = failing('complete', conflict());
    const parts = [bytes.subarray(0, 999), bytes.subarray(999, 1_001), new Uint8Array(), bytes.subarray(1_001)];
    expect(await storeOver(client).put('key', parts)).toBe('created');
    expect(Buffer.compare(client.objects.get('p/key')?.bytes ?? Buffer.of(), bytes)).toBe(0);
    expect(client.calls.filter((call) => /^(begin|abort|complete)/.test(call)).map((call) => call.split(' ')[0])).toEqual([
      'begin',
      'complete',
      'abort',
      'begin',
      'complete',
    ]);
    expect(client.uploads.size).toBe(0);
  });

  test('BS7 does not abort what may still be completed', async () => {
    const client = fakeClient();
    client.before = failing('complete', lost());
    await expect(storeOver(client).put('key', [bytes])).rejects.toMatchObject({ code: 'unavailable' });
    expect(client.calls.some((call) => call.startsWith('abort'))).toBe(false);
  });
});

describe('a read', () => {
  const cut = () => new S3Fault('cut', 'ECONNRESET');

  test('BS1 whose answer was cut begins again', async () => {
    const client = fakeClient();
    const blocks = storeOver(client);
    await blocks.put('key', [Uint8Array.of(1, 2, 3)]);
    client.before = failing('get', cut(), cut());
    expect(await blocks.get('key', { offset: 1, length: 2 })).toEqual(Uint8Array.of(2, 3));
  });

  test('BS1 whose answer is cut for ever fails with unavailable', async () => {
    const client = fakeClient();
    const blocks = storeOver(client);
    await blocks.put('key', [Uint8Array.of(1, 2, 3)]);
    client.before = failing('get', ...Array.from({ length: 100 }, cut));
    await expect(blocks.get('key')).rejects.toMatchObject({ code: 'unavailable' });
    expect(client.calls.filter((call) => call.startsWith('get'))).toHaveLength(5);
  });

  test('whose object lies damaged in S3 gives it as it lies there, whole or as a range of all of it; other ranges as ever', async () => {
    const client = fakeClient();
    const lying: FakeClient = {
      ...client,
      async get(name, range) {
        const piece = await client.get(name, range);
        // S3 has a checksum of the whole only.
        if (piece.bytes.length === piece.total) throw new S3Fault('damaged', 'ChecksumMismatch');
        return piece;
      },
    };
    const blocks = storeOver(lying);
    await blocks.put('key', [Uint8Array.of(1, 2, 3)]);
    await blocks.put('one', [Uint8Array.of(1)]);
    expect(await blocks.get('key')).toEqual(Uint8Array.of(1, 2, 3));
    expect(await blocks.get('key', { offset: 0, length: 3 })).toEqual(Uint8Array.of(1, 2, 3));
    expect(await blocks.get('key', { offset: 1, length: 2 })).toEqual(Uint8Array.of(2, 3));
    await expect(blocks.get('key', { offset: 0, length: 4 })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
    await expect(blocks.get('one')).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('BS3 takes its range out of the whole when the server answers no ranges', async () => {
    const real = fakeClient();
    const client: FakeClient = { ...real, get: (name) => real.get(name) };
    const blocks = storeOver(client);
    await blocks.put('key', [Uint8Array.of(1, 2, 3, 4)]);
    expect(await blocks.get('key', { offset: 1, length: 2 })).toEqual(Uint8Array.of(2, 3));
    await expect(blocks.get('key', { offset: 3, length: 2 })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
  });

  test('BS3 refuses an answer with another range', async () => {
    const real = fakeClient();
    const shifted = { first: 2, last: 3 };
    const client: FakeClient = { ...real, get: (name) => real.get(name, shifted) };
    const blocks = storeOver(client);
    await blocks.put('key', [Uint8Array.of(1, 2, 3, 4)]);
    await expect(blocks.get('key', { offset: 1, length: 2 })).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('BS3 of a range that is none tells first whether there is an object', async () => {
    const blocks = storeOver(fakeClient());
    await blocks.put('key', [Uint8Array.of(1)]);
    for (const range of [
      { offset: -1, length: 2 },
      { offset: 0, length: 0 },
      { offset: 0.5, length: 1 },
      { offset: 0, length: Number.NaN },
    ]) {
      await expect(blocks.get('key', range)).rejects.toMatchObject({ code: 'range_not_satisfiable' });
      await expect(blocks.get('nothing', range)).rejects.toMatchObject({ code: 'not_found' });
    }
  });
});

describe('a list', () => {
  test('BS5 leaves out what is no key, and other prefixes', async () => {
    const client = fakeClient();
    const blocks = storeOver(client);
    await blocks.check(false);
    await blocks.put('key', [Uint8Array.of(1)]);
    for (const name of ['p/folder/', 'p/ä', 'p-2/key', 'p']) client.objects.set(name, { bytes: Uint8Array.of(1), mark: '' });
    const listed: string[] = [];
    for await (const { key } of blocks.list('')) listed.push(key);
    expect(listed).toEqual(['key']);
  });

  test('BS5 of a prefix that no key can have asks nobody', async () => {
    const client = fakeClient();
    for (const prefix of ['/', '../', 'a//', 'ä', 'a b', './x']) {
      for await (const object of storeOver(client).list(prefix)) expect(object).toBeUndefined();
    }
    expect(client.calls).toEqual([]);
  });

  test('BS5 that comes out of order is refused instead of passed on', async () => {
    const client = fakeClient();
    client.listPage = async (_prefix, token) =>
      token === undefined
        ? { objects: [{ name: 'p/b', bytes: 1 }], next: 'more' }
        : { objects: [{ name: 'p/a', bytes: 1 }], next: undefined };
    const listed: string[] = [];
    const listing = async () => {
      for await (const { key } of storeOver(client).list('')) listed.push(key);
    };
    await expect(listing()).rejects.toMatchObject({ code: 'internal' });
    expect(listed).toEqual(['b']);
  });
});

describe('opening', () => {
  test('refuses an S3 that overwrites', async () => {
    const client = fakeClient();
    client.put = async (name, bytes, mark) => void client.objects.set(name, { bytes, mark });
    await expect(storeOver(client).check(false)).rejects.toMatchObject({ code: 'internal' });
    await expect(storeOver(client).check(false)).rejects.toMatchObject({ code: 'internal' });
  });

  test('tries a conditional write twice in a new place, and once in a known one', async () => {
    const client = fakeClient();
    await storeOver(client).check(false);
    expect(client.calls.splice(0)).toEqual(['put p/~playhead', 'put p/~playhead']);
    await storeOver(client).check(false);
    expect(client.calls.splice(0)).toEqual(['put p/~playhead']);
    await storeOver(client).check(true);
    expect(client.calls).toEqual(['list p/~playhead']);
  });
});

test('after `close` every call fails with unavailable, and the client is closed once', async () => {
  const client = fakeClient();
  const blocks = storeOver(client);
  await blocks.close();
  await blocks.close();
  const calls = [
    () => blocks.put('key', [Uint8Array.of(1)]),
    () => blocks.get('key'),
    () => blocks.size('key'),
    () => blocks.delete('key'),
    () => blocks.list('').next(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unavailable' });
  expect(client.calls).toEqual(['close']);
});
