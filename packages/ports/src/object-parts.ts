/** Bytes of all parts together. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/**
 * The parts of an object in runs of `runBytes` (the last one may be shorter): what is hashed, written or sent at once. Nothing is copied; a part
 * that lies across the end of a run is in two. Empty parts are left out, so an empty object has no run.
 *
 * @param runBytes at least 1
 */
export function* runsOf(parts: readonly Uint8Array[], runBytes: number): Generator<readonly Uint8Array[]> {
  let run: Uint8Array[] = [];
  let room = runBytes;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      // Most parts are whole: a view of one would be one more object.
      const taken = at === 0 && part.length <= room ? part : part.subarray(at, at + room);
      run.push(taken);
      at += taken.length;
      room -= taken.length;
      if (room > 0) continue;
      yield run;
      run = [];
      room = runBytes;
    }
  }
  if (run.length > 0) yield run;
}
