import type { Frame, GapReason, Signal } from '@playhead/schemas';
import { FRAME_HEADER_BYTES, LIMITS, splitFrame } from '@playhead/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batchCount, batchDueAtMs } from '../src/core/batching.ts';
import { heartbeatAtMs, IDLE_HIDDEN_MS, IDLE_VISIBLE_MS } from '../src/core/heartbeat.ts';
import { parseKept, planLeaving } from '../src/core/leaving.ts';
import type { Loss } from '../src/core/losses.ts';
import { Losses } from '../src/core/losses.ts';
import { Outbox } from '../src/core/outbox.ts';
import { answerWithinMs, outcomeOf, parseRetryAfterMs, RETRY, retryDelayMs } from '../src/core/retry.ts';
import { MISSED_MOST_MS, MISSED_QUIET_MS, SIGNALS_BURST, SignalBudget } from '../src/core/signal-budget.ts';

const RULES = { flushMs: 5_000, leadingMs: 200, batchBytesMax: 1_000 };

function frameOf(bytes: number, timestampMs = 1_000): Frame {
  return { track: 'dom', keyframe: false, timestampMs, payload: new Uint8Array(bytes) };
}

function gapOf(frame: Frame): Signal {
  return JSON.parse(new TextDecoder().decode(frame.payload)) as Signal;
}

describe('batches', () => {
  test('[RC20] the first frame after a quiet time leaves at once, those that follow in the pace of the setting', () => {
    expect(batchDueAtMs({ firstAtMs: 100_000, bytes: 10 }, 50_000, RULES)).toBe(100_200);
    expect(batchDueAtMs({ firstAtMs: 100_000, bytes: 10 }, 99_000, RULES)).toBe(104_000);
    expect(batchDueAtMs({ firstAtMs: 100_000, bytes: 1_000 }, 99_000, RULES)).toBe(100_000);
    expect(batchDueAtMs({ firstAtMs: null, bytes: 0 }, 99_000, RULES)).toBeNull();
    expect(batchDueAtMs({ firstAtMs: 100_000, bytes: 10 }, 99_990, { ...RULES, flushMs: 250, leadingMs: 30 })).toBe(100_240);
  });

  test('[RC20] no frame waits longer than the setting, whatever the clock did', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(1e6), fc.integer({ min: 50, max: 1e4 }), (firstAtMs, lastFlushAtMs, flushMs) => {
        const due = batchDueAtMs({ firstAtMs, bytes: 1 }, lastFlushAtMs, { ...RULES, flushMs });
        expect(due).toBeLessThanOrEqual(firstAtMs + flushMs);
        expect(due).toBeGreaterThanOrEqual(firstAtMs);
      }),
    );
  });

  test('[RC21] a batch is within its bound, or one frame; all frames leave once and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 60 }), (sizes) => {
        const outbox = new Outbox();
        sizes.forEach((size, index) => expect(outbox.accept(frameOf(size, index), 0, 1e9)).toBe('kept'));
        const order: number[] = [];
        while (outbox.count > 0) {
          const batch = outbox.take(0, 300);
          const bytes = batch.reduce((sum, frame) => sum + frame.payload.length + FRAME_HEADER_BYTES, 0);
          expect(batch.length === 1 || bytes <= 300).toBe(true);
          order.push(...batch.map((frame) => frame.timestampMs));
        }
        expect(order).toEqual(sizes.map((_, index) => index));
        expect(outbox.bytes).toBe(0);
      }),
    );
    expect(batchCount([], 10)).toBe(0);
    expect(batchCount([50, 1], 10)).toBe(1);
  });

  test('[RC21] what did not fit into a batch leaves right behind it', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 3; i++) outbox.accept(frameOf(900), 10_000, 1e6);
    outbox.take(10_000, RULES.batchBytesMax);
    expect(outbox.dueAtMs(RULES)).toBe(10_000);
  });

  test('[RC20] a hurry lasts until the outbox is empty', () => {
    const outbox = new Outbox();
    outbox.hurry(5);
    expect(outbox.dueAtMs(RULES)).toBeNull();
    outbox.accept(frameOf(1), 10_000, 1e6);
    expect(outbox.dueAtMs(RULES)).toBe(5);
    outbox.take(10_000, 1_000);
    outbox.accept(frameOf(1), 10_001, 1e6);
    expect(outbox.dueAtMs(RULES)).toBe(15_000);
  });
});

