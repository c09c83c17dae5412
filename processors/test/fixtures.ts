import type { BlockStore, Catalog, EventLog, Logger } from '@playhead/ports';
import type { Flush, Offset, PositionedFrame, Topic, TopicRecords, Upload } from '@playhead/schemas';
import { decodeBlock, EMPTY_CHAIN, extendsChain, followChain } from '@playhead/schemas';
import type { ManualClock } from '@playhead/testkit';
import { manualClock, memoryBlocks, memoryCatalog, memoryLog, silentLogger } from '@playhead/testkit';
import { decompressPiece } from '@playhead/uploads';
import type { CompactorDeps } from '../src/compactor/compactor-driver.ts';
import { BufferBudget } from '../src/runtime/buffer-budget.ts';
import type { ProcessorSettings } from '../src/settings.ts';
import { DEFAULT_SETTINGS } from '../src/settings.ts';

export const START_MS = 1_750_000_000_000;

/** One partition of fakes. */
export interface World {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  readonly clock: ManualClock;
}

export function aWorld(options: { readonly holeEvery?: number; readonly partitions?: number } = {}): World {
  const clock = manualClock(START_MS);
  const { partitions = 1, holeEvery = 0 } = options;
  const log = memoryLog({ partitions, holeEvery, now: () => clock.now(), setTimer: (ms, run) => clock.setTimer(ms, run) });
  return { log, blocks: memoryBlocks(), catalog: memoryCatalog(), clock };
}

export interface CompactorOverrides extends Partial<Omit<CompactorDeps, 'settings'>> {
  readonly settings?: Partial<ProcessorSettings>;
  readonly logger?: Logger;
}

export function compactorDeps(world: World, overrides: CompactorOverrides = {}): CompactorDeps {
  const settings = { ...DEFAULT_SETTINGS, ...overrides.settings };
  const budget = new BufferBudget(settings.bufferBytesMax);
  const { log, blocks, clock } = world;
  return { log, blocks, clock, logger: silentLogger, random: () => 0.5, writer: 'w', budget, ...overrides, settings };
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves time on in small steps until the condition holds. */
export async function until(clock: ManualClock, condition: () => boolean | Promise<boolean>, stepMs = 250): Promise<void> {
  for (let step = 0; step < 4_000; step++) {
    if (await condition()) return;
    clock.advance(stepMs);
    await settle(4);
  }
  throw new Error('the condition never came true');
}

/** A promise that is waited for while time moves on. */
export async function whileTimePasses<T>(clock: ManualClock, promise: Promise<T>, stepMs = 250): Promise<T> {
  let isDone = false;
  const done = promise.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  await until(clock, () => isDone, stepMs);
  return done;
}

export async function appendUploads(log: EventLog, uploads: readonly Upload[], partition = 0): Promise<Offset[]> {
  const offsets: Offset[] = [];
  for (const upload of uploads) offsets.push(await log.append('playhead.uploads', partition, upload.sessionId, upload));
  return offsets;
}

/** All records of a topic's partition that are there now. */
export async function recordsOf<T extends Topic>(log: EventLog, topic: T, partition = 0): Promise<(TopicRecords[T] | null)[]> {
  const { first, next } = await log.bounds(topic, partition);
  const stop = new AbortController();
  const records: (TopicRecords[T] | null)[] = [];
  if (first === next) return records;
  const timer = setTimeout(() => stop.abort(), 20);
  for await (const batch of log.read(topic, partition, first, { signal: stop.signal })) {
    records.push(...batch.records.map(({ record }) => record));
    if (batch.next >= next) break;
  }
  clearTimeout(timer);
  return records;
}

/** The valid flushes of a partition, by the one rule. */
export async function validFlushes(log: EventLog, partition = 0): Promise<Flush[]> {
  let chain = EMPTY_CHAIN;
  const valid: Flush[] = [];
  for (const flush of await recordsOf(log, 'playhead.flushes', partition)) {
    if (flush === null || !extendsChain(chain, flush)) continue;
    valid.push(flush);
    chain = followChain(chain, flush);
  }
  return valid;
}

/** What a viewer of the blocks sees of each session: the frames of all valid flushes, in order. */
export async function framesInBlocks(
  { log, blocks }: Pick<World, 'log' | 'blocks'>,
  partition = 0,
): Promise<Map<string, PositionedFrame[]>> {
  const sessions = new Map<string, PositionedFrame[]>();
  for (const flush of await validFlushes(log, partition)) {
    for (const { sessionId, blockOffset, blockLength } of flush.blocks) {
      const frames = sessions.get(sessionId) ?? [];
      sessions.set(sessionId, frames);
      if (blockLength === 0) continue;
      const bytes = await blocks.get(flush.objectKey, { offset: blockOffset, length: blockLength });
      frames.push(...decodeBlock(bytes, decompressPiece));
    }
  }
  return sessions;
}
