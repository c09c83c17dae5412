import { LIMITS, PlayheadError } from '@playhead/schemas';
import { aWatch } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Admitted } from '../src/core/byte-admission.ts';
import { ByteAdmission } from '../src/core/byte-admission.ts';
import { RecentKeys } from '../src/core/recent-keys.ts';
import { uuidv7TimeMs } from '../src/core/session-id.ts';
import { readStart } from '../src/core/start-request.ts';
import { readUploadQuery } from '../src/core/upload-request.ts';
import { WaitingRoom } from '../src/core/waiting-room.ts';
import { WatchBoard } from '../src/core/watch-board.ts';
import { NOW_MS, SESSION } from './door.ts';

describe('ByteAdmission', () => {
  test('[IN19] whatever is admitted, grown and released, what is held never passes the bound and ends at zero', () => {
    const step = fc.record({ kind: fc.constantFrom('admit', 'grow', 'release'), bytes: fc.integer({ min: 0, max: 60 }), at: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const admission = new ByteAdmission(100);
        const all: Admitted[] = [];
        for (const { kind, bytes, at } of steps) {
          const one = all[at % Math.max(1, all.length)];
          const heldBefore = admission.bytesHeld;
          const took = kind === 'admit' ? admission.admit(bytes) : kind === 'grow' && one?.grow(bytes);
          if (kind === 'release') one?.release();
          const heldExpected = took ? heldBefore + bytes : heldBefore;
          expect(kind === 'release' || admission.bytesHeld === heldExpected).toBe(true);
          if (typeof took === 'object') all.push(took);
          expect(admission.bytesHeld).toBeLessThanOrEqual(100);
          expect(admission.bytesHeld).toBeGreaterThanOrEqual(0);
        }
        for (const admitted of all) admitted.release();
        expect(admission.bytesHeld).toBe(0);
      }),
    );
  });

  test('[IN19] what was released cannot grow again', () => {
    const admission = new ByteAdmission(100);
    const admitted = admission.admit(10);
    admitted?.release();
    expect(admitted?.grow(1)).toBe(false);
    expect(admission.bytesHeld).toBe(0);
  });
});

describe('RecentKeys', () => {
  test('[IN24] holds the most recently used keys and forgets the others', () => {
    const keys = new RecentKeys(2);
    keys.add('a');
    keys.add('b');
    expect(keys.has('a')).toBe(true);
    keys.add('c');
    expect([keys.has('a'), keys.has('b'), keys.has('c'), keys.size]).toEqual([true, false, true, 2]);
  });
});

describe('WatchBoard', () => {
  const watch = (watchId: string, expiresAtMs: number, sessionId = SESSION) => aWatch({ watchId, expiresAtMs, sessionId });
  const newest = (board: WatchBoard, nowMs: number) => board.newestWatch('shop', SESSION, nowMs);

  test('[IN22] names the newest watch; renewing an older one changes nothing; when it goes the older one is named', () => {
    const board = new WatchBoard();
    board.apply(watch('first', 10_000), 0);
    board.apply(watch('second', 10_000), 0);
    board.apply(watch('first', 12_000), 1_000);
    expect(newest(board, 2_000)).toBe('second');
    expect(newest(board, 11_000)).toBe('first');
    expect(newest(board, 12_000)).toBeUndefined();
    expect(board.sessions).toBe(0);
  });

  test('[IN22] a lease that has expired already ends the watch', () => {
    const board = new WatchBoard();
    expect(board.apply(watch('one', 10_000), 0)).toBe(true);
    expect(board.apply(watch('one', 0), 1_000)).toBe(false);
    expect(newest(board, 1_000)).toBeUndefined();
  });

  test('[IN22] a lease from a clock that is far ahead holds for two leases at most', () => {
    const board = new WatchBoard();
    board.apply(watch('one', Number.MAX_SAFE_INTEGER), 0);
    expect(newest(board, 2 * LIMITS.watchLeaseMs)).toBeUndefined();
  });

  test('[IN22] the same session id in another project is another session', () => {
    const board = new WatchBoard();
    board.apply(watch('one', 10_000), 0);
    expect(board.newestWatch('bank', SESSION, 0)).toBeUndefined();
  });

  test('[IN24] holds at most so many sessions and watches; those renewed longest ago go first', () => {
    const board = new WatchBoard({ sessionsMax: 2, watchesMax: 2 });
    for (const id of ['session-a', 'session-b', 'session-c']) board.apply(watch('one', 10_000, id), 0);
    expect(board.sessions).toBe(2);
    expect(board.newestWatch('shop', 'session-a', 0)).toBeUndefined();
    for (const id of ['one', 'two', 'three']) board.apply(watch(id, 10_000, 'session-c'), 0);
    board.apply(watch('three', 0, 'session-c'), 0);
    board.apply(watch('two', 0, 'session-c'), 0);
    expect(board.newestWatch('shop', 'session-c', 0)).toBeUndefined();
  });
});