describe('overflow', () => {
  test('[RC22] nothing is lost uncounted: frames are kept or in the loss, and the buffer stays within its bound', () => {
    const step = fc.oneof(fc.record({ put: fc.nat(500) }), fc.constant('take' as const), fc.constant('recover' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const outbox = new Outbox();
        let put = 0;
        let taken: Frame[] = [];
        steps.forEach((action, index) => {
          if (action === 'take') taken = [...taken, ...outbox.take(index, 400)];
          else if (action === 'recover') {
            outbox.recover();
            outbox.tell(index, 1_000);
          } else {
            put++;
            outbox.accept(frameOf(action.put, index), index, 1_000);
          }
          expect(outbox.bytes).toBeLessThanOrEqual(1_000);
          // In the lossy state nothing waits: a DOM frame after a hole is of no use.
          expect(!outbox.isLossy || outbox.count === 0).toBe(true);
        });
        // What was told and dropped again is told again, and is no frame that is missing.
        const rest = [...taken, ...outbox.clear(), ...outbox.losses.tell(0)];
        const told = rest.filter((frame) => frame.track === 'signal').map(gapOf);
        expect(rest.length - told.length + told.reduce((sum, gap) => sum + (gap.frames ?? 0), 0)).toBe(put);
      }),
    );
  });

  test('[RC22] the gap says why, how much and when, and frames are taken again afterwards', () => {
    const outbox = new Outbox();
    expect(outbox.accept(frameOf(500, 1_000), 0, 600)).toBe('kept');
    expect(outbox.accept(frameOf(500, 2_000), 0, 600)).toBe('overflowed');
    expect(outbox.accept(frameOf(100, 3_000), 0, 600)).toBe('dropped');
    expect(outbox.tell(4_000, 600)).toBe(false);
    expect(outbox.recover()).toBe(true);
    expect(outbox.tell(4_000, 600)).toBe(true);
    const missing = { fromMs: 1_000, toMs: 3_000, frames: 3, bytes: 1_100, track: 'dom' };
    expect(outbox.take(4_000, 600).map(gapOf)).toEqual([{ kind: 'gap', reason: 'buffer_full', ...missing }]);
    expect(outbox.recover()).toBe(false);
    expect(outbox.tell(4_000, 600)).toBe(false);
    expect(outbox.accept(frameOf(100, 4_000), 0, 600)).toBe('kept');
  });
});

describe('frames in parts', () => {
  const inParts = (count: number, bytes: number, timestampMs: number): Frame[] =>
    splitFrame({ ...frameOf(bytes, timestampMs), keyframe: true }, Math.ceil(bytes / count));
  const MB = 1024 * 1024;

  test('[RC35] wait beside the buffer, leave one by one and in order, and a batch before and behind them is as it would be', () => {
    const outbox = new Outbox();
    const large = inParts(60, 60 * MB, 2);
    outbox.accept(frameOf(100, 1), 0, 1_000);
    expect(outbox.acceptParts(large, 0, 1_000)).toBe('kept');
    expect(outbox.accept(frameOf(800, 3), 0, 1_000)).toBe('kept');
    expect(outbox.dueAtMs(RULES)).toBe(0);
    const batches: Frame[][] = [];
    while (outbox.count > 0) batches.push(outbox.take(0, 1_000));
    expect(batches.map((batch) => batch.length)).toEqual(Array.from({ length: 62 }, () => 1));
    expect(batches.slice(1, -1).flat()).toEqual(large);
    expect(outbox.bytes).toBe(0);
  });

  test('[RC22] of frames in parts one of the largest waits, however full the buffer is', () => {
    const outbox = new Outbox();
    expect(outbox.accept(frameOf(900), 0, 1_000)).toBe('kept');
    expect(outbox.acceptParts(inParts(64, LIMITS.joinedFrameBytesMax, 1), 0, 1_000)).toBe('kept');
    expect(outbox.acceptParts(inParts(2, 2 * MB, 2), 0, 1_000)).toBe('overflowed');
    expect(outbox.count).toBe(0);
    outbox.recover();
    expect(outbox.losses.tell(0).map(gapOf)).toMatchObject([{ reason: 'buffer_full', frames: 3, bytes: 900 + 66 * MB }]);
    expect(outbox.acceptParts(inParts(64, LIMITS.joinedFrameBytesMax, 3), 0, 1_000)).toBe('kept');
  });

  test('[RC22] what left of a frame in parts makes room for the next one', () => {
    const outbox = new Outbox();
    outbox.acceptParts(inParts(64, LIMITS.joinedFrameBytesMax, 1), 0, 1_000);
    for (let i = 0; i < 3; i++) outbox.take(0, 1_000);
    expect(outbox.acceptParts(inParts(3, 3 * MB, 2), 0, 1_000)).toBe('kept');
  });

  test('[RC35] where one part is refused, those behind it do not leave, and one frame is missing', () => {
    const outbox = new Outbox();
    outbox.acceptParts(inParts(5, 500, 1), 0, 1_000);
    outbox.accept(frameOf(10, 2), 0, 1_000);
    outbox.take(0, 100);
    outbox.drop(outbox.take(0, 100), 'refused');
    expect(outbox.losses.tell(0).map(gapOf)).toEqual([
      { kind: 'gap', reason: 'refused', fromMs: 1, toMs: 1, frames: 1, bytes: 400, track: 'dom' },
    ]);
    expect(outbox.take(0, 100).map(({ timestampMs }) => timestampMs)).toEqual([2]);
    expect(outbox.bytes).toBe(0);
  });

  test('[RC35] a keyframe is on its way out until its last part has left', () => {
    const outbox = new Outbox();
    outbox.accept(frameOf(10), 0, 1_000);
    expect(outbox.holdsKeyframe).toBe(false);
    outbox.acceptParts(inParts(3, 300, 1), 0, 1_000);
    outbox.take(0, 30);
    for (let left = 3; left > 0; left--) {
      expect(outbox.holdsKeyframe).toBe(true);
      outbox.take(0, 30);
    }
    expect(outbox.holdsKeyframe).toBe(false);
  });
});

