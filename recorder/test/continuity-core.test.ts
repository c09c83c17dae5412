import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoredSession, StoredWindow } from '../src/core/continuity.ts';
import {
  chooseSession,
  chooseWindow,
  DEFAULT_CONFIG,
  isAlive,
  KEYFRAMES_REMEMBERED,
  parseConfig,
  parseSession,
  parseWindow,
  rememberKeyframe,
  sessionAfter,
  takeCounter,
  uploadIdOf,
} from '../src/core/continuity.ts';
import { Identity } from '../src/identity.ts';
import type { TextStore } from '../src/storage.ts';

const session: StoredSession = { id: 'session-1', startedAtMs: 0, activeAtMs: 0, announced: true, userId: '', config: DEFAULT_CONFIG };
const fresh = { id: 'session-2', userId: 'ann', config: DEFAULT_CONFIG };
const mine: StoredWindow = { id: 'w1', sessionId: 'session-1', nextCounter: 7, open: false, keyframesFor: [] };

describe('sessions', () => {
  test('[RC13] a stored session goes on while it is not silent for longer than its setting, and not too old', () => {
    expect(chooseSession(session, 60_000, fresh)).toBe(session);
    expect(chooseSession(session, 60_001, fresh)).toMatchObject({ id: 'session-2', announced: false, startedAtMs: 60_001, userId: 'ann' });
    expect(isAlive({ ...session, activeAtMs: 25 * 3_600_000 }, 25 * 3_600_000)).toBe(false);
    expect(isAlive({ ...session, activeAtMs: 10 * 3_600_000 }, 0)).toBe(false);
    expect(chooseSession(null, 5, fresh).id).toBe('session-2');
  });

  test('[RC15] after an end comes what another tab has begun, or a fresh session, never the ended one', () => {
    expect(sessionAfter('session-1', session, 10, fresh).id).toBe('session-2');
    expect(sessionAfter('session-1', { ...session, id: 'session-3' }, 10, fresh).id).toBe('session-3');
    expect(sessionAfter('session-1', { ...session, id: 'session-3' }, 100_000, fresh).id).toBe('session-2');
  });

  test('[RC13] storage that somebody wrote nonsense into is as good as empty', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const read = parseSession(text);
        expect(read === null ? null : parseSession(JSON.stringify(read))).toEqual(read);
        const window = parseWindow(text);
        expect(window === null ? null : parseWindow(JSON.stringify(window))).toEqual(window);
      }),
    );
    expect(parseSession(JSON.stringify(session))).toEqual(session);
    expect(parseSession(JSON.stringify({ ...session, id: '../../x' }))).toBeNull();
    expect(parseWindow(JSON.stringify({ ...mine, nextCounter: -1 }))).toBeNull();
    expect(parseWindow(JSON.stringify({ ...mine, open: undefined }))?.open).toBe(true);
    expect(parseConfig({ flushMs: 100, heartbeatMs: 'x', batchBytesMax: -5 })).toEqual({ ...DEFAULT_CONFIG, flushMs: 100 });
  });
});

