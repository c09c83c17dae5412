import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Asked, Asking } from '../src/core/asking.ts';
import { ASK_EVERY_MS, ASKING, afterAnswer, afterWord, askFromMs, HELD_MS } from '../src/core/asking.ts';
import type { Outcome } from '../src/core/retry.ts';
import { RETRY } from '../src/core/retry.ts';

const UNWATCHED = { flushMs: null, ended: false };
const WATCHED = { flushMs: 250, ended: false };
const ENDED = { flushMs: null, ended: true };
const PAGE = { sessionId: 'session-1', visible: true };
const NOW_MS = 1_000_000;

const unwatched = afterWord(ASKING, 'session-1', UNWATCHED);

function asked(overrides: Partial<Asked> = {}): Asked {
  return {
    sessionId: 'session-1',
    askedAtMs: NOW_MS,
    answeredAtMs: NOW_MS + 25_000,
    outcome: 'stored',
    news: false,
    retryAfterMs: null,
    chance: 0.5,
    ...overrides,
  };
}

/** A failure that came at once. */
function failed(asking: Asking, overrides: Partial<Asked> = {}): Asking {
  return afterAnswer(asking, asked({ outcome: 'again', answeredAtMs: NOW_MS, ...overrides }));
}

describe('when a watch is asked for', () => {
  test('[RC31] not before ingest has said that nobody watches, nor of another session', () => {
    expect(askFromMs(ASKING, PAGE)).toBeNull();
    expect(askFromMs(unwatched, PAGE)).toBe(0);
    expect(askFromMs(unwatched, { ...PAGE, sessionId: 'session-2' })).toBeNull();
  });

  test('[RC31] not while the page is hidden, the session is watched or over; again when the watch is over', () => {
    expect(askFromMs(unwatched, { ...PAGE, visible: false })).toBeNull();
    const watched = afterWord(unwatched, 'session-1', WATCHED);
    expect(askFromMs(watched, PAGE)).toBeNull();
    expect(askFromMs(afterWord(watched, 'session-1', UNWATCHED), PAGE)).toBe(0);
    const over = afterWord(unwatched, 'session-1', ENDED);
    expect(askFromMs(over, PAGE)).toBeNull();
    expect(askFromMs(afterWord(over, 'session-1', UNWATCHED), PAGE)).toBeNull();
    expect(askFromMs(afterWord(over, 'session-2', UNWATCHED), { ...PAGE, sessionId: 'session-2' })).toBe(0);
  });

  test('[RC32] an empty answer at its time is followed by the next request at once', () => {
    const next = afterAnswer(failed(unwatched), asked());
    expect(askFromMs(next, PAGE)).toBeLessThanOrEqual(NOW_MS + 25_000);
    expect(next.failures).toBe(0);
  });

  test('[RC32] an empty answer that came too soon is followed by a pause, as a failure is', () => {
    const soon = { answeredAtMs: NOW_MS + HELD_MS - 1 };
    const once = afterAnswer(unwatched, asked(soon));
    expect(askFromMs(once, PAGE)).toBe(NOW_MS + HELD_MS - 1 + 750);
    expect(once).toEqual(failed(unwatched, soon));
  });

  test('[RC32] pauses after failures grow up to a minute, have jitter and keep to Retry-After', () => {
    let asking = unwatched;
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      asking = failed(asking, { chance: 0 });
      pauses.push((askFromMs(asking, PAGE) ?? 0) - NOW_MS);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(askFromMs(failed(asking, { chance: 0.999 }), PAGE)).toBeGreaterThan(NOW_MS + 59_000);
    expect(askFromMs(failed(unwatched, { retryAfterMs: 20_000 }), PAGE)).toBe(NOW_MS + 20_000);
  });

  test('[RC32] a proxy that cuts what it held for long does not make the pauses grow', () => {
    let asking = unwatched;
    for (let i = 0; i < 9; i++) asking = failed(asking, { answeredAtMs: NOW_MS + HELD_MS });
    expect(askFromMs(asking, PAGE)).toBe(NOW_MS + HELD_MS + 750);
  });

  test.each(['expired', 'refused', 'forbidden'] as const)('[RC32] after an answer that is %s, not again for this session', (outcome) => {
    const dropped = afterAnswer(unwatched, asked({ outcome }));
    expect(askFromMs(afterWord(dropped, 'session-1', UNWATCHED), PAGE)).toBeNull();
    expect(askFromMs(afterWord(dropped, 'session-2', UNWATCHED), { ...PAGE, sessionId: 'session-2' })).not.toBeNull();
  });

  test('[RC32] whatever is answered, requests do not come thick and fast', () => {
    const answer = fc.record({
      outcome: fc.constantFrom<Outcome>('stored', 'again', 'refused', 'expired', 'forbidden'),
      news: fc.boolean(),
      heldMs: fc.nat(40_000),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 30 }), (answers) => {
        let asking = unwatched;
        let askedAtMs = NOW_MS;
        for (const { outcome, news, heldMs, chance } of answers) {
          const answeredAtMs = askedAtMs + heldMs;
          asking = afterAnswer(asking, asked({ outcome, news, chance, askedAtMs, answeredAtMs }));
          asking = afterWord(asking, 'session-1', UNWATCHED);
          const from = askFromMs(asking, PAGE);
          if (from === null) return;
          expect(from).toBeGreaterThanOrEqual(askedAtMs + ASK_EVERY_MS);
          expect(from).toBeLessThanOrEqual(Math.max(answeredAtMs, askedAtMs + ASK_EVERY_MS) + RETRY.mostMs);
          askedAtMs = Math.max(answeredAtMs, from);
        }
      }),
    );
  });
});
