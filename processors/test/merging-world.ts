import type { BlockStore, Catalog, EventLog } from '@playhead/ports';
import { Turns } from '@playhead/ports';
import type { PositionedFrame, RawPiece, Upload } from '@playhead/schemas';
import { decodeBlock, rawBytesOf } from '@playhead/schemas';
import { aSessionEnded, EXAMPLE_PROJECT } from '@playhead/testkit';
import { compressPiece, decompressPiece } from '@playhead/uploads';
import { Projection } from '../src/catalog/projection-driver.ts';
import { Compactor } from '../src/compactor/compactor-driver.ts';
import type { MergerDeps } from '../src/merger/merger-driver.ts';
import { Merger } from '../src/merger/merger-driver.ts';
import type { SweepDeps } from '../src/sweep/sweep-driver.ts';
import { Sweep } from '../src/sweep/sweep-driver.ts';
import type { CompactorOverrides, World } from './fixtures.ts';
import { appendUploads, compactorDeps, START_MS, until, whileTimePasses } from './fixtures.ts';

const MINUTE_MS = 60_000;

/** Everything that ended is merged at once, and what that replaces is swept a minute later. */
export const AT_ONCE = {
  mergeAfterMs: 0,
  mergeAgeMs: 0,
  mergeBytesMin: 1,
  mergeTickMs: 1_000,
  sweepEveryMs: 10_000,
  sweepGraceMs: MINUTE_MS,
  flushAgeMs: 1_000,
  retryMaxMs: 1_000,
  holeWaitMs: 300,
};

export interface MergingOverrides extends CompactorOverrides {
  readonly catalog?: Catalog;
  readonly turns?: Turns;
  readonly compress?: (piece: RawPiece) => Promise<Uint8Array>;
}

/** Something that runs. */
export interface Running<T> {
  readonly it: T;
  readonly stop: () => Promise<void>;
}

export function mergingDeps(world: World, overrides: MergingOverrides = {}): MergerDeps & SweepDeps {
  const settings = { ...AT_ONCE, ...overrides.settings };
  // On this thread: what others need is not counted by a clock that is moved by hand.
  const compress = async (piece: RawPiece): Promise<Uint8Array> => compressPiece(rawBytesOf(piece));
  const deps = compactorDeps(world, { ...overrides, settings });
  return { catalog: world.catalog, turns: new Turns(1), compress, ...overrides, ...deps };
}

export const merging = (world: World, overrides?: MergingOverrides): Running<Merger> =>
  running(world, new Merger(mergingDeps(world, overrides), 0));
export const sweeping = (world: World, overrides?: MergingOverrides): Running<Sweep> =>
  running(world, new Sweep(mergingDeps(world, overrides), 0));
export const projecting = (world: World, overrides?: MergingOverrides): Running<Projection> =>
  running(world, new Projection(mergingDeps(world, overrides), 0));

function running<T extends { run(signal: AbortSignal): Promise<void> }>(world: World, it: T): Running<T> {
  const stop = new AbortController();
  const ended = it.run(stop.signal);
  return {
    it,
    stop: async () => {
      stop.abort();
      await whileTimePasses(world.clock, ended);
    },
  };
}

/** One flush with these uploads. */
export async function flushed(world: World, uploads: readonly Upload[]): Promise<void> {
  await appendUploads(world.log, uploads);
  const compactor = running(world, new Compactor(compactorDeps(world, { settings: AT_ONCE }), 0));
  await whileTimePasses(world.clock, compactor.it.flushNow(), 50);
  await compactor.stop();
}

/** The catalog knows everything that the log holds. */
export async function projected(world: World, overrides?: MergingOverrides): Promise<Projection> {
  const projection = projecting(world, overrides);
  await whileTimePasses(world.clock, projection.it.catchUp());
  await projection.stop();
  return projection.it;
}

export async function ended(log: EventLog, sessionIds: readonly string[], endedAtMs = START_MS): Promise<void> {
  for (const sessionId of sessionIds) await log.append('playhead.sessions', 0, sessionId, aSessionEnded({ sessionId, endedAtMs }));
}

/** True when no session of the catalog can be merged any more. */
export async function isAllMerged(catalog: Catalog): Promise<boolean> {
  return (await catalog.mergeable({ partition: 0, endedFromMs: 0, endedBeforeMs: Number.MAX_SAFE_INTEGER, limit: 500 })).length === 0;
}

/** Merges until nothing is left to be merged. */
export async function allMerged(world: World, overrides?: MergingOverrides): Promise<Merger> {
  const projection = projecting(world);
  const merger = merging(world, overrides);
  await until(world.clock, async () => isAllMerged(world.catalog), 500);
  await merger.stop();
  await projection.stop();
  return merger.it;
}

/** What a reader of the catalog gets of a session: every frame of its blocks, in order. */
export async function framesRead({ blocks, catalog }: Pick<World, 'blocks' | 'catalog'>, sessionId: string): Promise<PositionedFrame[]> {
  const frames: PositionedFrame[] = [];
  for (const { objectKey, blockOffset, blockLength } of (await catalog.blocks(EXAMPLE_PROJECT, sessionId, 0)).blocks) {
    if (blockLength === 0) continue;
    const bytes = await blocks.get(objectKey, { offset: blockOffset, length: blockLength });
    frames.push(...decodeBlock(bytes, decompressPiece));
  }
  return frames;
}

/** Of each block of a session the flush that it reaches to, `m` before that of a merged one. */
export async function blocksOf(catalog: Catalog, sessionId: string): Promise<string[]> {
  const { blocks } = await catalog.blocks(EXAMPLE_PROJECT, sessionId, 0);
  return blocks.map(({ merged, flushLastOffset }) => `${merged ? 'm' : ''}${flushLastOffset}`);
}

export async function keysOf(blocks: BlockStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blocks.list(prefix)) keys.push(key);
  return keys;
}
