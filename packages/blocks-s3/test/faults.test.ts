import { PlayheadError } from '@playhead/schemas';
import { describe, expect, test } from 'vitest';
import { faultOf, playheadErrorOf } from '../src/faults.ts';
import { S3Fault } from '../src/s3-client.ts';

function sdkError(name: string, httpStatusCode?: number, more: object = {}): Error {
  return Object.assign(new Error('what it says'), { name, $metadata: { httpStatusCode, attempts: 2 }, ...more });
}

describe('what the SDK throws', () => {
  test.each([
    [sdkError('PreconditionFailed', 412), 'exists', 'unavailable'],
    [sdkError('UnknownError', 412), 'exists', 'unavailable'],
    [sdkError('ConditionalRequestConflict', 409), 'conflict', 'unavailable'],
    [sdkError('OperationAborted', 409), 'conflict', 'unavailable'],
    [sdkError('NoSuchKey', 404), 'not_found', 'not_found'],
    [sdkError('NotFound', 404), 'not_found', 'not_found'],
    [sdkError('UnknownError', 404), 'not_found', 'not_found'],
    [sdkError('NoSuchBucket', 404), 'no_bucket', 'unavailable'],
    [sdkError('BucketAlreadyOwnedByYou', 409), 'exists', 'unavailable'],
    [sdkError('BucketAlreadyExists', 409), 'taken', 'unavailable'],
    [sdkError('InvalidBucketName', 400), 'refused', 'unavailable'],
    [sdkError('NoSuchUpload', 404), 'upload_gone', 'unavailable'],
    [sdkError('InvalidRange', 416), 'range', 'range_not_satisfiable'],
    [sdkError('ObjectParentIsFile', 409), 'below_an_object', 'invalid_request'],
    [sdkError('ExistingObjectIsDirectory', 409), 'below_an_object', 'invalid_request'],
    [sdkError('AccessDenied', 403), 'refused', 'unavailable'],
    [sdkError('SignatureDoesNotMatch', 403), 'refused', 'unavailable'],
    [sdkError('PermanentRedirect', 301), 'refused', 'unavailable'],
    [sdkError('BadDigest', 400), 'refused', 'unavailable'],
    [sdkError('RequestTimeout', 400), 'unknown', 'unavailable'],
    [sdkError('SlowDown', 503), 'unknown', 'unavailable'],
    [sdkError('TooManyRequests', 429), 'unknown', 'unavailable'],
    [sdkError('InternalError', 500), 'unknown', 'unavailable'],
    [sdkError('InternalError', 200), 'unknown', 'unavailable'],
    [sdkError('NotImplemented', 501), 'unknown', 'unavailable'],
    [sdkError('TimeoutError'), 'unknown', 'unavailable'],
    [sdkError('AbortError'), 'unknown', 'unavailable'],
    [sdkError('Error', undefined, { code: 'ECONNREFUSED' }), 'unknown', 'unavailable'],
    [sdkError('CredentialsProviderError'), 'unknown', 'unavailable'],
    [sdkError('constructor', 403), 'refused', 'unavailable'],
    ['a text', 'unknown', 'unavailable'],
    [undefined, 'unknown', 'unavailable'],
    [null, 'unknown', 'unavailable'],
  ])('%s is the fault %s, and %s for the caller', (error, kind, code) => {
    expect(faultOf(error).kind).toBe(kind);
    const answered = playheadErrorOf(error, 'a/key');
    expect(answered).toBeInstanceOf(PlayheadError);
    expect(answered.code).toBe(code);
    expect(answered.details['key']).toBe('a/key');
  });

  test('keeps its name, text, attempts and cause', () => {
    const error = sdkError('AccessDenied', 403);
    expect(faultOf(error)).toMatchObject({ reason: 'AccessDenied', message: 'what it says', attempts: 2, cause: error });
    expect(playheadErrorOf(error, 'k')).toMatchObject({ details: { key: 'k', s3: 'AccessDenied' }, cause: error });
    expect(playheadErrorOf(error).message).toContain('AccessDenied: what it says');
    expect(faultOf(sdkError('Error', undefined, { code: 'EPIPE' })).reason).toBe('EPIPE');
    expect(faultOf(sdkError('UnknownError', 403)).reason).toBe('HTTP 403');
  });

  test('is left as it is when it is ours already', () => {
    const fault = new S3Fault('cut', 'ECONNRESET');
    expect(faultOf(fault)).toBe(fault);
    const error = new PlayheadError('internal');
    expect(playheadErrorOf(error)).toBe(error);
  });
});
