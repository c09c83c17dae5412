import type { Catalog, PositionedFact, SignalRow } from '@playhead/ports';
import type { Flush, FlushBlock, Merge } from '@playhead/schemas';
import { END_REASONS, GAP_REASONS, SIGNAL_KINDS, TRACKS, toOffset } from '@playhead/schemas';
import { memoryCatalog } from '@playhead/testkit';
import * as fc from 'fast-check';
import { expect } from 'vitest';

const PROJECTS = ['shop', 'blog'];
const SESSIONS = ['session-1', 'session-2', 'session-3'];
const T0 = 1_768_478_400_000;

// Few values of each kind, so that they meet: equal starts, facts that are overwritten, pages that come again.
const time = fc.integer({ min: T0, max: T0 + 50 });
const small = fc.nat({ max: 5 });
const word = fc.oneof(fc.constantFrom('/a', '/b', 'url', 'userId', ''), fc.string({ unit: 'grapheme', maxLength: 6 }));
const facts = fc.dictionary(word, word, { maxKeys: 3, noNullPrototype: true });
const session = fc.record({ projectId: fc.constantFrom(...PROJECTS), sessionId: fc.constantFrom(...SESSIONS) });

const entry = fc.record({
  session,
  times: fc.tuple(time, time, time, time),
  counts: fc.tuple(small, small, small, small),
  windows: fc.uniqueArray(word, { maxLength: 3 }),
  pages: fc.uniqueArray(word, { maxLength: 4 }),
  facts,
  marks: fc.uint8Array({ maxLength: 9 }),
  frameIndex: fc.uint8Array({ maxLength: 9 }),
});
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;

function blockOf(from: Entry, first: number, last: number): FlushBlock {
  const { session: identity, times, counts, ...rest } = from;
  const [frames, clicks, errors, uploads] = counts;
  const none = { images: 0, keyframes: 0, inputs: 0, navigations: 0, consoles: 0, requests: 0, crashes: 0, customs: 0, gaps: uploads };
  return {
    ...identity,
    ...rest,
    blockOffset: 0,
    blockLength: frames * 100,
    firstOffset: toOffset(first),
    lastOffset: toOffset(last),
    firstTimestampMs: frames === 0 ? 0 : Math.min(times[0], times[1]),
    lastTimestampMs: frames === 0 ? 0 : Math.max(times[0], times[1]),
    firstReceivedAtMs: Math.min(times[2], times[3]),
    lastReceivedAtMs: Math.max(times[2], times[3]),
    counts: { ...none, frames, clicks, errors },
    uploads,
    duplicates: 0,
    rejected: 0,
    bytesReceived: uploads * 10,
  };
}

const signal = fc.record({
  session,
  index: small,
  kind: fc.constantFrom(...SIGNAL_KINDS),
  text: fc.option(word, { nil: undefined }),
  x: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: undefined }),
  gap: fc.option(
    fc.record(
      { reason: fc.constantFrom(...GAP_REASONS), fromMs: time, frames: fc.maxSafeNat(), track: fc.constantFrom(...TRACKS) },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  ),
});

