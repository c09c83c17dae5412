import type { BlockStore, EventLog } from '@playhead/ports';
import type { Flush, Merge, Upload } from '@playhead/schemas';
import { encodeFrames, PlayheadError, toOffset } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, anUpload, aSignalFrame, EXAMPLE_SESSION, uploadsOf } from '@playhead/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import { ObjectTally } from '../src/rebuild/core/object-tally.ts';
import type { CheckedFlush } from '../src/rebuild/rebuild-objects.ts';
import { checkMerges, rebuildObjects } from '../src/rebuild/rebuild-objects.ts';
import { GivenUp } from '../src/runtime/retry.ts';
import type { CompactorOverrides, World } from './fixtures.ts';
import { appendUploads, aWorld, compactorDeps, recordsOf, START_MS, validFlushes, whileTimePasses } from './fixtures.ts';
import { allMerged, ended, flushed, projected } from './merging-world.ts';

const SETTINGS = { flushAgeMs: 1_000, checkpointEveryFlushes: 2, holeWaitMs: 300, retryMaxMs: 1_000 };

/** Compacts what is there, as one flush, and stops. */
async function compact(world: World, overrides: CompactorOverrides = {}): Promise<void> {
  const compactor = new Compactor(compactorDeps(world, { ...overrides, settings: SETTINGS }), 0);
  const stop = new AbortController();
  const ended = compactor.run(stop.signal);
  await whileTimePasses(world.clock, compactor.flushNow());
  stop.abort();
  await whileTimePasses(world.clock, ended);
}

async function rebuild(world: Pick<World, 'log' | 'blocks' | 'clock'>, repair = true): Promise<CheckedFlush[]> {
  const { signal } = new AbortController();
  const { writer: _, ...deps } = compactorDeps(world as World, { settings: SETTINGS });
  const checked: CheckedFlush[] = [];
  const all = async (): Promise<void> => {
    for await (const one of rebuildObjects(deps, 0, { repair, signal })) checked.push(one);
  };
  await whileTimePasses(world.clock, all());
  return checked;
}

const kinds = (checked: readonly CheckedFlush[]): string[] => checked.map(({ outcome }) => outcome.kind);

/** Every object of the valid flushes, by key. */
async function objects({ log, blocks }: World): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { objectKey } of await validFlushes(log)) {
    if (objectKey !== '') found.set(objectKey, Buffer.from(await blocks.get(objectKey)).toString('hex'));
  }
  return found;
}

async function damage(blocks: BlockStore, key: string, at: number): Promise<void> {
  const bytes = await blocks.get(key);
  bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 0x5a;
  await replace(blocks, key, bytes);
}

async function replace(blocks: BlockStore, key: string, bytes: Uint8Array): Promise<void> {
  await blocks.delete(key);
  await blocks.put(key, [bytes]);
}

const noFrames = new TextEncoder().encode('no frames at all');
const upload: fc.Arbitrary<Upload> = fc
  .record({
    sessionId: fc.constantFrom('session-a', 'session-b', 'session-c'),
    windowId: fc.constantFrom('w1', 'w2'),
    counter: fc.option(fc.nat(5), { nil: null }),
    uploadId: fc.constantFrom('u1', 'u2', 'u3'),
    body: fc.constantFrom('good', 'signal', 'empty', 'truncated', 'garbage'),
    salt: fc.nat(3),
  })
  .map(({ body, salt, ...fields }) => anUpload({ ...fields, receivedAtMs: START_MS, body: bodyOf(body, salt) }));

function bodyOf(kind: string, salt: number): Uint8Array {
  const good = encodeFrames([aDomKeyframe(START_MS, `text ${salt}`), aDomChange(START_MS + 1), aSignalFrame(START_MS + 2)]);
  if (kind === 'signal') return encodeFrames([aSignalFrame(START_MS + salt, { kind: 'error', text: `e${salt}` })]);
  if (kind === 'empty') return encodeFrames([]);
  if (kind === 'truncated') return good.slice(0, good.length - 5 - salt);
  return kind === 'garbage' ? noFrames : good;
}