describe('what is missing', () => {
  const loss = (reason: GapReason, fromMs: number, toMs = fromMs): Loss => ({ reason, fromMs, toMs, frames: 1, bytes: 2, track: 'dom' });

  test('[RC33] is one stretch for each reason, however much is lost', () => {
    const losses = new Losses();
    for (let at = 0; at < 1_000; at++) losses.add(loss(at % 2 === 0 ? 'refused' : 'fault', at));
    expect(losses.tell(5_000).map(gapOf)).toEqual([
      { kind: 'gap', reason: 'refused', fromMs: 0, toMs: 998, frames: 500, bytes: 1_000, track: 'dom' },
      { kind: 'gap', reason: 'fault', fromMs: 1, toMs: 999, frames: 500, bytes: 1_000, track: 'dom' },
    ]);
    expect(losses.isEmpty).toBe(true);
  });

  test('[RC33] names the track when all of it is of one, and no numbers that nobody knows', () => {
    const losses = new Losses();
    losses.drop([frameOf(3), { ...frameOf(4), track: 'signal' }], 'refused');
    losses.add({ reason: 'background', fromMs: 7, toMs: 9, frames: 0, bytes: 0, track: null });
    expect(losses.tell(0).map(gapOf)).toEqual([
      { kind: 'gap', reason: 'refused', fromMs: 1_000, toMs: 1_000, frames: 2, bytes: 7 },
      { kind: 'gap', reason: 'background', fromMs: 7, toMs: 9 },
    ]);
  });

  test('[RC33] outlives what drops the telling of it, again and again', () => {
    const losses = new Losses();
    losses.add(loss('refused', 10, 20));
    for (let times = 0; times < 3; times++) losses.drop(losses.tell(times), 'buffer_full');
    expect(losses.tell(9).map(gapOf)).toEqual([
      { kind: 'gap', reason: 'refused', fromMs: 10, toMs: 20, frames: 1, bytes: 2, track: 'dom' },
    ]);
  });
});

describe('retries', () => {
  test('[RC23] a large body on a slow line is not given up while it is under way', () => {
    expect(answerWithinMs(0)).toBe(30_000);
    expect(answerWithinMs(LIMITS.framePartBytesMax)).toBe(30_000 + 131_072);
  });

  test.each([
    [null, 'again'],
    [200, 'stored'],
    [204, 'stored'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [404, 'refused'],
    [408, 'again'],
    [410, 'expired'],
    [413, 'refused'],
    [422, 'refused'],
    [429, 'again'],
    [500, 'again'],
    [503, 'again'],
  ] as const)('[RC23] status %s means %s', (status, outcome) => {
    expect(outcomeOf(status)).toBe(outcome);
  });

  test('[RC23] delays grow, vary, have a bound, and keep to Retry-After', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, chance) => {
        const delay = retryDelayMs(attempt, chance, null);
        expect(delay).toBeGreaterThanOrEqual(RETRY.firstMs / 2);
        expect(delay).toBeLessThanOrEqual(RETRY.mostMs);
        expect(retryDelayMs(attempt, chance, 120_000)).toBeGreaterThanOrEqual(120_000);
      }),
    );
    expect(retryDelayMs(1, 0, null)).toBe(500);
    expect(retryDelayMs(3, 0.5, null)).toBe(3_000);
    expect(retryDelayMs(1, 0, 10 * 24 * 60 * 60_000)).toBe(RETRY.retryAfterMostMs);
  });

  test('[RC23] Retry-After is read as seconds or as a date', () => {
    const nowMs = Date.UTC(2026, 0, 1);
    expect(parseRetryAfterMs('7', nowMs)).toBe(7_000);
    expect(parseRetryAfterMs(new Date(nowMs + 3_000).toUTCString(), nowMs)).toBe(3_000);
    expect(parseRetryAfterMs(new Date(nowMs - 3_000).toUTCString(), nowMs)).toBe(0);
    expect(parseRetryAfterMs('soon', nowMs)).toBeNull();
    expect(parseRetryAfterMs(null, nowMs)).toBeNull();
  });
});