describe('WaitingRoom', () => {
  test('[IN28] whoever enters, leaves and is called, no more than the bound are inside, each is let out once, and all places come back', () => {
    const step = fc.record({ kind: fc.constantFrom('enter', 'leave', 'call'), key: fc.constantFrom('a', 'b', 'c'), at: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const room = new WaitingRoom<object>(5);
        let inside: { key: string; who: object }[] = [];
        for (const { kind, key, at } of steps) {
          const who = {};
          const before = [...inside];
          const entered = kind === 'enter' && room.enter(key, who);
          if (entered) inside.push({ key, who });
          const one = kind === 'leave' ? inside[at] : undefined;
          if (one) room.leave(one.key, one.who);
          const called = kind === 'call' ? room.call(key) : [];
          inside = inside.filter((other) => other !== one && !called.includes(other.who));
          room.leave(key, {});
          expect(entered).toBe(kind === 'enter' && before.length < 5);
          expect(called).toEqual(before.filter((other) => kind === 'call' && other.key === key).map((other) => other.who));
          expect(room.taken).toBe(inside.length);
        }
        expect(new Set(room.callAll())).toEqual(new Set(inside.map(({ who }) => who)));
        expect(room.taken).toBe(0);
      }),
    );
  });
});

describe('reading requests', () => {
  test('the time of a UUIDv7 is read; other ids have none', () => {
    expect(uuidv7TimeMs(SESSION)).toBe(NOW_MS);
    expect(uuidv7TimeMs(SESSION.toUpperCase())).toBe(NOW_MS);
    expect(uuidv7TimeMs('0197742a-1111-4111-8111-111111111111')).toBeUndefined();
    expect(uuidv7TimeMs('session-one')).toBeUndefined();
  });

  test('[IN12] whatever a start says, it is read or refused with problems', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(problemsOf(() => readStart(new TextEncoder().encode(text), NOW_MS))).not.toEqual([]);
      }),
    );
  });

  test('[IN12] whatever a query says, it is read or refused with problems', () => {
    const value = fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 2 }), fc.nat().map(String), fc.json());
    const names = ['window', 'upload', 'counter', 'format', 'codec', 'sentAtMs', 'epochMs', 'goodbye', 'facts'];
    const query = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(query, (query) => {
        const read = (): unknown => readUploadQuery({ window: 'w', upload: 'u', ...query }, NOW_MS);
        expect(problemsOf(read)).not.toEqual([]);
      }),
    );
  });

  test('[IN12] names of the prototype are no parameters, and such facts stay facts', () => {
    expect(() => readUploadQuery({ window: 'w' }, NOW_MS)).toThrow('upload is required');
    const { facts } = readUploadQuery({ window: 'w', upload: 'u', facts: '{"__proto__":"x","toString":"y"}' }, NOW_MS);
    expect(Object.entries(facts)).toEqual([
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
  });
});

/** The problems that reading was refused with; undefined when it was read. Any other error is thrown on. */
function problemsOf(read: () => unknown): unknown {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof PlayheadError && error.code === 'invalid_request') return error.details['problems'];
    throw error;
  }
}