/** The flush of somebody who lost the race for the same uploads: it names an object of its own. */
const loser = (flush: Flush): Flush => ({ ...flush, writer: 'zombie', objectKey: 'uploads/p0000/zombie' });

describe('objects', () => {
  test('[RB1] [RB2] whatever was uploaded, every object that is missing or damaged is made again byte for byte', async () => {
    const step = fc.record({ uploads: fc.array(upload, { maxLength: 6 }), losers: fc.nat(2) });
    const faults = fc.array(fc.record({ flush: fc.nat(5), missing: fc.boolean(), at: fc.nat(5_000) }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), faults, fc.nat(3), async (steps, hits, holeEvery) => {
        const world = aWorld({ holeEvery });
        for (const { uploads, losers } of steps) {
          await appendUploads(world.log, uploads);
          await compact(world);
          const last = (await validFlushes(world.log)).at(-1);
          const late = last ? Array.from({ length: losers }, () => loser(last)) : [];
          for (const flush of late) await world.log.append('playhead.flushes', 0, '', flush);
        }
        const before = await objects(world);
        const keys = [...before.keys()];
        const hit = new Set<string>();
        for (const { flush, missing, at } of hits) {
          const key = keys[flush % Math.max(1, keys.length)];
          if (key === undefined || hit.has(key)) continue;
          hit.add(key);
          if (missing) await world.blocks.delete(key);
          else await damage(world.blocks, key, at);
        }
        const checked = await rebuild(world);
        expect(await objects(world)).toEqual(before);
        for (const { flush, outcome } of checked) {
          expect(outcome.kind).toBe(flush.objectKey === '' ? 'none' : hit.has(flush.objectKey) ? 'rebuilt' : 'whole');
        }
        expect(checked).toHaveLength((await validFlushes(world.log)).length);
      }),
      { numRuns: 40 },
    );
  });

  test('[RB2] what counted is told by the marks of each flush alone, also where a compactor had forgotten an upload and took it again', async () => {
    const world = aWorld();
    const [first, second, third] = uploadsOf(3) as [Upload, Upload, Upload];
    await appendUploads(world.log, [first, second, second]);
    await compact(world);
    await appendUploads(world.log, [second, third, first]);
    await compact(world);
    world.clock.advance(1);
    // Four days later, by its own clock, the session is forgotten and its first upload comes again.
    const late = START_MS + 5 * 24 * 60 * 60 * 1000;
    await appendUploads(world.log, uploadsOf(1, { sessionId: 'other-session', receivedAtMs: late }));
    world.clock.advance(late - START_MS + 1);
    await compact(world);
    await appendUploads(world.log, [first]);
    await compact(world);
    const flushes = await validFlushes(world.log);
    expect(flushes.map(({ blocks }) => blocks.map(({ uploads, duplicates }) => [uploads, duplicates]))).toEqual([
      [[2, 1]],
      [[1, 2]],
      [[1, 0]],
      [[1, 0]],
    ]);
    const before = await objects(world);
    for (const key of before.keys()) await world.blocks.delete(key);
    expect(kinds(await rebuild(world))).toEqual(['rebuilt', 'rebuilt', 'rebuilt', 'rebuilt']);
    expect(await objects(world)).toEqual(before);
  });

  test('[RB1] objects that are whole are left alone, and so are those of flushes that lost', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(2));
    await compact(world);
    const [flush] = await validFlushes(world.log);
    await world.log.append('playhead.flushes', 0, '', loser(flush as Flush));
    const puts: string[] = [];
    const blocks: BlockStore = {
      ...world.blocks,
      put: (key) => Promise.reject(new Error(`put ${key}`)),
      delete: (key) => Promise.reject(new Error(`delete ${key}`)),
      get: (key) => {
        puts.push(key);
        return world.blocks.get(key);
      },
    };
    expect(kinds(await rebuild({ ...world, blocks }))).toEqual(['whole']);
    expect(puts).toEqual([...(await objects(world)).keys()]);
  });

  test('[RB1] a check changes nothing, and names the blocks that cannot be read', async () => {
    const world = aWorld();
    await appendUploads(world.log, [...uploadsOf(1), ...uploadsOf(1, { sessionId: 'other-session' })]);
    await compact(world);
    await appendUploads(world.log, uploadsOf(2).slice(1));
    await compact(world);
    const [damaged, missing] = [...(await objects(world)).keys()] as [string, string];
    await damage(world.blocks, damaged, 20);
    await world.blocks.delete(missing);
    const before = Buffer.from(await world.blocks.get(damaged)).toString('hex');
    const checked = await rebuild(world, false);
    expect(checked.map(({ outcome }) => outcome)).toMatchObject([
      { kind: 'faulty', fault: 'damaged', unreadable: [{ sessionId: uploadsOf(1)[0]?.sessionId }] },
      { kind: 'faulty', fault: 'missing', unreadable: [{ sessionId: uploadsOf(1)[0]?.sessionId }] },
    ]);
    expect(Buffer.from(await world.blocks.get(damaged)).toString('hex')).toBe(before);
    expect(await world.blocks.size(missing)).toBeNull();
  });

  test('[RB1] an object with bytes behind its last block, and one that was cut off, are damaged', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(1));
    await compact(world);
    const before = await objects(world);
    const [[key, hex]] = [...before] as [[string, string]];
    const bytes = Buffer.from(hex, 'hex');
    for (const [wrong, unreadable] of [
      [Buffer.concat([bytes, Buffer.from([0])]), 0],
      [bytes.subarray(0, bytes.length - 1), 1],
      [new Uint8Array(), 1],
    ] as const) {
      await replace(world.blocks, key, wrong);
      const [checked] = await rebuild(world);
      expect(checked?.outcome).toMatchObject({ kind: 'rebuilt', fault: 'damaged' });
      expect(checked?.outcome).toHaveProperty('unreadable.length', unreadable);
      expect(await objects(world)).toEqual(before);
    }
  });

  test('[RB1] a flush behind a gap is made again with its gap', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(2));
    world.clock.advance(100 * 60 * 60 * 1000);
    await world.log.trim(world.clock.now());
    await appendUploads(world.log, uploadsOf(4).slice(2));
    await compact(world);
    const [flush] = await validFlushes(world.log);
    expect(flush?.gap).not.toBeNull();
    const before = await objects(world);
    for (const key of before.keys()) await world.blocks.delete(key);
    expect(kinds(await rebuild(world))).toEqual(['rebuilt']);
    expect(await objects(world)).toEqual(before);
  });

  test('[RB1] a record that is no upload costs nothing but itself', async () => {
    const world = aWorld();
    const log: EventLog = {
      ...world.log,
      async *read(topic, partition, from, options) {
        for await (const batch of world.log.read(topic, partition, from, options)) {
          const records = batch.records.map((one) =>
            topic === 'playhead.uploads' && one.offset === 1 ? { offset: one.offset, key: one.key, record: null, fault: 'no upload' } : one,
          );
          yield { ...batch, records };
        }
      },
    };
    await appendUploads(log, uploadsOf(3));
    await compact({ ...world, log });
    const before = await objects(world);
    for (const key of before.keys()) await world.blocks.delete(key);
    expect(kinds(await rebuild({ ...world, log }))).toEqual(['rebuilt']);
    expect(await objects(world)).toEqual(before);
  });

  test('[RB3] uploads that give other bytes write nothing, and leave a damaged object as it is', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(2));
    // What another version may do: this one keeps the last frame of an upload to itself.
    await compact(world, {
      readUpload: async (one) => {
        const { readUploadAsync } = await import('@playhead/uploads');
        const { frames, fault } = await readUploadAsync(one);
        return { frames: frames.slice(0, -1), fault };
      },
    });
    const [key = ''] = (await objects(world)).keys();
    await damage(world.blocks, key, 20);
    const before = await objects(world);
    expect(kinds(await rebuild(world))).toEqual(['different']);
    expect(await objects(world)).toEqual(before);
    await world.blocks.delete(key);
    expect(kinds(await rebuild(world))).toEqual(['different']);
    expect(await world.blocks.size(key)).toBeNull();
  });

  test('[RB4] an object whose uploads are gone, all or some, is lost and told; what is damaged stays as it is', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(1));
    await compact(world);
    await appendUploads(world.log, uploadsOf(2).slice(1));
    world.clock.advance(100 * 60 * 60 * 1000);
    await appendUploads(world.log, uploadsOf(3).slice(2));
    await compact(world);
    await appendUploads(world.log, uploadsOf(4).slice(3));
    await compact(world);
    await world.log.trim(world.clock.now());
    const before = await objects(world);
    const [all = '', some = '', none = ''] = before.keys();
    await world.blocks.delete(all);
    await damage(world.blocks, some, 20);
    await world.blocks.delete(none);
    const damaged = Buffer.from(await world.blocks.get(some)).toString('hex');
    const tally = new ObjectTally({ chainEnd: toOffset(0), mergeNumber: 0 });
    for (const { flush, outcome } of await rebuild(world))
      tally.add(flush, outcome.kind, 'unreadable' in outcome ? outcome.unreadable : []);
    expect(tally).toMatchObject({ flushes: 3, objects: { trimmed: 2, rebuilt: 1, whole: 0 }, lost: 2, unreadable: 2, chainEnd: 3 });
    // The catalog had the first flush only.
    expect(tally.signalsInCatalogOnly).toBe(1);
    expect(Buffer.from(await world.blocks.get(some)).toString('hex')).toBe(damaged);
    expect(Buffer.from(await world.blocks.get(none)).toString('hex')).toBe(before.get(none));
  });

  test('[RB5] a log and a store that fail are waited for; a second run after a death in the middle ends the same', async () => {
    const world = aWorld();
    for (let i = 0; i < 3; i++) {
      await appendUploads(world.log, uploadsOf(i + 1).slice(i));
      await compact(world);
    }
    const before = await objects(world);
    for (const key of before.keys()) await damage(world.blocks, key, 30);
    let [calls, failures] = [0, 0];
    const sometimes = async <T>(work: () => Promise<T>): Promise<T> => {
      if (calls++ % 3 === 1 && failures++ < 20) throw new PlayheadError('unavailable', 'planned');
      return work();
    };
    const blocks: BlockStore = {
      ...world.blocks,
      get: (...args) => sometimes(() => world.blocks.get(...args)),
      put: (...args) => sometimes(() => world.blocks.put(...args)),
      delete: (...args) => sometimes(() => world.blocks.delete(...args)),
    };
    const log: EventLog = {
      ...world.log,
      bounds: (...args) => sometimes(() => world.log.bounds(...args)),
      async *read(...args) {
        await sometimes(async () => undefined);
        for await (const batch of world.log.read(...args)) {
          yield batch;
          await sometimes(async () => undefined);
        }
      },
    };
    // Dies after the damaged object was deleted.
    const dying: BlockStore = { ...world.blocks, put: () => Promise.reject(new TypeError('killed')) };
    await expect(rebuild({ ...world, blocks: dying })).rejects.toThrow('killed');
    expect(kinds(await rebuild({ ...world, log, blocks }))).toEqual(['rebuilt', 'rebuilt', 'rebuilt']);
    expect(await objects(world)).toEqual(before);
  });

  test('ends when it is told to', async () => {
    const world = aWorld();
    await appendUploads(world.log, uploadsOf(1));
    await compact(world);
    const { writer: _, ...deps } = compactorDeps(world);
    const stop = new AbortController();
    stop.abort();
    await expect(rebuildObjects(deps, 0, { repair: true, signal: stop.signal }).next()).rejects.toBeInstanceOf(GivenUp);
  });
});

