import { PlayheadError } from '@playhead/schemas';
import { faultOf } from './faults.ts';
import type { S3Client, S3Fault } from './s3-client.ts';

const TRIES_MAX = 5;

/**
 * The outcome of `ask`, which is about the bucket; where there is none it is made, and `ask` is called again. Whatever comes
 * of the making, `ask` decides whether there is a bucket that may be used: of several processes at once one makes it, the
 * others hear in some word that somebody does, and one that is being made may not be ready at once.
 *
 * @param pause called with the number of tries that have failed, at most 4
 * @throws {S3Fault} as `ask` does, and as `createBucket` when nobody knows what has happened
 * @throws {PlayheadError} `unavailable` with what to do, when the bucket may not be used or may not be made
 */
export async function makingBucket<T>(client: S3Client, ask: () => Promise<T>, pause: (tries: number) => Promise<void>): Promise<T> {
  let met: S3Fault | undefined;
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const fault = faultOf(error);
      // While a bucket is being made, a server may refuse everybody but its maker.
      const mayPass = fault.kind === 'no_bucket' || (fault.kind === 'refused' && met?.kind === 'taken');
      if (mayPass && tries < TRIES_MAX) met = await made(client, tries, pause);
      else if (met?.kind === 'taken' || fault.reason === 'AccessDenied') throw unusable(client.bucket, NOT_OURS, met ?? fault);
      else throw met ?? fault;
    }
  }
}

/** Makes the bucket; answers what that met of others, who have made it or are about to. */
async function made(client: S3Client, tries: number, pause: (tries: number) => Promise<void>): Promise<S3Fault | undefined> {
  if (tries > 1) await pause(tries - 1);
  try {
    await client.createBucket();
    return undefined;
  } catch (error) {
    const fault = faultOf(error);
    if (fault.kind === 'taken' || fault.kind === 'conflict') return fault;
    throw fault.kind === 'refused' ? unusable(client.bucket, NOT_MADE, fault) : fault;
  }
}

const NOT_OURS = 'may not be used: choose another name when it belongs to somebody else, or give these credentials the rights to it';
const NOT_MADE = 'is not there and may not be made: make it by hand, or give these credentials the right s3:CreateBucket';

function unusable(bucket: string, what: string, fault: S3Fault): PlayheadError {
  return new PlayheadError('unavailable', `the bucket ${bucket} of the block store ${what} (${fault.reason}: ${fault.message})`, {
    details: { bucket, s3: fault.reason },
    cause: fault.cause ?? fault,
  });
}
