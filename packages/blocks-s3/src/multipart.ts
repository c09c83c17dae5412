import { faultOf } from './faults.ts';
import type { S3Client, UploadedPart } from './s3-client.ts';

/** Parts of one object under way at a time. */
const PARTS_AT_A_TIME = 4;

/**
 * Writes a large object in parts, unless there is one. What it began it ends, with one exception: when nobody knows whether
 * the upload was completed, it is left alone, because ending it could meet a completion that the server still works on.
 *
 * @throws {S3Fault} as `put` of the client does; `upload_gone` when the upload is not there any more, which a repeated
 *   completion also meets after one that had its effect
 */
export async function putInParts(client: S3Client, name: string, bytes: Uint8Array, mark: string, partBytes: number): Promise<void> {
  const uploadId = await client.beginParts(name, mark);
  // Whoever aborts is about to hear of what failed before; parts left behind are for the bucket's lifecycle rule.
  const abort = () => client.abortParts(name, uploadId).catch(() => undefined);
  let parts: readonly UploadedPart[];
  try {
    parts = await putAll(client, name, uploadId, bytes, partBytes);
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
async function putAll(client: S3Client, name: string, uploadId: string, bytes: Uint8Array, partBytes: number): Promise<UploadedPart[]> {
  const count = Math.ceil(bytes.length / partBytes);
  const parts: UploadedPart[] = [];
  const failures: unknown[] = [];
  let next = 0;
  async function work(): Promise<void> {
    while (next < count && failures.length === 0) {
      const i = next++;
      try {
        parts[i] = await client.putPart(name, uploadId, i + 1, bytes.subarray(i * partBytes, (i + 1) * partBytes));
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARTS_AT_A_TIME, count) }, work));
  if (failures.length > 0) throw failures[0];
  return parts;
}