describe('merges', () => {
  const kindsOfMerges = async (world: World): Promise<string[]> => {
    const { writer: _, ...deps } = compactorDeps(world, { settings: SETTINGS });
    const found: string[] = [];
    const all = async (): Promise<void> => {
      for await (const { outcome } of checkMerges(deps, 0, new AbortController().signal)) found.push(outcome.kind);
    };
    await whileTimePasses(world.clock, all());
    return found;
  };

  /** Three flushes of two sessions, of which one ended and was merged; the other is in the last of them. */
  async function aMergedWorld(): Promise<World> {
    const world = aWorld();
    for (let i = 0; i < 3; i++) {
      const live = i === 2 ? uploadsOf(1, { sessionId: 'other-session' }) : [];
      await flushed(world, [...uploadsOf(i + 1).slice(i), ...live]);
    }
    await ended(world.log, [EXAMPLE_SESSION]);
    await projected(world);
    await allMerged(world);
    return world;
  }

  test('[RB9] an object whose blocks have all been replaced is neither missed nor made again, one that is still read is', async () => {
    const world = await aMergedWorld();
    const before = await objects(world);
    const [first = '', second = '', third = ''] = before.keys();
    await world.blocks.delete(first);
    await damage(world.blocks, second, 30);
    await world.blocks.delete(third);
    const checked = await rebuild(world, false);
    expect(kinds(checked)).toEqual(['replaced', 'replaced', 'faulty']);
    // Of the third only the block of the live session is missed.
    expect(checked[2]?.outcome).toMatchObject({ unreadable: [{ sessionId: 'other-session' }] });
    expect(kinds(await rebuild(world))).toEqual(['replaced', 'replaced', 'rebuilt']);
    expect(await world.blocks.size(first)).toBeNull();
    expect(Buffer.from(await world.blocks.get(third)).toString('hex')).toBe(before.get(third));
    const tally = new ObjectTally();
    for (const { flush, outcome } of await rebuild(world)) tally.add(flush, outcome.kind);
    expect(tally).toMatchObject({ flushes: 3, objects: { replaced: 2, whole: 1 }, lost: 0, unreadable: 0 });
  });

  test('[RB9] what a merge that does not count has taken is still missed', async () => {
    const world = await aMergedWorld();
    await flushed(world, uploadsOf(4).slice(3));
    const [merge] = (await recordsOf(world.log, 'playhead.merges')) as [Merge];
    const late = merge.blocks.map((block) => ({ ...block, lastFlush: toOffset(100) }));
    await world.log.append('playhead.merges', 0, '', { ...merge, blocks: late });
    const last = [...(await objects(world)).keys()].at(-1) ?? '';
    await world.blocks.delete(last);
    expect(kinds(await rebuild(world, false))).toEqual(['replaced', 'replaced', 'whole', 'faulty']);
  });

  test('[RB9] the objects of merges are read, too: one that is missing or damaged is told', async () => {
    const world = await aMergedWorld();
    expect(await kindsOfMerges(world)).toEqual(['whole']);
    const [merge] = (await recordsOf(world.log, 'playhead.merges')) as [Merge];
    await damage(world.blocks, merge.objectKey, 30);
    expect(await kindsOfMerges(world)).toEqual(['faulty']);
    await world.blocks.delete(merge.objectKey);
    expect(await kindsOfMerges(world)).toEqual(['faulty']);
    const tally = new ObjectTally({ chainEnd: toOffset(0), mergeNumber: 1 });
    tally.addMerge(merge, 'faulty', merge.blocks);
    expect(tally).toMatchObject({ merges: 1, mergeNumber: 1, lost: 1, unreadable: 1, signalsInCatalogOnly: 3 });
  });
});