describe('windows', () => {
  test('[RC12] a window is taken over only closed, and only in its session', () => {
    expect(chooseWindow(mine, 'session-1', 'w2')).toEqual({ ...mine, open: true });
    expect(chooseWindow({ ...mine, open: true }, 'session-1', 'w2')).toMatchObject({ id: 'w2', nextCounter: 0, open: true });
    expect(chooseWindow(mine, 'session-9', 'w2')).toMatchObject({ id: 'w2', sessionId: 'session-9', nextCounter: 0 });
    expect(chooseWindow(null, 'session-1', 'w2').id).toBe('w2');
  });

  test('[RC10] upload ids are those that ingest takes, and name window and counter', () => {
    expect(uploadIdOf('0190c0de-0000-7000-8000-000000000000', 12)).toBe('0190c0de-0000-7000-8000-000000000000-12');
    expect(uploadIdOf('0190c0de-0000-7000-8000-000000000000', Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(64);
    expect(takeCounter(mine)).toEqual({ counter: 7, window: { ...mine, nextCounter: 8 } });
  });

  test('[RC25] the watches that had their keyframe are remembered, a bounded number of them', () => {
    let window = mine;
    for (let i = 0; i < KEYFRAMES_REMEMBERED + 3; i++) window = rememberKeyframe(window, `watch-${i}`);
    expect(window.keyframesFor).toHaveLength(KEYFRAMES_REMEMBERED);
    expect(window.keyframesFor.at(-1)).toBe(`watch-${KEYFRAMES_REMEMBERED + 2}`);
  });
});

function memoryStore(initial: string | null = null): TextStore & { text: string | null } {
  return {
    text: initial,
    read() {
      return this.text;
    },
    write(text) {
      this.text = text;
      return true;
    },
    remove() {
      this.text = null;
    },
  };
}

describe('a tab over its life', () => {
  test('[RC10] no order of page loads, crashes, duplications, uploads and pauses gives one identity to two uploads', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('upload' as const), tab: fc.nat(3) }),
      fc.record({ do: fc.constant('reload' as const), tab: fc.nat(3) }),
      fc.record({ do: fc.constant('crash' as const), tab: fc.nat(3) }),
      fc.record({ do: fc.constant('duplicate' as const), tab: fc.nat(3) }),
      fc.record({ do: fc.constant('pause' as const), tab: fc.nat(3) }),
      fc.record({ do: fc.constant('ended' as const), tab: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let nowMs = 1_000_000;
        let seed = 0;
        const sessionStore = memoryStore();
        const open = (windowStore: TextStore) => ({
          windowStore,
          identity: new Identity(
            {
              sessionStore,
              windowStore,
              now: () => nowMs,
              randomBytes: (count) => Uint8Array.from({ length: count }, () => (seed = (seed * 31 + 7) % 251)),
            },
            '',
          ),
        });
        // Randomness that never repeats: the ids' own uniqueness is not what is tested here.
        const unique = (): number => (nowMs += 1);
        const tabs = [open(memoryStore())];
        const used: string[] = [];
        for (const action of steps) {
          unique();
          const at = action.tab % tabs.length;
          const tab = tabs[at];
          if (!tab) continue;
          if (action.do === 'upload') {
            tab.identity.refresh();
            const identity = `${tab.identity.session.id} ${uploadIdOf(tab.identity.window.id, tab.identity.nextCounter())}`;
            used.push(identity);
            tab.identity.touch();
          }
          if (action.do === 'reload') {
            tab.identity.close();
            tabs[at] = open(tab.windowStore);
          }
          if (action.do === 'crash') tabs[at] = open(tab.windowStore);
          if (action.do === 'duplicate' && tabs.length < 4) tabs.push(open(memoryStore(tab.windowStore.read())));
          if (action.do === 'pause') nowMs += 40_000;
          if (action.do === 'ended') tab.identity.renew();
        }
        expect(new Set(used).size).toBe(used.length);
      }),
    );
  });

  test('[RC11] a tab that wakes up joins the session that another tab has begun meanwhile', () => {
    let nowMs = 0;
    let byte = 0;
    const sessionStore = memoryStore();
    const parts = (windowStore: TextStore) => ({
      sessionStore,
      windowStore,
      now: () => nowMs,
      randomBytes: (count: number) => new Uint8Array(count).fill(++byte),
    });
    const a = new Identity(parts(memoryStore()), '');
    const b = new Identity(parts(memoryStore()), '');
    expect(b.session.id).toBe(a.session.id);
    nowMs = 100_000;
    expect(a.refresh()).toBe(true);
    expect(b.session.id).not.toBe(a.session.id);
    expect(b.refresh()).toBe(true);
    expect(b.session.id).toBe(a.session.id);
    expect(b.window.id).not.toBe(a.window.id);
    expect(b.refresh()).toBe(false);
  });
});
