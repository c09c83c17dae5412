import { LIMITS } from '@playhead/schemas';
import { anUpload, aSessionEnded, aSessionStarted, EXAMPLE_SESSION } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lifecycle } from '../src/lifecycle/core/lifecycle.ts';
import { START_MS } from './fixtures.ts';

const SETTINGS = { sessionSilenceMs: LIMITS.sessionSilenceMs, windowGoodbyeMs: LIMITS.windowGoodbyeMs };
const BORN_MS = START_MS - 1_000_000;
const aLifecycle = (bornMs = BORN_MS): Lifecycle => new Lifecycle(bornMs, SETTINGS);
const at = (ms: number, windowId = 'w1', more: { goodbye?: boolean; counter?: number | null } = {}) =>
  anUpload({ windowId, receivedAtMs: START_MS + ms, ...more });

describe('when a session is over', () => {
  test('[LC2] it is over after the silence of its last window, at its last receipt', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0), false);
    lifecycle.upload(at(10_000, 'w2'), false);
    expect(lifecycle.over(START_MS + 69_999)).toEqual([]);
    expect(lifecycle.over(START_MS + 70_000)).toMatchObject([
      { reason: 'silence', endedAtMs: START_MS + 10_000, sessionId: EXAMPLE_SESSION },
    ]);
  });

  test('[LC2] it is over shortly after its last window said goodbye', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0), false);
    lifecycle.upload(at(1_000, 'w1', { goodbye: true, counter: 1 }), false);
    expect(lifecycle.over(START_MS + 5_999)).toEqual([]);
    expect(lifecycle.over(START_MS + 6_000)).toMatchObject([{ reason: 'closed', endedAtMs: START_MS + 1_000 }]);
  });

  test('[LC2] a window that said nothing keeps the session open, one that was silent for long does not', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0, 'w1'), false);
    lifecycle.upload(at(30_000, 'w2', { goodbye: true }), false);
    expect(lifecycle.over(START_MS + 59_999)).toEqual([]);
    expect(lifecycle.over(START_MS + 60_000)).toMatchObject([{ reason: 'silence', endedAtMs: START_MS + 30_000 }]);
    lifecycle.upload(at(100_000, 'w2', { goodbye: true, counter: 5 }), false);
    expect(lifecycle.over(START_MS + 105_000)).toMatchObject([{ reason: 'closed', endedAtMs: START_MS + 100_000 }]);
  });

  test('[LC2] a navigation replaces the window that said goodbye', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0, 'w1', { goodbye: true, counter: 7 }), false);
    lifecycle.upload(at(2_000, 'w2'), false);
    expect(lifecycle.over(START_MS + 61_999)).toEqual([]);
  });

  test('[LC3] a session that started and never uploaded ends by silence', () => {
    const lifecycle = aLifecycle();
    lifecycle.fact(aSessionStarted());
    expect(lifecycle.over(START_MS + 59_999)).toEqual([]);
    expect(lifecycle.over(START_MS + 60_000)).toMatchObject([{ reason: 'silence', endedAtMs: START_MS }]);
  });

  test('[LC4] a duplicate or a lower counter takes no goodbye back, a newer upload does', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0, 'w1', { goodbye: true, counter: 5 }), false);
    lifecycle.upload(at(1_000, 'w1', { counter: 4 }), false);
    lifecycle.upload(at(1_000, 'w1', { counter: 9 }), true);
    expect(lifecycle.over(START_MS + 6_000)).toMatchObject([{ reason: 'closed' }]);
    lifecycle.upload(at(2_000, 'w1', { counter: 6 }), false);
    expect(lifecycle.over(START_MS + 61_999)).toEqual([]);
  });

  test('[LC1] an end that was told is not taken back by uploads or starts that come later', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(0), false);
    lifecycle.fact(aSessionEnded());
    lifecycle.upload(at(1_000), false);
    lifecycle.fact(aSessionStarted());
    expect(lifecycle.openCount).toBe(0);
    expect(lifecycle.over(Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  test('[LC5] silence counts from the start of the process at the earliest', () => {
    const lifecycle = aLifecycle(START_MS + 500_000);
    lifecycle.upload(at(0), false);
    lifecycle.upload(at(0, 'w2', { goodbye: true }), false);
    expect(lifecycle.over(START_MS + 559_999)).toEqual([]);
    expect(lifecycle.over(START_MS + 560_000)).toMatchObject([{ reason: 'silence', endedAtMs: START_MS }]);
  });

  test('[LC6] a receipt far ahead of our clock keeps no session open', () => {
    const lifecycle = aLifecycle();
    lifecycle.upload(at(365 * 24 * 3_600_000), false);
    expect(lifecycle.over(START_MS)).toHaveLength(1);
  });

  test('the windows of a session are bounded', () => {
    const lifecycle = aLifecycle();
    for (let i = 0; i < LIMITS.windowsMax + 10; i++) lifecycle.upload(at(i, `w${i}`), false);
    const [session] = lifecycle.open();
    expect(session?.windows.size).toBe(LIMITS.windowsMax);
    expect(session?.windows.has('w0')).toBe(false);
  });
});

/** The rule as said, over the whole history: slow and plain, for the machine to agree with. */
class Model {
  history: { windowId: string; atMs: number; goodbye: boolean; counter: number; duplicate: boolean }[] = [];
  startedAtMs: number | null = null;
  isEnded = false;

