import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** Copied and hashed at once: some ms. */
const STEP_BYTES = 4 * 1024 * 1024;

export interface JoinedObject {
  readonly object: Uint8Array;
  readonly sha256Hex: string;
}

/**
 * Puts an object together and hashes it. An object may have 100 MB, which takes tenths of a second: between steps others get
 * their turn.
 *
 * @param length of all parts together
 */
export async function joinObject(parts: readonly Uint8Array[], length: number): Promise<JoinedObject> {
  const object = new Uint8Array(length);
  const hash = createHash('sha256');
  let [end, hashed] = [0, 0];
  for (const part of parts) {
    object.set(part, end);
    end += part.length;
    if (end - hashed < STEP_BYTES) continue;
    hash.update(object.subarray(hashed, end));
    hashed = end;
    await setImmediate();
  }
  hash.update(object.subarray(hashed));
  return { object, sha256Hex: hash.digest('hex') };
}
