/**
 * Stamps: nearly every event of a page holds its own time in digits (`"timestamp":1750000000000`), which the frame index has already. In
 * a piece that is compressed they are left out, a twentieth of the text and, of what is left after compression, up to a
 * quarter.
 *
 *     payload:  {"type":3, ... ,"timestamp":1750000000000}
 *     stamped:  {"type":3, ... ,"timestamp":\0}
 *
 * The last place in the payload where the digits are is left out; a byte 0, which JSON cannot hold, stands for it. A payload that
 * has no such place, or a byte 0, lies there as it is.
 */
const MARK = 0;

/** The payload without its time; null where it lies as it is. */
export function stamped(payload: Uint8Array, timestampMs: number): Uint8Array | null {
  const digits = `${timestampMs}`;
  const at = lastPlaceOf(digits, payload);
  if (at < 0 || payload.includes(MARK)) return null;
  const left = payload.slice(0, payload.length - digits.length + 1);
  left[at] = MARK;
  left.set(payload.subarray(at + digits.length), at + 1);
  return left;
}

/** The reverse; null for bytes that are not stamped. */
export function unstamped(left: Uint8Array, timestampMs: number): Uint8Array | null {
  const at = left.indexOf(MARK);
  if (at < 0) return null;
  const digits = `${timestampMs}`;
  const payload = new Uint8Array(left.length - 1 + digits.length);
  payload.set(left);
  payload.set(left.subarray(at + 1), at + digits.length);
  for (let i = 0; i < digits.length; i++) payload[at + i] = digits.charCodeAt(i);
  return payload;
}

/** Bytes of a stamped payload; less than 1 where a payload of this length cannot hold its time. */
export function stampedLength(length: number, timestampMs: number): number {
  return length - `${timestampMs}`.length + 1;
}

/** From the end: a time is the last thing in an event. */
function lastPlaceOf(digits: string, payload: Uint8Array): number {
  for (let at = payload.length - digits.length; at >= 0; at--) {
    let same = 0;
    while (same < digits.length && payload[at + same] === digits.charCodeAt(same)) same++;
    if (same === digits.length) return at;
  }
  return -1;
}
