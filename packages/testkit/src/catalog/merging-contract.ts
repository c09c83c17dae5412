import type { Catalog, MergeableQuery } from '@playhead/ports';
import type { FlushBlock, Merge } from '@playhead/schemas';
import { NO_OFFSET, toOffset } from '@playhead/schemas';
import { expect, test } from 'vitest';
import type { CatalogUnderTest } from './catalog-fixtures.ts';
import {
  aChainedFlush,
  aFlushBlock,
  aMergedBlock,
  aNumberedMerge,
  aSignalRow,
  counts,
  ended,
  HOUR_MS,
  PROJECT,
  T0,
} from './catalog-fixtures.ts';

const QUIET = { blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: counts({ frames: 0 }) };
const SPAN: MergeableQuery = { partition: 0, endedFromMs: 0, endedBeforeMs: Number.MAX_SAFE_INTEGER, limit: 500 };

/** The rules of merges. Called inside of the suite of the Catalog port. */
export function mergingRules(opened: () => CatalogUnderTest): void {
  /** Flushes of one offset each, from 0: the blocks of each. */
  const flushed = async (catalog: Catalog, ...flushes: readonly (readonly FlushBlock[])[]): Promise<void> => {
    for (const [at, blocks] of flushes.entries()) {
      await catalog.applyFlush(aChainedFlush(at - 1, at, at, blocks), toOffset(at + 1), []);
    }
  };
  const merged = (catalog: Catalog, merge: Merge): Promise<void> => catalog.applyMerge(merge, toOffset(merge.number), []);
  /** What `blocks` answers: of each the flush that it reaches to, `m` before that of a merged one. */
  const seen = async (catalog: Catalog, sessionId: string): Promise<string[]> =>
    (await catalog.blocks(PROJECT, sessionId, 0)).blocks.map((block) => `${block.merged ? 'm' : ''}${block.flushLastOffset}`);
  const mergeable = async (catalog: Catalog, query: Partial<MergeableQuery> = {}): Promise<unknown[]> =>
    (await catalog.mergeable({ ...SPAN, ...query })).map(({ sessionId, bytes }) => [sessionId, bytes]);
  const used = async (catalog: Catalog, keys: readonly string[], replacedBeforeMs = Number.MAX_SAFE_INTEGER): Promise<string[]> =>
    [...(await catalog.objectsInUse(0, keys, replacedBeforeMs))].toSorted();

  test('[CA15] a merged block is answered in the place of those that it replaces, whole, and the session stays what it was', async () => {
    const { catalog } = opened();
    const block = (offset: number): FlushBlock => aFlushBlock('session-a', offset, { pages: [`/${offset}`], facts: { at: `${offset}` } });
    await flushed(catalog, [block(0), aFlushBlock('session-b', 0)], [block(1)], [aFlushBlock('session-a', 2, QUIET)], [block(3)]);
    const before = [await catalog.session(PROJECT, 'session-a'), await catalog.sessions({ projectId: PROJECT, limit: 10 })];
    const whole = aMergedBlock('session-a', 0, 2, {
      blockOffset: 2 ** 40,
      blockLength: 12_345,
      windows: ['w1', 'w2'],
      counts: counts({ frames: 2, images: 1, gaps: 4 }),
      uploads: 3,
      duplicates: 2,
      rejected: 1,
      pages: ['/0', '/1'],
      facts: { at: '1' },
      marks: Uint8Array.from({ length: 256 }, (_, i) => i),
      frameIndex: Uint8Array.from({ length: 1024 }, (_, i) => (i * 7919) & 255),
    });
    await merged(catalog, aNumberedMerge(1, [whole], { objectKey: 'p0/merged' }));
    const { chainEnd, blocks } = await catalog.blocks(PROJECT, 'session-a', 0);
    const { firstFlush: _first, lastFlush, ...rest } = whole;
    expect(chainEnd).toBe(3);
    expect(blocks).toEqual([
      { ...rest, objectKey: 'p0/merged', flushLastOffset: lastFlush, merged: true },
      { ...block(3), objectKey: 'p0/3-3', flushLastOffset: 3, merged: false },
    ]);
    expect(await seen(catalog, 'session-b')).toEqual(['0']);
    expect([await catalog.session(PROJECT, 'session-a'), await catalog.sessions({ projectId: PROJECT, limit: 10 })]).toEqual(before);
  });

  test('[CA15] stretches without a frame are merged, too, and a merge may have no object', async () => {
    const { catalog } = opened();
    await flushed(catalog, [aFlushBlock('session-a', 0, QUIET)], [aFlushBlock('session-a', 1, QUIET)]);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1, QUIET)], { objectKey: '' }));
    expect((await catalog.blocks(PROJECT, 'session-a', 0)).blocks).toMatchObject([{ blockLength: 0, objectKey: '', merged: true }]);
  });

  test('[CA15] a session in several merges, two sessions in one, and a late block behind them are in order of position', async () => {
    const { catalog } = opened();
    const both = (offset: number): FlushBlock[] => [aFlushBlock('session-a', offset), aFlushBlock('session-b', offset)];
    await flushed(catalog, both(0), both(1), both(2), both(3), both(4));
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-b', 0, 4), aMergedBlock('session-a', 0, 1)]));
    expect([await seen(catalog, 'session-a'), await seen(catalog, 'session-b')]).toEqual([['m1', '2', '3', '4'], ['m4']]);
    await merged(catalog, aNumberedMerge(2, [aMergedBlock('session-a', 2, 2), aMergedBlock('session-a', 3, 4)]));
    await catalog.applyFlush(aChainedFlush(4, 5, 5, both(5)), toOffset(6), []);
    expect([await seen(catalog, 'session-a'), await seen(catalog, 'session-b')]).toEqual([
      ['m1', 'm2', 'm4', '5'],
      ['m4', '5'],
    ]);
  });

  test('[CA15] sessions of the same name in other projects and partitions keep their blocks', async () => {
    const { catalog } = opened();
    await flushed(catalog, [aFlushBlock('session-a', 0), aFlushBlock('session-a', 0, { projectId: 'other' })]);
    await catalog.applyFlush(aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0)], { partition: 1 }), toOffset(1), []);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 0)]));
    expect(await seen(catalog, 'session-a')).toEqual(['m0']);
    expect((await catalog.blocks('other', 'session-a', 0)).blocks).toMatchObject([{ merged: false }]);
    expect((await catalog.blocks(PROJECT, 'session-a', 1)).blocks).toMatchObject([{ merged: false }]);
  });

  test('[CA3] [CA15] what is asked at once, by many and of many, is what each would be answered alone', async () => {
    const { catalog } = opened();
    const first = [aFlushBlock('session-a', 0), aFlushBlock('session-a', 0, { projectId: 'other' }), aFlushBlock('session-b', 0)];
    await flushed(catalog, first, [aFlushBlock('session-a', 1), aFlushBlock('session-b', 1)]);
    const gap = { firstOffset: toOffset(0), lastOffset: toOffset(2) };
    await catalog.applyFlush(aChainedFlush(-1, 0, 3, [aFlushBlock('session-a', 3)], { partition: 1, gap }), toOffset(1), []);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1), aMergedBlock('session-b', 0, 0)]));
    const named = [PROJECT, 'other'].flatMap((project) => ['session-a', 'session-b', 'session-c'].map((id) => [project, id] as const));
    const lists = named.flatMap(([project, id]) => [0, 1, 2].map((partition) => () => catalog.blocks(project, id, partition)));
    const infos = named.map(
      ([project, id]) =>
        () =>
          catalog.session(project, id),
    );
    const questions: readonly (() => Promise<unknown>)[] = [...lists, ...infos];
    const alone: unknown[] = [];
    for (const ask of questions) alone.push(await ask());
    const repeated = Array.from({ length: 5 }, () => questions).flat();
    expect(await Promise.all(repeated.map((ask) => ask()))).toEqual(Array.from({ length: 5 }, () => alone).flat());
    expect((await catalog.blocks(PROJECT, 'session-b', 0)).blocks).toMatchObject([{ merged: true }, { merged: false }]);
    expect((await catalog.blocks(PROJECT, 'session-a', 1)).gaps).toEqual([gap]);
  });

  test('[CA15] a merge that is known before its flushes is answered as soon as the last of them is known', async () => {
    const { catalog } = opened();
    const signal = aSignalRow('session-a', 1, 0, { kind: 'click' });
    await catalog.applyMerge(aNumberedMerge(1, [aMergedBlock('session-a', 0, 2)]), toOffset(1), [signal]);
    const answers = [await seen(catalog, 'session-a')];
    for (const at of [0, 1, 2, 3]) {
      await catalog.applyFlush(aChainedFlush(at - 1, at, at, [aFlushBlock('session-a', at)]), toOffset(at + 1), []);
      answers.push(await seen(catalog, 'session-a'));
    }
    expect(answers).toEqual([[], ['0'], ['0', '1'], ['m2'], ['m2', '3']]);
    expect(await catalog.signals(PROJECT, 'session-a')).toEqual([signal]);
    expect((await catalog.session(PROJECT, 'session-a'))?.counts).toEqual(counts({ frames: 4 }));
  });

  test('[CA15] a merge alone makes no session', async () => {
    const { catalog } = opened();
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 2)]));
    expect(await catalog.session(PROJECT, 'session-a')).toBeNull();
    expect(await catalog.sessions({ projectId: PROJECT, limit: 10 })).toEqual([]);
  });

  test('[CA2] a merge that is applied again, also by two at once and with its flushes, changes nothing', async () => {
    const under = opened();
    const { catalog } = under;
    const flush = aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0)]);
    const merge = aNumberedMerge(1, [aMergedBlock('session-a', 0, 0)]);
    const signals = [aSignalRow('session-a', 0, 0, { kind: 'click' })];
    await catalog.applyFlush(flush, toOffset(1), signals);
    await catalog.applyFacts(0, [ended('session-a', 0)], toOffset(1));
    await catalog.applyMerge(merge, toOffset(4), signals);
    const everything = async (): Promise<unknown> => [
      await catalog.progress(0),
      await catalog.blocks(PROJECT, 'session-a', 0),
      await catalog.signals(PROJECT, 'session-a'),
      await catalog.session(PROJECT, 'session-a'),
      await mergeable(catalog),
      await used(catalog, ['p0/0-0', 'p0/merged-1']),
    ];
    const before = await everything();
    const other = (await under.alongside?.()) ?? catalog;
    await Promise.all([
      catalog.applyMerge(merge, toOffset(4), signals),
      other.applyMerge(merge, toOffset(4), signals),
      other.applyFlush(flush, toOffset(1), signals),
    ]);
    expect(await everything()).toEqual(before);
    if (other !== catalog) await other.close();
  });

  test('[CA15] a reader beside the writer sees every upload once while merges are applied', async () => {
    const under = opened();
    const { catalog } = under;
    const reader = (await under.alongside?.()) ?? catalog;
    const flushes = 12;
    await flushed(catalog, ...Array.from({ length: flushes }, (_, at) => [aFlushBlock('session-a', at)]));
    const written = new AbortController();
    const write = async (): Promise<void> => {
      for (let at = 0; at < flushes; at += 2) await merged(catalog, aNumberedMerge(at / 2 + 1, [aMergedBlock('session-a', at, at + 1)]));
      written.abort();
    };
    const read = async (): Promise<void> => {
      do {
        const { blocks } = await reader.blocks(PROJECT, 'session-a', 0);
        const uploads = blocks.flatMap(({ firstOffset, lastOffset }) =>
          firstOffset === lastOffset ? [firstOffset] : [firstOffset, lastOffset],
        );
        expect(uploads).toEqual(Array.from({ length: flushes }, (_, i) => i));
      } while (!written.signal.aborted);
    };
    await Promise.all([write(), read()]);
    expect(await seen(reader, 'session-a')).toEqual(['m1', 'm3', 'm5', 'm7', 'm9', 'm11']);
    if (reader !== catalog) await reader.close();
  });

  test('[CA9] progress of merges is its own, never falls, and is durable', async () => {
    const under = opened();
    const { catalog } = under;
    await catalog.applyMerge(aNumberedMerge(1, []), toOffset(3), []);
    await catalog.applyMerge(aNumberedMerge(2, []), toOffset(2 ** 51), []);
    await catalog.applyMerge(aNumberedMerge(1, []), toOffset(3), []);
    await catalog.applyMerge(aNumberedMerge(1, [], { partition: 1 }), toOffset(1), []);
    await flushed(catalog, []);
    await catalog.applyFacts(0, [], toOffset(7));
    const again = (await under.reopen?.()) ?? catalog;
    expect(await again.progress(0)).toEqual({ chainEnd: 0, flushesNext: 1, sessionsNext: 7, mergeNumber: 2, mergesNext: 2 ** 51 });
    const other = { chainEnd: NO_OFFSET, flushesNext: 0, sessionsNext: 0, mergeNumber: 1, mergesNext: 1 };
    expect(await again.progress(1)).toEqual(other);
  });

  test('[CA16] sessions that ended within the span and have blocks of their own are named, the earliest end first', async () => {
    const { catalog } = opened();
    const names = ['session-a', 'session-b', 'session-c', 'session-live'];
    await flushed(
      catalog,
      names.map((name) => aFlushBlock(name, 0)),
      [aFlushBlock('session-b', 1, { blockLength: 2 ** 40 }), aFlushBlock('session-a', 1, QUIET)],
    );
    await catalog.applyFlush(aChainedFlush(-1, 0, 0, [aFlushBlock('session-elsewhere', 0)], { partition: 1 }), toOffset(1), []);
    const ends = [
      ended('session-a', 0, { endedAtMs: T0 + 3000 }),
      ended('session-b', 1, { endedAtMs: T0 + 1000 }),
      ended('session-c', 2, { endedAtMs: T0 + 2000 }),
      // Of two ends the first in the log counts, whichever of them is asked about.
      ended('session-c', 3, { endedAtMs: T0 + 9000 }),
      ended('session-empty', 4, { endedAtMs: T0 + 1500 }),
    ];
    await catalog.applyFacts(0, ends, toOffset(5));
    await catalog.applyFacts(1, [ended('session-elsewhere', 0, { endedAtMs: T0 + 1700 })], toOffset(1));
    expect(await catalog.mergeable(SPAN)).toEqual([
      { projectId: PROJECT, sessionId: 'session-b', endedAtMs: T0 + 1000, bytes: 2 ** 40 + 100 },
      { projectId: PROJECT, sessionId: 'session-c', endedAtMs: T0 + 2000, bytes: 100 },
      { projectId: PROJECT, sessionId: 'session-a', endedAtMs: T0 + 3000, bytes: 100 },
    ]);
    expect(await mergeable(catalog, { limit: 1 })).toEqual([['session-b', 2 ** 40 + 100]]);
    expect(await mergeable(catalog, { endedBeforeMs: T0 + 2000 })).toEqual([['session-b', 2 ** 40 + 100]]);
    expect(await mergeable(catalog, { endedFromMs: T0 + 2000, endedBeforeMs: T0 + 3000 })).toEqual([['session-c', 100]]);
    expect(await mergeable(catalog, { endedFromMs: T0 + 3001 })).toEqual([]);
    expect(await mergeable(catalog, { partition: 1 })).toEqual([['session-elsewhere', 100]]);
    for (const limit of [0, 501, 1.5]) await expect(catalog.mergeable({ ...SPAN, limit })).rejects.toThrow(RangeError);
  });

  test('[CA16] what is merged is off the list at once, what is left of a session or comes later is on it', async () => {
    const { catalog } = opened();
    const quiet = aFlushBlock('session-quiet', 0, QUIET);
    await flushed(catalog, [aFlushBlock('session-a', 0), quiet], [aFlushBlock('session-a', 1)], [aFlushBlock('session-a', 2)]);
    await catalog.applyFacts(0, [ended('session-quiet', 0, { endedAtMs: T0 }), ended('session-a', 1)], toOffset(2));
    expect(await mergeable(catalog)).toEqual([
      ['session-quiet', 0],
      ['session-a', 300],
    ]);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1), aMergedBlock('session-quiet', 0, 0, QUIET)]));
    expect(await mergeable(catalog)).toEqual([['session-a', 100]]);
    await merged(catalog, aNumberedMerge(2, [aMergedBlock('session-a', 2, 2)]));
    expect(await mergeable(catalog)).toEqual([]);
    await catalog.applyFlush(aChainedFlush(2, 3, 3, [aFlushBlock('session-a', 3, { blockLength: 7 })]), toOffset(4), []);
    expect(await mergeable(catalog)).toEqual([['session-a', 7]]);
  });

  test('[CA16] blocks of a merge that is known before the last of its flushes are not on the list', async () => {
    const { catalog } = opened();
    await catalog.applyFacts(0, [ended('session-a', 0)], toOffset(1));
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1)]));
    await flushed(catalog, [aFlushBlock('session-a', 0)]);
    expect(await seen(catalog, 'session-a')).toEqual(['0']);
    expect(await mergeable(catalog)).toEqual([]);
  });

  test('[CA17] the object of a flush is in use until all of its blocks were replaced by merges that are old enough', async () => {
    const { catalog } = opened();
    await flushed(catalog, [aFlushBlock('session-a', 0), aFlushBlock('session-b', 0)], [aFlushBlock('session-a', 1)]);
    const keys = ['p0/0-0', 'p0/1-1'];
    expect(await used(catalog, keys)).toEqual(keys);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1)]));
    expect(await used(catalog, keys)).toEqual(['p0/0-0']);
    expect(await used(catalog, keys, T0 + HOUR_MS)).toEqual(keys);
    await merged(catalog, aNumberedMerge(2, [aMergedBlock('session-b', 0, 0)]));
    expect(await used(catalog, keys, T0 + HOUR_MS + 1)).toEqual(['p0/0-0']);
    expect(await used(catalog, keys, T0 + 2 * HOUR_MS)).toEqual(['p0/0-0']);
    expect(await used(catalog, keys, T0 + 2 * HOUR_MS + 1)).toEqual([]);
  });

  test('[CA17] the object of a merge is in use, one that nothing names is not, nor that of a flush without blocks', async () => {
    const { catalog } = opened();
    await flushed(catalog, [aFlushBlock('session-a', 0)], []);
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 0)]));
    await catalog.applyFlush(
      aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0)], { partition: 1, objectKey: 'p1/0-0' }),
      toOffset(1),
      [],
    );
    const asked = ['p0/merged-1', 'p0/merged-2', 'p0/1-1', 'p0/0', 'p1/0-0', "p0/'0", 'nothing'];
    expect(await used(catalog, asked)).toEqual(['p0/merged-1']);
    expect(await used(catalog, asked, 0)).toEqual(['p0/merged-1']);
    expect(await used(catalog, [])).toEqual([]);
    expect([...(await catalog.objectsInUse(7, asked, 0))]).toEqual([]);
  });

  test('[CA17] the objects of flushes are in use while their merge waits for the rest of its flushes', async () => {
    const { catalog } = opened();
    await merged(catalog, aNumberedMerge(1, [aMergedBlock('session-a', 0, 1)]));
    await flushed(catalog, [aFlushBlock('session-a', 0)]);
    expect(await used(catalog, ['p0/0-0'])).toEqual(['p0/0-0']);
    await catalog.applyFlush(aChainedFlush(0, 1, 1, [aFlushBlock('session-a', 1)]), toOffset(2), []);
    expect(await used(catalog, ['p0/0-0', 'p0/1-1'])).toEqual([]);
  });

  test('[CA17] a hundred objects can be asked about, and no more', async () => {
    const { catalog } = opened();
    await flushed(catalog, [aFlushBlock('session-a', 0)]);
    const keys = Array.from({ length: 99 }, (_, i) => `p0/${'0'.repeat(60)}-${i}`);
    expect(await used(catalog, ['p0/0-0', ...keys])).toEqual(['p0/0-0']);
    await expect(catalog.objectsInUse(0, ['a', 'b', ...keys], 0)).rejects.toThrow(RangeError);
  });
}
