import type { FlushBlock, SessionEnded, SessionStarted } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import { aFlush, aFlushBlock, aSessionEnded, aSessionStarted, EXAMPLE_START_MS, memoryCatalog, someCounts } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { mergedInfo, withFact } from '../src/directory/known-session.ts';

const STARTED = aSessionStarted();
const NAMELESS = aSessionStarted({ userId: '', facts: { userId: 'ada' } });
const ENDED = aSessionEnded({ endedAtMs: EXAMPLE_START_MS + 5_000 });
const ENDED_BEFORE = aSessionEnded({ endedAtMs: EXAMPLE_START_MS - 5_000 });
const FRAMES = aFlushBlock();
const QUIET = aFlushBlock({ blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: someCounts() });

/** What the catalog says of a session that it knows this much of. */
async function row(started: SessionStarted | null, block: FlushBlock | null, ended: SessionEnded | null) {
  const catalog = memoryCatalog();
  const facts = [started, ended].flatMap((fact, offset) => (fact === null ? [] : [{ offset: toOffset(offset), fact }]));
  await catalog.applyFacts(0, facts, toOffset(2));
  if (block !== null) await catalog.applyFlush(aFlush({ blocks: [block] }), toOffset(1), []);
  return catalog.session(STARTED.projectId, STARTED.sessionId);
}

describe('a session looks the same before and after the catalog has taken its facts over', () => {
  test.each([
    { what: 'known by its facts alone', started: STARTED, block: null, ended: ENDED },
    { what: 'that named its user in a fact', started: NAMELESS, block: null, ended: ENDED },
    { what: 'that ended before it started, by clocks that differ', started: STARTED, block: null, ended: ENDED_BEFORE },
    { what: 'with frames', started: STARTED, block: FRAMES, ended: ENDED },
    { what: 'with uploads without frames', started: STARTED, block: QUIET, ended: ENDED },
    { what: 'that is open', started: STARTED, block: null, ended: null },
  ])('$what', async ({ started, block, ended }) => {
    const facts = ended === null ? [started] : [started, ended];
    const known = facts.reduce<Parameters<typeof withFact>[0]>(withFact, undefined);
    // The pages of a start are the directory's own: the catalog knows pages from blocks.
    const after = { ...(await row(started, block, ended)), pages: expect.anything() };
    expect(mergedInfo(await row(started, block, null), known)).toEqual(after);
    // Before any flush the catalog may not have heard of the session at all.
    expect(mergedInfo(block === null ? null : await row(started, block, null), known)).toEqual(after);
  });
});
