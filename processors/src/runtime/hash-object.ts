import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { runsOf } from '@playhead/ports';

/** Hashed at once: some ms. */
const STEP_BYTES = 4 * 1024 * 1024;

/** SHA-256 of an object, as hex. It may have 200 MB, which takes tenths of a second: between steps others get their turn. */
export async function hashObject(parts: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256');
  for (const run of runsOf(parts, STEP_BYTES)) {
    for (const part of run) hash.update(part);
    await setImmediate();
  }
  return hash.digest('hex');
}
