import { PlayheadError } from '@playhead/schemas';

const SEGMENT = /^[A-Za-z0-9._-]{1,255}$/;
const KEY_CHARS_MAX = 512;

/** True for a segment of a key: also a safe name of a file, never one that climbs. */
export function isKeySegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}

/** @throws {PlayheadError} `invalid_request` for anything that is not a key of the block store */
export function checkObjectKey(key: string): void {
  if (key.length <= KEY_CHARS_MAX && key.split('/').every(isKeySegment)) return;
  throw new PlayheadError('invalid_request', 'not a key of the block store', { details: { key: key.slice(0, KEY_CHARS_MAX) } });
}
