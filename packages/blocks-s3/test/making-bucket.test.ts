import { describe, expect, test } from 'vitest';
import { makingBucket } from '../src/making-bucket.ts';
import type { S3FaultKind } from '../src/s3-client.ts';
import { S3Fault } from '../src/s3-client.ts';
import type { FakeClient } from './fake-client.ts';
import { fakeClient } from './fake-client.ts';

/** S3 without the bucket. */
function empty(): FakeClient {
  const client = fakeClient();
  client.hasBucket = false;
  return client;
}

/** Puts an object in the bucket, which is made when it is not there; answers after how many tries it paused. */
async function putIn(client: FakeClient): Promise<number[]> {
  const pauses: number[] = [];
  const pause = async (tries: number) => void pauses.push(tries);
  await makingBucket(client, () => client.put('name', new Uint8Array(), 'mark'), pause);
  return pauses;
}

const fault = (kind: S3FaultKind, reason: string) => new S3Fault(kind, reason, { message: 'as the test wants' });
const taken = () => fault('taken', 'BucketAlreadyExists');

describe('a bucket', () => {
  test('that is there is used, and nothing is made', async () => {
    const client = fakeClient();
    await putIn(client);
    expect(client.calls).toEqual(['put name']);
  });

  test('that is not there is made, and asked again at once', async () => {
    const client = empty();
    expect(await putIn(client)).toEqual([]);
    expect(client.calls).toEqual(['put name', 'create bucket', 'put name']);
  });

  test.each<[S3FaultKind, string]>([
    ['taken', 'BucketAlreadyExists'],
    ['conflict', 'OperationAborted'],
  ])('that somebody else is making (%s) is used as soon as it is there', async (kind, reason) => {
    const client = empty();
    let left = 3;
    client.before = (call) => {
      if (call !== 'create bucket') return;
      client.hasBucket = --left === 0;
      throw fault(kind, reason);
    };
    expect(await putIn(client)).toEqual([1, 2]);
    expect(client.objects.size).toBe(1);
  });

  test('that was made and is not ready at once is asked again', async () => {
    const client = empty();
    let unready = 2;
    client.after = (call) => {
      if (call === 'create bucket' && unready-- > 0) client.hasBucket = false;
    };
    expect(await putIn(client)).toEqual([1, 2]);
  });

  test('that refuses everybody until its maker is done is asked again', async () => {
    const client = empty();
    let refusals = 2;
    client.before = (call) => {
      if (call === 'create bucket') {
        client.hasBucket = true;
        throw taken();
      }
      if (client.hasBucket && refusals-- > 0) throw fault('refused', 'AccessDenied');
    };
    expect(await putIn(client)).toEqual([1, 2]);
  });

  test.each(['AccessDenied', 'InvalidBucketName'])('that may not be made (%s) fails with what to do', async (reason) => {
    const client = empty();
    client.before = (call) => {
      if (call === 'create bucket') throw fault('refused', reason);
    };
    await expect(putIn(client)).rejects.toMatchObject({
      code: 'unavailable',
      message: `the bucket bucket of the block store is not there and may not be made: make it by hand, or give these credentials the right s3:CreateBucket (${reason}: as the test wants)`,
      details: { bucket: 'bucket', s3: reason },
    });
    expect(client.calls).toEqual(['put name', 'create bucket']);
  });

  test('that is there and may not be used fails with what to do, and nothing is made', async () => {
    const client = fakeClient();
    client.before = () => {
      throw fault('refused', 'AccessDenied');
    };
    await expect(putIn(client)).rejects.toThrow(
      /^the bucket bucket of the block store may not be used: choose another name when .* \(AccessDenied: as the test wants\)$/,
    );
    expect(client.calls).toEqual(['put name']);
  });

  test.each([true, false])('whose name is taken (and is seen: %s) fails with what to do, after five tries', async (isSeen) => {
    const client = empty();
    client.before = (call) => {
      if (call === 'create bucket') throw taken();
      if (isSeen && client.calls.length > 1) throw fault('refused', 'AccessDenied');
    };
    await expect(putIn(client)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/may not be used: choose another name .* \(BucketAlreadyExists: /),
      details: { bucket: 'bucket', s3: 'BucketAlreadyExists' },
    });
    expect(client.calls.filter((call) => call === 'put name')).toHaveLength(5);
  });

  test('that is in conflict for ever, or never there, fails after five tries with what was met', async () => {
    const inConflict = empty();
    inConflict.before = (call) => {
      if (call === 'create bucket') throw fault('conflict', 'OperationAborted');
    };
    await expect(putIn(inConflict)).rejects.toMatchObject({ kind: 'conflict', reason: 'OperationAborted' });
    const never = empty();
    never.after = () => {
      never.hasBucket = false;
    };
    await expect(putIn(never)).rejects.toMatchObject({ kind: 'no_bucket' });
    for (const client of [inConflict, never]) expect(client.calls).toHaveLength(9);
  });

  test.each(['put name', 'create bucket'])('fails with what befell `%s`, when nobody knows what has happened', async (at) => {
    const client = empty();
    client.before = (call) => {
      if (call === at) throw fault('unknown', 'TimeoutError');
    };
    await expect(putIn(client)).rejects.toMatchObject({ kind: 'unknown', reason: 'TimeoutError' });
  });
});
