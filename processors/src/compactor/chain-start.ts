import type { BlockStore, EventLog } from '@playhead/ports';
import type { Chain, Flush, Offset, Partition } from '@playhead/schemas';
import { BytesFault, EMPTY_CHAIN, extendsChain, nextOffset, PlayheadError, toOffset } from '@playhead/schemas';
import { checkpointPrefix } from '../core/object-key.ts';
import { Lifecycle } from '../lifecycle/core/lifecycle.ts';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields, untilDone } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import type { Checkpoint } from './core/checkpoint.ts';
import { agrees, decodeCheckpoint } from './core/checkpoint.ts';
import { KnownSessions } from './core/known-sessions.ts';

/** The flush that ends a chain, and where its record is. */
export interface ChainTip {
  readonly flush: Flush;
  readonly offset: Offset;
}

/** What a compactor knows when it begins. */
export interface ChainStart {
  readonly chain: Chain;
  /** null for an empty chain, and right after a checkpoint while nothing was followed. */
  readonly tip: ChainTip | null;
  /** Where to read `playhead.flushes` on. */
  readonly flushesNext: Offset;
  /** Where to read `playhead.sessions` from. */
  readonly sessionsNext: Offset;
  readonly known: KnownSessions;
  readonly lifecycle: Lifecycle;
  /** Records of `playhead.flushes` read to get here: bounded by the checkpoints, not by history. */
  readonly flushesRead: number;
  /** Flushes on the way that did not extend the chain. */
  readonly invalid: number;
  /** Flushes since the checkpoint. */
  readonly sinceCheckpoint: number;
}

export interface ChainStartDeps extends Runtime {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly settings: ProcessorSettings;
}

/**
 * Finds the end of a partition's flush chain: from the newest checkpoint that the log confirms, or from the beginning,
 * and then along `playhead.flushes` to where it ended when this was called. A process that stands still may see less of it.
 *
 * @param bornMs since when this process listens: see {@link Lifecycle}
 * @throws {GivenUp} when the signal aborts; errors of log and store are retried
 */
export async function findChainEnd(deps: ChainStartDeps, partition: Partition, bornMs: number, signal: AbortSignal): Promise<ChainStart> {
  const { retryFirstMs, retryMaxMs } = deps.settings;
  const what = `find the chain of partition ${partition}`;
  return untilDone(deps, what, () => find(deps, partition, bornMs, signal), { signal, retryFirstMs, retryMaxMs });
}

async function find(deps: ChainStartDeps, partition: Partition, bornMs: number, signal: AbortSignal): Promise<ChainStart> {
  const { log, settings, logger } = deps;
  const bounds = await log.bounds('playhead.flushes', partition);
  const { checkpoint, tip, flushesRead: checked } = await newestCheckpoint(deps, partition, bounds.next, signal);
  const nowMs = deps.clock.now();
  const known = new KnownSessions(checkpoint?.newestMs, checkpoint?.known);
  const lifecycle = new Lifecycle(bornMs, settings, checkpoint?.open, checkpoint?.ended);

  let chain: Chain = checkpoint ? { end: checkpoint.flush.lastOffset } : EMPTY_CHAIN;
  let lastTip = tip;
  let [flushesRead, invalid, sinceCheckpoint] = [checked, 0, 0];
  const from = checkpoint ? nextOffset(checkpoint.flushesOffset) : bounds.first;
  // No further than what was read: what looked like a hole may have been a process that stood still. Then the flushes behind it
  // are seen as the next one is read back, and that one has lost.
  let flushesNext = from;
  const stretch = { topic: 'playhead.flushes', partition, from, to: bounds.next } as const;
  for await (const { offset, record } of readUpTo(log, deps, stretch, { signal, holeWaitMs: settings.holeWaitMs })) {
    flushesRead++;
    flushesNext = nextOffset(offset);
    if (record === null || !extendsChain(chain, record)) {
      invalid++;
      continue;
    }
    chain = { end: record.lastOffset };
    lastTip = { flush: record, offset };
    sinceCheckpoint++;
    for (const block of record.blocks) {
      lifecycle.flushed(block);
      try {
        known.learn(block, Math.min(nowMs, record.createdAtMs));
      } catch (error) {
        logger.error({ ...errorFields(error), partition, offset, sessionId: block.sessionId }, 'the marks of a flush are damaged');
      }
    }
  }
  return {
    chain,
    tip: lastTip,
    known,
    lifecycle,
    flushesRead,
    invalid,
    sinceCheckpoint,
    flushesNext,
    sessionsNext: checkpoint?.sessionsNext ?? toOffset(0),
  };
}

interface FoundCheckpoint {
  readonly checkpoint: Checkpoint | null;
  readonly tip: ChainTip | null;
  readonly flushesRead: number;
}

/** The newest checkpoint that can be read and that the log confirms. Older ones follow; without any, the beginning. */
async function newestCheckpoint(deps: ChainStartDeps, partition: Partition, end: Offset, signal: AbortSignal): Promise<FoundCheckpoint> {
  const { blocks, logger } = deps;
  const keys: string[] = [];
  for await (const object of blocks.list(checkpointPrefix(partition))) keys.push(object.key);
  let flushesRead = 0;
  for (const key of keys.toReversed()) {
    const checkpoint = await readCheckpoint(deps, key);
    if (checkpoint === null || checkpoint.partition !== partition) continue;
    const flush = checkpoint.flushesOffset < end ? await flushAt(deps, partition, checkpoint.flushesOffset, signal) : null;
    if (flush !== null) flushesRead++;
    if (flush !== null && agrees(checkpoint, flush)) {
      return { checkpoint, tip: { flush, offset: checkpoint.flushesOffset }, flushesRead };
    }
    logger.warn({ partition, key }, 'a checkpoint disagrees with the log; trying an older one');
  }
  return { checkpoint: null, tip: null, flushesRead };
}

async function readCheckpoint({ blocks, logger }: ChainStartDeps, key: string): Promise<Checkpoint | null> {
  try {
    return decodeCheckpoint(await blocks.get(key));
  } catch (error) {
    const missing = error instanceof PlayheadError && error.code === 'not_found';
    if (!missing && !(error instanceof BytesFault) && !(error instanceof RangeError)) throw error;
    logger.warn({ ...errorFields(error), key }, 'a checkpoint cannot be read; trying an older one');
    return null;
  }
}

/** The flush whose record is at exactly this offset, or null. */
async function flushAt(deps: ChainStartDeps, partition: Partition, offset: Offset, signal: AbortSignal): Promise<Flush | null> {
  const stretch = { topic: 'playhead.flushes', partition, from: offset, to: nextOffset(offset) } as const;
  const options = { signal, holeWaitMs: deps.settings.holeWaitMs, batchBytesMax: 1 };
  try {
    for await (const { record } of readUpTo(deps.log, deps, stretch, options)) return record;
  } catch (error) {
    if (error instanceof PlayheadError && error.code === 'position_gone') return null;
    throw error;
  }
  return null;
}
