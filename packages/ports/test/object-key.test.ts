import { checkObjectKey, isKeySegment } from '@playhead/ports';
import { expect, test } from 'vitest';

const LONG = 'a'.repeat(255);

test.each(['a', '3/4-300.phb', 'A.b_c-9/...', LONG, `${LONG}/${LONG}`, `${LONG}/${'b'.repeat(254)}/c`])('%s is a key', (key) => {
  expect(() => checkObjectKey(key)).not.toThrow();
});

test.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a b', 'a\\b', 'é', 'a\0', 'a\n', `${LONG}a`, `${LONG}/${LONG}/b`])(
  '%j is no key',
  (key) => {
    expect(() => checkObjectKey(key)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  },
);

test('a segment never climbs and never holds a slash', () => {
  expect(['a', '...', LONG].map(isKeySegment)).toEqual([true, true, true]);
  expect(['', '.', '..', 'a/b', `${LONG}a`].map(isKeySegment)).toEqual([false, false, false, false, false]);
});