describe('leaving', () => {
  test('[RC26] every upload is a beacon, kept, or counted as dropped; bounds hold; nothing overtakes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000), { maxLength: 30 }), (sizes) => {
        const plan = planLeaving(sizes, 5_000, 8_000);
        expect([...plan.beacons, ...plan.kept, ...plan.dropped]).toEqual(sizes.map((_, index) => index));
        expect(plan.beacons.reduce((sum, index) => sum + (sizes[index] ?? 0), 0)).toBeLessThanOrEqual(5_000);
        expect(plan.kept.reduce((sum, index) => sum + (sizes[index] ?? 0), 0)).toBeLessThanOrEqual(6_000);
      }),
    );
  });

  test('[RC26] what an earlier page kept is read back; damage and what is too old is left out', () => {
    const kept = { sessionId: 'session-1', windowId: 'w', counter: 3, formedAtMs: 1_000, body: 'AAAA' };
    expect(parseKept(JSON.stringify([kept, { ...kept, counter: 'x' }, null, 7]), 2_000)).toEqual([kept]);
    expect(parseKept(JSON.stringify([kept]), 1_000 + LIMITS.dedupeHorizonMs)).toEqual([]);
    for (const text of [null, '', '{', '{}', '"x"']) expect(parseKept(text, 0)).toEqual([]);
  });
});

describe('quiet windows', () => {
  const quiet = { lastSentAtMs: 0, lastFrameAtMs: 0, hidden: false, nowMs: 0, heartbeatMs: 15_000, sessionSilenceMs: 60_000 };

  test('[RC27] a quiet window says that it is there, for as long as somebody may be reading', () => {
    expect(heartbeatAtMs(quiet)).toBe(15_000);
    expect(heartbeatAtMs({ ...quiet, lastSentAtMs: IDLE_VISIBLE_MS, nowMs: IDLE_VISIBLE_MS })).toBeNull();
    expect(heartbeatAtMs({ ...quiet, hidden: true, lastSentAtMs: IDLE_HIDDEN_MS, nowMs: IDLE_HIDDEN_MS })).toBeNull();
  });

  test('[RC27] after a sleep that the session did not outlive there is no heartbeat', () => {
    expect(heartbeatAtMs({ ...quiet, nowMs: 60_001 })).toBeNull();
  });

  test('[RC28] signals of one kind are bounded and do not use up those of another', () => {
    const budget = new SignalBudget();
    let taken = 0;
    for (let i = 0; i < 1_000; i++) if (budget.take('navigation', 0)) taken++;
    expect(taken).toBe(SIGNALS_BURST);
    expect(budget.take('error', 0)).toBe(true);
    expect(budget.take('navigation', 1_000)).toBe(true);
  });

  test('[RC33] signals that were too many are told as one stretch of their kind when it is over, or has gone on for long', () => {
    const budget = new SignalBudget();
    const tell = (nowMs: number, all = false): string[] =>
      budget.missed(nowMs, all).map(({ of, frames, fromMs, toMs }) => `${frames} ${of} ${fromMs}..${toMs}`);
    for (let i = 0; i < SIGNALS_BURST + 7; i++) budget.take('error', i);
    expect(tell(SIGNALS_BURST + 6)).toEqual([]);
    expect(tell(SIGNALS_BURST + 6 + MISSED_QUIET_MS)).toEqual([`7 error ${SIGNALS_BURST}..${SIGNALS_BURST + 6}`]);
    expect(tell(1e9, true)).toEqual([]);
    let told = 0;
    for (let at = 1e9; at < 1e9 + 5 * MISSED_MOST_MS; at += 50) {
      budget.take('error', at);
      told += budget.missed(at).length;
    }
    // A page that throws without end tells it once a minute.
    expect(told).toBeGreaterThanOrEqual(3);
    expect(told).toBeLessThanOrEqual(5);
    budget.take('click', 2e9);
    expect(tell(2e9, true)).toHaveLength(1);
  });
});