  over(atMs: number): 'closed' | 'silence' | null {
    if (this.isEnded || (this.history.length === 0 && this.startedAtMs === null)) return null;
    const windows = [...new Set(this.history.map(({ windowId }) => windowId))].map((windowId) => {
      const mine = this.history.filter((seen) => seen.windowId === windowId);
      const lastMs = Math.max(...mine.map((seen) => seen.atMs));
      const goodbyeAt = mine.findLastIndex((seen) => seen.goodbye);
      const goodbyeCounter = mine[goodbyeAt]?.counter ?? 0;
      const isBack = mine.slice(goodbyeAt + 1).some((seen) => !seen.duplicate && seen.counter >= goodbyeCounter);
      const isGoodbye = goodbyeAt >= 0 && !isBack;
      return { dueMs: lastMs + (isGoodbye ? SETTINGS.windowGoodbyeMs : SETTINGS.sessionSilenceMs), isGoodbye };
    });
    if (windows.length === 0) return atMs >= (this.startedAtMs ?? 0) + SETTINGS.sessionSilenceMs ? 'silence' : null;
    const dueMs = Math.max(...windows.map((window) => window.dueMs));
    if (atMs < dueMs) return null;
    return windows.find((window) => window.dueMs === dueMs)?.isGoodbye ? 'closed' : 'silence';
  }
}

type Step =
  | { readonly kind: 'upload'; readonly windowId: string; readonly goodbye: boolean; readonly counter: number; readonly duplicate: boolean }
  | { readonly kind: 'started' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'time'; readonly ms: number };

const upload = fc.record({
  kind: fc.constant('upload' as const),
  windowId: fc.constantFrom('w1', 'w2', 'w3'),
  goodbye: fc.boolean(),
  counter: fc.nat(6),
  duplicate: fc.boolean(),
});
const time = fc.record({ kind: fc.constant('time' as const), ms: fc.oneof(fc.nat(70_000), fc.constantFrom(1_000, 5_000, 60_000)) });
const fact = fc.constantFrom<Step>({ kind: 'started' }, { kind: 'ended' });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ arbitrary: upload, weight: 5 }, { arbitrary: time, weight: 5 }, { arbitrary: fact, weight: 1 }),
  { maxLength: 30 },
);

test('[LC1] [LC2] [LC3] [LC4] the machine agrees with the rule over any history', () => {
  fc.assert(
    fc.property(steps, (some) => {
      const [model, lifecycle] = [new Model(), aLifecycle()];
      let nowMs = START_MS;
      const is: string[] = [];
      const shouldBe: string[] = [];
      for (const step of some) {
        if (step.kind === 'upload') {
          const { windowId, goodbye, counter, duplicate } = step;
          if (!model.isEnded) model.history.push({ windowId, goodbye, counter, duplicate, atMs: nowMs });
          lifecycle.upload(anUpload({ windowId, goodbye, counter, receivedAtMs: nowMs }), duplicate);
        } else if (step.kind === 'ended') {
          model.isEnded = true;
          lifecycle.fact(aSessionEnded({ reason: 'told' }));
        } else if (step.kind === 'started') {
          model.startedAtMs ??= nowMs;
          lifecycle.fact(aSessionStarted({ startedAtMs: nowMs }));
        } else if (step.kind === 'time') {
          nowMs += step.ms;
          const expected = model.over(nowMs);
          if (expected !== null) shouldBe.push(`${expected} at ${nowMs}`);
          for (const end of lifecycle.over(nowMs)) {
            is.push(`${end.reason} at ${nowMs}`);
            lifecycle.fact(end);
            model.isEnded = true;
          }
        }
      }
      expect(is).toEqual(shouldBe);
    }),
    { numRuns: 500 },
  );
});

/** What happens to one of some sessions, or to our clock. Receipts may be before it, and far ahead of it. */
const aStep = fc.record({
  sessionId: fc.constantFrom('session-a', 'session-b', 'session-c', 'session-d'),
  windowId: fc.constantFrom('w1', 'w2'),
  kind: fc.constantFrom('upload', 'upload', 'upload', 'goodbye', 'started', 'ended'),
  receivedAfterMs: fc.oneof(fc.constantFrom(0, 0, 0, 3_600_000), fc.integer({ min: -100_000, max: 200_000 })),
  passMs: fc.oneof(fc.constantFrom(0, 0, 1_000, 5_000, 60_000), fc.integer({ min: -100_000, max: 100_000 })),
  isLooked: fc.boolean(),
  isTold: fc.boolean(),
});

test('[LC2] [LC6] a look finds what one at every open session would, whatever the clocks do', () => {
  const idsOf = (ends: ReturnType<Lifecycle['over']>): readonly string[] => ends.map((end) => `${end.sessionId} ${end.reason}`).toSorted();
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 60 }), (some) => {
      const lifecycle = aLifecycle();
      let nowMs = START_MS;
      for (const { sessionId, windowId, kind, receivedAfterMs, passMs, isLooked, isTold } of some) {
        const receivedAtMs = nowMs + receivedAfterMs;
        if (kind === 'started') lifecycle.fact(aSessionStarted({ sessionId, startedAtMs: receivedAtMs }));
        else if (kind === 'ended') lifecycle.fact(aSessionEnded({ sessionId }));
        else lifecycle.upload(anUpload({ sessionId, windowId, counter: null, goodbye: kind === 'goodbye', receivedAtMs }), false);
        nowMs += passMs;
        if (!isLooked) continue;
        const everySession = new Lifecycle(BORN_MS, SETTINGS, structuredClone([...lifecycle.open()]));
        const over = lifecycle.over(nowMs);
        expect(idsOf(over)).toEqual(idsOf(everySession.over(nowMs)));
        if (isTold) for (const end of over) lifecycle.fact(end);
      }
    }),
    { numRuns: 2_000 },
  );
});
