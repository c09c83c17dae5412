import type { Catalog } from '@playhead/ports';
import type { SessionInfo } from '@playhead/schemas';
import { LIMITS, NO_OFFSET, toOffset } from '@playhead/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CatalogUnderTest } from './catalog-fixtures.ts';
import { aChainedFlush, aFlushBlock, aSignalRow, counts, ended, PROJECT, started, T0 } from './catalog-fixtures.ts';
import { mergingRules } from './merging-contract.ts';

const TEXTS = [
  `it's "quoted" and 'quoted'`,
  'back\\slash \\n \\\' \\" \\\\',
  'zero\u0000byte, tab\t, line\r\nfeed, \u2028 and \u001b',
  '😀 é ü 漢字 \u{1f469}\u200d\u{1f4bb}',
  "'; DROP TABLE sessions; -- {name:String} $$ /* */ %s",
  '',
  ' ',
  'NULL',
  '\\N',
];

/** Registers the suite of the rules CA1 to CA17 (SPEC.md of the ports) for one adapter. */
export function catalogContract(name: string, factory: () => Promise<CatalogUnderTest>): void {
  describe(`catalog contract: ${name}`, () => {
    let under: CatalogUnderTest;
    let catalog: Catalog;

    beforeEach(async () => {
      under = await factory();
      catalog = under.catalog;
    });
    afterEach(() => under.dispose());

    const info = async (sessionId: string): Promise<SessionInfo> => {
      const found = await catalog.session(PROJECT, sessionId);
      if (!found) throw new Error(`no session ${sessionId}`);
      return found;
    };
    /** Everything that a reader can see of some sessions. */
    const everything = async (...sessionIds: string[]): Promise<unknown> => [
      await catalog.sessions({ projectId: PROJECT, limit: 500 }),
      await catalog.progress(0),
      ...(await Promise.all(sessionIds.map((id) => catalog.blocks(PROJECT, id, 0)))),
      ...(await Promise.all(sessionIds.map((id) => catalog.signals(PROJECT, id)))),
    ];

    test('[CA1] migrating again, by several at once and with data, changes nothing', async () => {
      await catalog.applyFlush(aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0)]), toOffset(1), []);
      const before = await everything('session-a');
      const others = under.alongside ? [await under.alongside(), await under.alongside()] : [];
      await Promise.all([catalog.migrate(), ...others.map((other) => other.migrate()), catalog.migrate()]);
      expect(await everything('session-a')).toEqual(before);
      for (const other of others) {
        expect(await other.progress(0)).toEqual(await catalog.progress(0));
        await other.close();
      }
      expect(await everything('session-a')).toEqual(before);
    });

    test('[CA2] a flush that is applied again, also by two at once, changes nothing', async () => {
      const block = aFlushBlock('session-a', 0, { counts: counts({ clicks: 3, frames: 7 }), pages: ['/a'], facts: { a: '1' } });
      const signals = [aSignalRow('session-a', 0, 0, { kind: 'click' }), aSignalRow('session-a', 0, 1, { kind: 'click' })];
      const first = aChainedFlush(-1, 0, 5, [block, aFlushBlock('session-b', 3)]);
      const second = aChainedFlush(5, 6, 9, [aFlushBlock('session-a', 6)], { gap: { firstOffset: toOffset(6), lastOffset: toOffset(6) } });
      await catalog.applyFlush(first, toOffset(1), signals);
      await catalog.applyFlush(second, toOffset(2), []);
      const before = await everything('session-a', 'session-b');
      const other = (await under.alongside?.()) ?? catalog;
      await Promise.all([
        catalog.applyFlush(first, toOffset(1), signals),
        other.applyFlush(first, toOffset(1), signals),
        other.applyFlush(second, toOffset(2), []),
      ]);
      expect(await everything('session-a', 'session-b')).toEqual(before);
      expect((await info('session-a')).counts).toEqual(counts({ clicks: 3, frames: 8 }));
      if (other !== catalog) await other.close();
    });

    test('[CA2] facts that are applied again change nothing, and of two of a kind the first in the log counts', async () => {
      const first = started('session-a', 0, { userId: 'ann' });
      const end = ended('session-a', 2, { reason: 'closed', endedAtMs: T0 + 5000 });
      const later = [started('session-a', 3, { userId: 'bob', startedAtMs: T0 - 1 }), ended('session-a', 4, { reason: 'silence' })];
      await catalog.applyFacts(0, [first, end, ...later], toOffset(5));
      const before = await everything('session-a');
      expect(await info('session-a')).toMatchObject({ userId: 'ann', startedAtMs: T0, endReason: 'closed', endedAtMs: T0 + 5000 });
      await catalog.applyFacts(0, later, toOffset(5));
      await catalog.applyFacts(0, [first, end], toOffset(3));
      expect(await everything('session-a')).toEqual(before);
    });

    test('[CA3] blocks come in order up to the chain end that is named, those of other sessions and partitions do not', async () => {
      await catalog.applyFlush(aChainedFlush(-1, 0, 4, [aFlushBlock('session-a', 2)]), toOffset(1), []);
      await catalog.applyFlush(aChainedFlush(4, 5, 9, [aFlushBlock('session-b', 7)]), toOffset(2), []);
      const marks = Uint8Array.from({ length: 256 }, (_, i) => i);
      const frameIndex = Uint8Array.from({ length: 1024 }, (_, i) => (i * 7919) & 255);
      const last = aFlushBlock('session-a', 11, {
        blockOffset: 2 ** 40,
        blockLength: 12_345,
        firstOffset: toOffset(11),
        lastOffset: toOffset(13),
        windows: ['w1', 'w2'],
        counts: counts({ frames: 3, images: 1, keyframes: 2, errors: 5 }),
        uploads: 3,
        duplicates: 2,
        rejected: 1,
        pages: ['/a', '/b'],
        facts: { title: 'x' },
        marks,
        frameIndex,
      });
      const flush = aChainedFlush(9, 10, 14, [last, aFlushBlock('session-a', 12, { projectId: 'other' })]);
      await catalog.applyFlush(flush, toOffset(3), []);
      await catalog.applyFlush(aChainedFlush(-1, 0, 99, [aFlushBlock('session-c', 9)], { partition: 1 }), toOffset(1), []);

      const { chainEnd, blocks, gaps } = await catalog.blocks(PROJECT, 'session-a', 0);
      expect(chainEnd).toBe(14);
      expect(blocks.map((block) => block.flushLastOffset)).toEqual([4, 14]);
      expect(blocks[0]).toEqual({ ...aFlushBlock('session-a', 2), objectKey: 'p0/0-4', flushLastOffset: 4, merged: false });
      expect(blocks[1]).toEqual({ ...last, objectKey: 'p0/10-14', flushLastOffset: 14, merged: false });
      expect(gaps).toEqual([]);
      expect(await catalog.blocks(PROJECT, 'session-x', 0)).toEqual({ chainEnd: 14, blocks: [], gaps: [] });
      expect(await catalog.blocks(PROJECT, 'session-x', 7)).toEqual({ chainEnd: NO_OFFSET, blocks: [], gaps: [] });
    });

    test('[CA3] an entry without frames is among the blocks', async () => {
      const quiet = { blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: counts({ frames: 0 }) };
      await catalog.applyFlush(aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0, quiet)], { objectKey: '' }), toOffset(1), []);
      expect((await catalog.blocks(PROJECT, 'session-a', 0)).blocks).toMatchObject([{ blockLength: 0, objectKey: '' }]);
    });

    test('[CA3] a reader beside the writer never sees a chain end without the blocks before it', async () => {
      const reader = (await under.alongside?.()) ?? catalog;
      const flushes = 12;
      const written = new AbortController();
      const write = async (): Promise<void> => {
        for (let i = 0; i < flushes; i++) {
          const signals = [aSignalRow('session-a', i, 0, { kind: 'click' })];
          await catalog.applyFlush(aChainedFlush(i - 1, i, i, [aFlushBlock('session-a', i)]), toOffset(i + 1), signals);
        }
        written.abort();
      };
      const read = async (): Promise<void> => {
        do {
          const { chainEnd, blocks } = await reader.blocks(PROJECT, 'session-a', 0);
          expect(blocks.map((block) => block.flushLastOffset)).toEqual(Array.from({ length: chainEnd + 1 }, (_, i) => i));
          const signals = await reader.signals(PROJECT, 'session-a');
          expect(signals.length).toBeGreaterThanOrEqual(chainEnd + 1);
        } while (!written.signal.aborted);
      };
      await Promise.all([write(), read()]);
      expect((await reader.blocks(PROJECT, 'session-a', 0)).blocks).toHaveLength(flushes);
      if (reader !== catalog) await reader.close();
    });

    test('[CA4] counts and bytes are sums, windows are distinct, the duration is between the frames', async () => {
      const one = counts({ frames: 2, images: 1, keyframes: 1, clicks: 1, inputs: 2, navigations: 3, consoles: 4 });
      const two = counts({ frames: 5, clicks: 10, requests: 5, errors: 6, crashes: 7, customs: 8, gaps: 9 });
      const quiet = { blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: counts({ frames: 0 }), bytesReceived: 7 };
      const blocks = [
        aFlushBlock('session-a', 5, { counts: one, windows: ['w1', 'w2'], firstTimestampMs: T0 + 50, lastTimestampMs: T0 + 70 }),
        aFlushBlock('session-a', 11, { counts: two, windows: ['w2', 'w3'], firstTimestampMs: T0 + 10, lastTimestampMs: T0 + 60 }),
        aFlushBlock('session-a', 12, { ...quiet, windows: ['w1'], lastReceivedAtMs: T0 + 99_000 }),
      ];
      let prev = -1;
      for (const [i, block] of blocks.entries()) {
        await catalog.applyFlush(aChainedFlush(prev, block.firstOffset, block.lastOffset, [block]), toOffset(i + 1), []);
        prev = block.lastOffset;
      }
      const sum = { frames: 7, images: 1, keyframes: 1, clicks: 11, inputs: 2, navigations: 3, consoles: 4 };
      expect(await info('session-a')).toEqual({
        projectId: PROJECT,
        sessionId: 'session-a',
        userId: '',
        source: '',
        startedAtMs: T0 + 10,
        lastActivityMs: T0 + 99_000,
        endedAtMs: null,
        endReason: null,
        live: true,
        durationMs: 60,
        counts: { ...sum, requests: 5, errors: 6, crashes: 7, customs: 8, gaps: 9 },
        bytes: 2007,
        windows: 3,
        pages: [],
        facts: {},
      });
    });

    test('[CA4] pages are in order of first appearance, and bounded; of a fact the latest value counts', async () => {
      const many = Array.from({ length: LIMITS.pagesMax }, (_, i) => `/many/${i}`);
      await catalog.applyFacts(0, [started('session-a', 0, { facts: { browser: 'Firefox', title: 'none' } })], toOffset(1));
      const first = aFlushBlock('session-a', 9, { pages: ['/z', '/a'], facts: { title: 'Z', url: '/z' } });
      await catalog.applyFlush(aChainedFlush(-1, 0, 9, [first]), toOffset(1), []);
      await catalog.applyFlush(
        aChainedFlush(9, 10, 10, [aFlushBlock('session-a', 10, { pages: ['/m', '/z', '/b'], facts: { title: 'M', constructor: 'y' } })]),
        toOffset(2),
        [],
      );
      expect(await info('session-a')).toMatchObject({ pages: ['/z', '/a', '/m', '/b'] });
      expect((await info('session-a')).facts).toEqual({ browser: 'Firefox', title: 'M', url: '/z', constructor: 'y' });
      await catalog.applyFlush(aChainedFlush(10, 11, 11, [aFlushBlock('session-a', 11, { pages: many })]), toOffset(3), []);
      expect((await info('session-a')).pages).toEqual(['/z', '/a', '/m', '/b', ...many].slice(0, LIMITS.pagesMax));
    });

    test('[CA5] a session is live from its first fact until it is told ended; late uploads are added and do not reopen it', async () => {
      await catalog.applyFacts(0, [started('session-a', 0)], toOffset(1));
      expect(await info('session-a')).toMatchObject({ live: true, endedAtMs: null, endReason: null, lastActivityMs: T0, durationMs: 0 });
      await catalog.applyFlush(aChainedFlush(-1, 0, 0, [aFlushBlock('session-a', 0)]), toOffset(1), []);
      expect(await info('session-a')).toMatchObject({ live: true, startedAtMs: T0, lastActivityMs: T0 + 800 });
      await catalog.applyFacts(0, [ended('session-a', 1, { reason: 'silence', endedAtMs: T0 + 60_000 })], toOffset(2));
      const over = { live: false, endedAtMs: T0 + 60_000, endReason: 'silence' } as const;
      expect(await info('session-a')).toMatchObject({ ...over, lastActivityMs: T0 + 800 });
      await catalog.applyFlush(aChainedFlush(0, 1, 90, [aFlushBlock('session-a', 90)]), toOffset(2), []);
      await catalog.applyFacts(0, [started('session-a', 3)], toOffset(4));
      expect(await info('session-a')).toMatchObject({ ...over, counts: { frames: 2 }, lastActivityMs: T0 + 90_800 });
    });

    test('[CA6] sessions are listed by project, newest start first, and the cursor neither repeats nor leaves out', async () => {
      const facts = Array.from({ length: 23 }, (_, i) =>
        // Threes share a millisecond: the cursor must not fall between them.
        started(`session-${String(i).padStart(2, '0')}`, i, { startedAtMs: T0 + Math.floor(i / 3) * 10 }),
      );
      await catalog.applyFacts(0, facts, toOffset(23));
      await catalog.applyFacts(0, [started('session-00', 23, { projectId: 'other' })], toOffset(24));
      await catalog.applyFacts(0, [ended('session-05', 24)], toOffset(25));
      const all = await catalog.sessions({ projectId: PROJECT, limit: 500 });
      const wanted = facts.map((fact) => fact.fact.sessionId).toSorted();
      expect(all.map((session) => session.sessionId).toSorted()).toEqual(wanted);
      expect(all.every((session) => session.projectId === PROJECT)).toBe(true);
      expect(all.map((session) => session.startedAtMs)).toEqual(all.map((session) => session.startedAtMs).toSorted((a, b) => b - a));

      const paged: SessionInfo[] = [];
      for (let page = all.slice(0, 0), before: number | undefined; ; before = page.at(-1)?.startedAtMs) {
        page = [
          ...(await catalog.sessions({ projectId: PROJECT, limit: 4, ...(before === undefined ? {} : { startedBeforeMs: before }) })),
        ];
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(all);

      const over = await catalog.sessions({ projectId: PROJECT, live: false, limit: 10 });
      expect(over.map((session) => session.sessionId)).toEqual(['session-05']);
      expect(await catalog.sessions({ projectId: PROJECT, live: true, limit: 500 })).toEqual(all.filter((session) => session.live));
      expect(await catalog.sessions({ projectId: 'nobody', limit: 10 })).toEqual([]);
      expect(await catalog.session('other', 'session-01')).toBeNull();
      expect(await catalog.session('other', 'session-00')).not.toBeNull();
    });

    test('[CA6] a limit outside of 1 .. 500 is refused', async () => {
      await expect(catalog.sessions({ projectId: PROJECT, limit: 0 })).rejects.toThrow(RangeError);
      await expect(catalog.sessions({ projectId: PROJECT, limit: 501 })).rejects.toThrow(RangeError);
      await expect(catalog.sessions({ projectId: PROJECT, limit: 1.5 })).rejects.toThrow(RangeError);
    });

    test('[CA7] a session known by a start, an end or blocks alone is listed, and signals alone make none', async () => {
      await catalog.applyFacts(0, [started('session-start', 0, { startedAtMs: T0 + 3000, userId: 'ann', source: 'phone' })], toOffset(1));
      await catalog.applyFacts(0, [ended('session-end', 1, { endedAtMs: T0 + 2000, reason: 'told' })], toOffset(2));
      const quiet = { blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: counts({ frames: 0 }) };
      const blocks = [aFlushBlock('session-frames', 1), aFlushBlock('session-quiet', 0, quiet)];
      const signals = [aSignalRow('session-signal', 0, 0, { kind: 'click' })];
      await catalog.applyFlush(aChainedFlush(-1, 0, 1, blocks), toOffset(1), signals);
      const listed = await catalog.sessions({ projectId: PROJECT, limit: 10 });
      expect(listed.map((session) => [session.sessionId, session.startedAtMs, session.lastActivityMs, session.live])).toEqual([
        ['session-start', T0 + 3000, T0 + 3000, true],
        ['session-end', T0 + 2000, T0 + 2000, false],
        ['session-frames', T0 + 1000, T0 + 1800, true],
        ['session-quiet', T0 + 700, T0 + 800, true],
      ]);
      expect(listed[0]).toMatchObject({ userId: 'ann', source: 'phone' });
      expect(await catalog.session(PROJECT, 'session-signal')).toBeNull();
    });

    test('[CA13] the duration is between the frames; without any it is from the start to the end, or to the last activity, and never negative', async () => {
      const duration = async (sessionId: string): Promise<number> => (await info(sessionId)).durationMs;
      const skewed = started('session-skewed', 1, { startedAtMs: T0 + 90_000 });
      await catalog.applyFacts(0, [started('session-a', 0), skewed, started('session-quiet', 2)], toOffset(3));
      expect([await duration('session-a'), await duration('session-skewed')]).toEqual([0, 0]);
      const none = { blockLength: 0, firstTimestampMs: 0, lastTimestampMs: 0, counts: counts({ frames: 0 }) };
      const quiet = aFlushBlock('session-quiet', 4, { ...none, lastReceivedAtMs: T0 + 7000 });
      await catalog.applyFlush(aChainedFlush(-1, 0, 4, [quiet]), toOffset(1), []);
      expect(await duration('session-quiet')).toBe(7000);
      const ends = ['session-a', 'session-skewed', 'session-quiet'].map((id, i) => ended(id, 3 + i, { endedAtMs: T0 + 5000 }));
      await catalog.applyFacts(0, [...ends, ended('session-end', 6)], toOffset(7));
      expect(await duration('session-a')).toBe(5000);
      expect(await duration('session-skewed')).toBe(0);
      expect(await duration('session-quiet')).toBe(5000);
      expect(await duration('session-end')).toBe(0);
      await catalog.applyFlush(aChainedFlush(4, 5, 5, [aFlushBlock('session-a', 5)]), toOffset(2), []);
      expect(await duration('session-a')).toBe(500);
    });

    test('[CA14] the user is the one of the start; where that names none, the latest that uploads name', async () => {
      const facts = [started('session-a', 0), started('session-b', 1, { userId: 'ann' })];
      await catalog.applyFacts(0, facts, toOffset(2));
      const named = (userId: string, sessionId: string, offset: number) => aFlushBlock(sessionId, offset, { facts: { userId } });
      const first = [named('bob', 'session-a', 0), named('bob', 'session-b', 1), named('bob', 'session-c', 2)];
      await catalog.applyFlush(aChainedFlush(-1, 0, 2, first), toOffset(1), []);
      const users = async (): Promise<string[]> =>
        (await Promise.all(['session-a', 'session-b', 'session-c'].map(info))).map((session) => session.userId);
      expect(await users()).toEqual(['bob', 'ann', 'bob']);
      await catalog.applyFlush(aChainedFlush(2, 3, 4, [named('eve', 'session-a', 3), aFlushBlock('session-c', 4)]), toOffset(2), []);
      expect(await users()).toEqual(['eve', 'ann', 'bob']);
    });

    test('[CA8] signals are in order of position, each once, as they were', async () => {
      const rows = [
        aSignalRow('session-a', 10, 0, { kind: 'custom', text: 'late', value: '' }),
        aSignalRow('session-a', 9, 10, { kind: 'click', selector: '.checkout-btn', text: 'Pay', x: 10.5, y: -3 }),
        aSignalRow('session-a', 9, 9, { kind: 'navigation', url: '/cart' }, { windowId: 'w2' }),
        aSignalRow('session-a', 9, 2, { kind: 'request', url: '/api', value: '500', text: 'GET' }),
        aSignalRow('session-a', 9, 1, {
          kind: 'gap',
          reason: 'buffer_full',
          fromMs: T0,
          toMs: T0 + 1,
          frames: 0,
          bytes: 2 ** 40,
          track: 'dom',
        }),
        aSignalRow('session-a', 9, 0, { kind: 'tap' }),
      ];
      const flush = aChainedFlush(-1, 0, 10, [aFlushBlock('session-a', 9)]);
      await catalog.applyFlush(flush, toOffset(1), [...rows, aSignalRow('session-b', 9, 1, { kind: 'click' })]);
      await catalog.applyFlush(flush, toOffset(1), rows.slice(0, 2));
      expect(await catalog.signals(PROJECT, 'session-a')).toEqual(rows.toReversed());
      expect(await catalog.signals('other', 'session-a')).toEqual([]);
    });

    test('[CA9] progress begins at nothing, never falls, is its own for each partition, and is durable', async () => {
      const nothing = { chainEnd: NO_OFFSET, flushesNext: 0, sessionsNext: 0, mergeNumber: 0, mergesNext: 0 };
      expect(await catalog.progress(0)).toEqual(nothing);
      await catalog.applyFacts(0, [], toOffset(7));
      expect(await catalog.progress(0)).toEqual({ ...nothing, sessionsNext: 7 });
      await catalog.applyFlush(aChainedFlush(-1, 0, 4, []), toOffset(1), []);
      await catalog.applyFlush(aChainedFlush(4, 5, 9, []), toOffset(3), []);
      await catalog.applyFlush(aChainedFlush(-1, 0, 4, []), toOffset(1), []);
      await catalog.applyFacts(0, [], toOffset(5));
      await catalog.applyFlush(aChainedFlush(-1, 3, 2 ** 50, [], { partition: 1023 }), toOffset(2 ** 51), []);
      const again = (await under.reopen?.()) ?? catalog;
      expect(await again.progress(0)).toEqual({ ...nothing, chainEnd: 9, flushesNext: 3, sessionsNext: 7 });
      expect(await again.progress(1023)).toEqual({ ...nothing, chainEnd: 2 ** 50, flushesNext: 2 ** 51 });
      expect(await again.progress(1)).toEqual(nothing);
    });

    test('[CA9] what was applied is there after the catalog was opened again', async () => {
      await catalog.applyFacts(0, [started('session-a', 0, { userId: 'ann' })], toOffset(1));
      const flush = aChainedFlush(-1, 0, 3, [aFlushBlock('session-a', 3, { pages: ['/a'] })]);
      await catalog.applyFlush(flush, toOffset(1), [aSignalRow('session-a', 3, 0, { kind: 'click' })]);
      const before = await everything('session-a');
      catalog = (await under.reopen?.()) ?? catalog;
      await catalog.migrate();
      expect(await everything('session-a')).toEqual(before);
    });

    test('[CA10] a text that was cut within an emoji, and numbers as large as they get, are taken like others', async () => {
      const [half, whole] = ['cut \ud83d', 'cut \ufffd'];
      const signal = {
        kind: 'click',
        selector: half,
        text: half,
        url: half,
        value: half,
        x: Number.MAX_VALUE,
        y: -Number.MIN_VALUE,
      } as const;
      const block = aFlushBlock('session-a', 0, { pages: [half], facts: { [half]: half } });
      await catalog.applyFacts(0, [started('session-a', 0, { userId: half, source: half })], toOffset(1));
      await catalog.applyFlush(aChainedFlush(-1, 0, 0, [block]), toOffset(1), [aSignalRow('session-a', 0, 0, signal)]);
      const [row] = await catalog.signals(PROJECT, 'session-a');
      expect(row?.signal.text?.toWellFormed()).toBe(whole);
      expect((await catalog.blocks(PROJECT, 'session-a', 0)).chainEnd).toBe(0);
      expect((await info('session-a'))?.pages.map((page) => page.toWellFormed())).toEqual([whole]);
    });

    test('[CA10] text of any kind comes back as it went in', async () => {
      const facts = Object.fromEntries(
        [...TEXTS.entries()].flatMap(([i, text]) => [
          [`fact ${i}`, text],
          [text, `value ${i}`],
        ]),
      );
      const rows = TEXTS.map((text, i) => aSignalRow('session-a', 0, i, { kind: 'custom', selector: text, text, url: text, value: text }));
      const block = aFlushBlock('session-a', 0, { pages: TEXTS, facts });
      await catalog.applyFacts(
        0,
        TEXTS.map((text, i) => started(`session-${i}`, i, { userId: text, source: text })),
        toOffset(99),
      );
      await catalog.applyFlush(aChainedFlush(-1, 0, 0, [block], { objectKey: TEXTS.join('|'), writer: TEXTS[0] ?? '' }), toOffset(1), rows);
      for (const [i, text] of TEXTS.entries()) expect(await info(`session-${i}`)).toMatchObject({ userId: text, source: text });
      expect(await info('session-a')).toMatchObject({ pages: TEXTS, facts });
      expect(await catalog.signals(PROJECT, 'session-a')).toEqual(rows);
      expect((await catalog.blocks(PROJECT, 'session-a', 0)).blocks).toMatchObject([{ pages: TEXTS, facts, objectKey: TEXTS.join('|') }]);
      for (const text of TEXTS) {
        expect(await catalog.session(text, 'session-a')).toBeNull();
        expect(await catalog.session(PROJECT, text)).toBeNull();
        expect(await catalog.signals(text, text)).toEqual([]);
        await catalog.recordView({ projectId: PROJECT, sessionId: 'session-a', watchId: `watch ${text}`, viewer: text, startedAtMs: T0 });
      }
    });

    test('[CA11] a trimmed range is told to the sessions that were open across it, and to no other', async () => {
      await catalog.applyFacts(0, [started('session-lost', 0, { startedAtMs: T0 + 7000 })], toOffset(1));
      const overMs = T0 - 2 * LIMITS.sessionSilenceMs;
      const over = [started('session-over', 1, { startedAtMs: overMs }), ended('session-over', 2, { endedAtMs: overMs })];
      await catalog.applyFacts(0, over, toOffset(3));
      await catalog.applyFacts(0, [started('session-new', 3, { startedAtMs: T0 + 2 * LIMITS.sessionSilenceMs })], toOffset(4));
      const silent = [started('session-silent', 4), ended('session-silent', 5, { endedAtMs: T0 + 4000, reason: 'silence' })];
      await catalog.applyFacts(0, silent, toOffset(6));
      const before = [aFlushBlock('session-a', 5), aFlushBlock('session-silent', 3)];
      await catalog.applyFlush(aChainedFlush(-1, 0, 5, before), toOffset(1), []);
      const gap = { firstOffset: toOffset(6), lastOffset: toOffset(19) };
      const behind = [aFlushBlock('session-a', 20), aFlushBlock('session-new', 30)];
      await catalog.applyFlush(aChainedFlush(5, 20, 30, behind, { gap }), toOffset(2), []);
      await catalog.applyFacts(0, [ended('session-a', 6, { endedAtMs: T0 })], toOffset(7));
      const gapsOf = async (sessionId: string): Promise<unknown> => (await catalog.blocks(PROJECT, sessionId, 0)).gaps;
      expect(await gapsOf('session-a')).toEqual([gap]);
      expect(await gapsOf('session-lost')).toEqual([gap]);
      expect(await gapsOf('session-silent')).toEqual([gap]);
      expect(await gapsOf('session-over')).toEqual([]);
      expect(await gapsOf('session-new')).toEqual([]);
      expect(await gapsOf('session-unknown')).toEqual([]);
      expect((await catalog.blocks(PROJECT, 'session-a', 1)).gaps).toEqual([]);
    });

    mergingRules(() => under);

    test('[CA12] after close every call fails with unavailable', async () => {
      await catalog.close();
      await catalog.close();
      await expect(catalog.progress(0)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(catalog.session(PROJECT, 'session-a')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(catalog.applyFacts(0, [started('session-a', 0)], toOffset(1))).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}
