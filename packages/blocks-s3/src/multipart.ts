import { lengthOf, runsOf } from '@playhead/ports';
import { joinBytes } from '@playhead/schemas';
import { faultOf } from './faults.ts';
import type { S3Client, UploadedPart } from './s3-client.ts';

/** Parts of one object under way at a time. */
const PARTS_AT_A_TIME = 4;

/**
 * Writes a large object in parts of `partBytes`, unless there is one. What it began it ends, with one exception: when nobody knows whether
 * the upload was completed, it is left alone, because ending it could meet a completion that the server still works on.
 *
 * A part that goes out is one buffer, so that the SDK can send it again and knows its checksum before; a stream has neither. Memory: PARTS_AT_A_TIME of
 * them besides the object.
 *
 * @throws {S3Fault} as `put` of the client does; `upload_gone` when the upload is not there any more, which a repeated
 *   completion also meets after one that had its effect
 */
export async function putInParts(
  client: S3Client,
  name: string,
  object: readonly Uint8Array[],
  mark: string,
  partBytes: number,
): Promise<void> {
  const uploadId = await client.beginParts(name, mark);
  // Whoever aborts is about to hear of what failed before; parts left behind are for the bucket's lifecycle rule.
  const abort = () => client.abortParts(name, uploadId).catch(() => undefined);
  let parts: readonly UploadedPart[];
  try {
    parts = await putAll(client, name, uploadId, runsOf(object, partBytes));
  } catch (error) {
    await abort();
    throw error;
  }
  try {
    await client.completeParts(name, uploadId, parts);
  } catch (error) {
    if (faultOf(error).kind !== 'unknown') await abort();
    throw error;
  }
}

/** Fails with the first failure, when no part is under way any more: a part that arrives after the abort would stay. */
async function putAll(
  client: S3Client,
  name: string,
  uploadId: string,
  runs: Generator<readonly Uint8Array[]>,
): Promise<readonly UploadedPart[]> {
  const parts: UploadedPart[] = [];
  const failures: unknown[] = [];
  let next = 0;
  // All take from the same generator: each run goes out once.
  async function work(): Promise<void> {
    for (const run of runs) {
      const i = next++;
      try {
        parts[i] = await client.putPart(name, uploadId, i + 1, joinBytes(run, lengthOf(run)));
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  }
  await Promise.all(Array.from({ length: PARTS_AT_A_TIME }, work));
  if (failures.length > 0) throw failures[0];
  return parts;
}
