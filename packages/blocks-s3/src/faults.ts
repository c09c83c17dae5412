import { PlayheadError } from '@playhead/schemas';
import type { S3FaultKind } from './s3-client.ts';
import { S3Fault } from './s3-client.ts';

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

const KIND_OF_NAME: Readonly<Record<string, S3FaultKind>> = {
  PreconditionFailed: 'exists',
  ConditionalRequestConflict: 'conflict',
  OperationAborted: 'conflict',
  NoSuchKey: 'not_found',
  NotFound: 'not_found',
  NoSuchUpload: 'upload_gone',
  NoSuchBucket: 'no_bucket',
  BucketAlreadyOwnedByYou: 'exists',
  BucketAlreadyExists: 'taken',
  InvalidRange: 'range',
  ObjectParentIsFile: 'below_an_object',
  ExistingObjectIsDirectory: 'below_an_object',
  // S3's words for a request whose body stopped arriving: status 400.
  RequestTimeout: 'unknown',
};

const KIND_OF_STATUS: Readonly<Record<number, S3FaultKind>> = {
  404: 'not_found',
  408: 'unknown',
  412: 'exists',
  416: 'range',
  429: 'unknown',
};

/** The fault of an error that the SDK threw. */
export function faultOf(error: unknown): S3Fault {
  if (error instanceof S3Fault) return error;
  const { name, message, code, $metadata }: SdkError = typeof error === 'object' && error !== null ? error : { message: error };
  const status = $metadata?.httpStatusCode;
  const known = typeof name === 'string' && !GENERIC_NAMES.has(name) ? name : undefined;
  const reason = known ?? (typeof code === 'string' ? code : `HTTP ${status ?? 'without an answer'}`);
  return new S3Fault(kindOf(known, status), reason, {
    attempts: $metadata?.attempts ?? 1,
    message: typeof message === 'string' ? message : String(message),
    cause: error,
  });
}

const GENERIC_NAMES: ReadonlySet<string> = new Set(['', 'Error', 'Unknown', 'UnknownError']);

function kindOf(name: string | undefined, status: number | undefined): S3FaultKind {
  const byName = name !== undefined && Object.hasOwn(KIND_OF_NAME, name) ? KIND_OF_NAME[name] : undefined;
  if (byName) return byName;
  // A status of success with an error is an answer that could not be read.
  if (status === undefined || status < 300 || status >= 500) return 'unknown';
  return KIND_OF_STATUS[status] ?? 'refused';
}

/** What the port's caller hears of a fault of a call for `key`. */
export function playheadErrorOf(error: unknown, key?: string): PlayheadError {
  if (error instanceof PlayheadError) return error;
  const fault = faultOf(error);
  const details = { ...(key === undefined ? {} : { key }), s3: fault.reason };
  const cause = fault.cause ?? fault;
  if (fault.kind === 'not_found') return new PlayheadError('not_found', `no object ${key}`, { details, cause });
  if (fault.kind === 'range') return new PlayheadError('range_not_satisfiable', undefined, { details, cause });
  if (fault.kind === 'below_an_object') {
    return new PlayheadError('invalid_request', `${key} is a folder of another key, or below one`, { details, cause });
  }
  return new PlayheadError('unavailable', `the block store's S3: ${fault.reason}: ${fault.message}`, { details, cause });
}