const step = fc.oneof(
  fc.record({
    kind: fc.constant('flush' as const),
    blocks: fc.uniqueArray(entry, { maxLength: 4, selector: (one) => `${one.session.projectId} ${one.session.sessionId}` }),
    signals: fc.uniqueArray(signal, { maxLength: 4, selector: (one) => `${one.session.projectId} ${one.session.sessionId} ${one.index}` }),
    gap: fc.boolean(),
    times: fc.constantFrom(1, 1, 2),
  }),
  // `ahead`: the next flush is in it too, which nobody knows yet.
  fc.record({ kind: fc.constant('merge' as const), entries: fc.tuple(entry, entry), atMost: fc.nat({ max: 3 }), ahead: fc.boolean() }),
  fc.record({ kind: fc.constant('started' as const), session, startedAtMs: time, userId: word, source: word, facts }),
  fc.record({ kind: fc.constant('ended' as const), session, endedAtMs: time, reason: fc.constantFrom(...END_REASONS) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Applies the steps as a log would bring them: flushes in a chain of ten offsets each, facts one offset each, merges of what is left. */
async function apply(catalog: Catalog, steps: readonly Step[]): Promise<void> {
  let prev = -1;
  let mergeNumber = 0;
  const mergedTo = new Map<string, number>();
  for (const [at, one] of steps.entries()) {
    if (one.kind === 'merge') {
      const stretches = one.entries.flatMap((from) => {
        const key = `${from.session.projectId} ${from.session.sessionId}`;
        const first = (mergedTo.get(key) ?? -1) + 10;
        const last = one.ahead ? prev + 10 : Math.min(prev, first + one.atMost * 10);
        if (last < first) return [];
        mergedTo.set(key, last);
        return [{ ...blockOf(from, first - 9, last), firstFlush: toOffset(first), lastFlush: toOffset(last) }];
      });
      const merge: Merge = {
        partition: 0,
        number: ++mergeNumber,
        objectKey: `p0/merged-${mergeNumber}`,
        objectBytes: 1,
        createdAtMs: T0 + at,
        writer: 'test',
        blocks: stretches,
      };
      await catalog.applyMerge(merge, toOffset(at + 1), []);
      continue;
    }
    if (one.kind !== 'flush') {
      await catalog.applyFacts(0, [{ offset: toOffset(at), fact: factOf(one) }], toOffset(at + 1));
      continue;
    }
    const first = prev + (one.gap ? 6 : 1);
    const last = toOffset(prev + 10);
    const flush: Flush = {
      partition: 0,
      prevLastOffset: toOffset(prev),
      firstOffset: toOffset(first),
      lastOffset: last,
      objectKey: `p0/${last}`,
      objectBytes: 1,
      createdAtMs: T0 + at,
      writer: 'test',
      gap: one.gap ? { firstOffset: toOffset(prev + 1), lastOffset: toOffset(first - 1) } : null,
      blocks: one.blocks.map((from) => blockOf(from, first, last)),
    };
    const signals = one.signals.map(({ session: identity, index, kind, text, x, gap }): SignalRow => {
      const parts = { ...(text === undefined ? {} : { text }), ...(x === undefined ? {} : { x: x + 0 }), ...gap };
      return { ...identity, windowId: 'w', position: { offset: last, index }, timestampMs: T0, signal: { kind, ...parts } };
    });
    for (let time = 0; time < one.times; time++) await catalog.applyFlush(flush, toOffset(at + 1), signals);
    prev = last;
  }
}

function factOf(one: Exclude<Step, { kind: 'flush' | 'merge' }>): PositionedFact['fact'] {
  const { session: identity, ...fact } = one;
  return { ...identity, ...fact };
}

async function everything(catalog: Catalog): Promise<unknown> {
  const answers: unknown[] = [await catalog.progress(0)];
  answers.push(await catalog.mergeable({ partition: 0, endedFromMs: T0 + 5, endedBeforeMs: T0 + 45, limit: 500 }));
  const keys = Array.from({ length: 8 }, (_, i) => [`p0/${i * 10 + 9}`, `p0/merged-${i + 1}`]).flat();
  for (const beforeMs of [T0, T0 + 3, T0 + 99]) answers.push([...(await catalog.objectsInUse(0, keys, beforeMs))].toSorted());
  for (const projectId of PROJECTS) {
    answers.push(await catalog.sessions({ projectId, limit: 500 }));
    answers.push(await catalog.sessions({ projectId, limit: 1, live: true, startedBeforeMs: T0 + 40 }));
    for (const sessionId of SESSIONS) {
      answers.push(await catalog.session(projectId, sessionId), await catalog.blocks(projectId, sessionId, 0));
      answers.push(await catalog.signals(projectId, sessionId));
    }
  }
  return answers;
}

/**
 * Whatever the log brings, a catalog answers as the one in memory does.
 *
 * @param within runs the work on an empty catalog and removes it
 */
export async function expectSameAsMemory(
  within: (work: (catalog: Catalog) => Promise<void>) => Promise<void>,
  runs: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) =>
      within(async (catalog) => {
        const memory = memoryCatalog();
        await apply(catalog, steps);
        await apply(memory, steps);
        expect(await everything(catalog)).toEqual(await everything(memory));
      }),
    ),
    { numRuns: runs },
  );
}
