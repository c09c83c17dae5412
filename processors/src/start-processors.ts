import type { BlockStore, Catalog, Clock, EventLog, Logger } from '@playhead/ports';
import { Turns } from '@playhead/ports';
import type { Partition, RawPiece } from '@playhead/schemas';
import type { ProjectionStats } from './catalog/projection-driver.ts';
import { Projection } from './catalog/projection-driver.ts';
import { Compactor } from './compactor/compactor-driver.ts';
import type { CompactorStats } from './compactor/compactor-stats.ts';
import type { MergerStats } from './merger/merger-driver.ts';
import { Merger } from './merger/merger-driver.ts';
import { BufferBudget } from './runtime/buffer-budget.ts';
import type { ProcessorSettings } from './settings.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type { SweepStats } from './sweep/sweep-driver.ts';
import { Sweep } from './sweep/sweep-driver.ts';

/** The group in which processors share the partitions of the log. */
export const PROCESSORS_GROUP = 'processors';

export interface ProcessorsDeps {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The name of this process in its flushes and merges: for people who look at logs. Unique among processes that run. */
  readonly writer: string;
  /** 0 <= value < 1, for the jitter of retries. Default: Math.random. */
  readonly random?: () => number;
  readonly settings?: Partial<ProcessorSettings>;
  /** Compresses the pieces of merged blocks. Default: `compressPieceWell` of uploads, on other threads. */
  readonly compress?: (piece: RawPiece) => Promise<Uint8Array>;
}

export interface ProcessorStats {
  readonly partition: Partition;
  readonly compactor: Readonly<CompactorStats>;
  readonly projection: Readonly<ProjectionStats>;
  readonly merger: Readonly<MergerStats>;
  readonly sweep: Readonly<SweepStats>;
}

export interface Processors {
  /** Flushes what is buffered, writes checkpoints and ends: within `stopFlushMs`, if log and stores answer or not. */
  stop(): Promise<void>;
  /**
   * Resolves when everything that the log held at the call, in the partitions of this process, is in valid flushes. The
   * catalog follows by itself.
   */
  flushNow(): Promise<void>;
  /** What was done in each partition that this process works on now. */
  stats(): readonly ProcessorStats[];
}

interface PartitionParts {
  readonly compactor: Compactor;
  readonly projection: Projection;
  readonly merger: Merger;
  readonly sweep: Sweep;
}

/**
 * Starts compaction, lifecycle, catalog projection, merges and sweeps of the partitions that fall to this process.
 * Migrating the catalog is the caller's part.
 */
export async function startProcessors(deps: ProcessorsDeps): Promise<Processors> {
  const settings: ProcessorSettings = { ...DEFAULT_SETTINGS, ...deps.settings };
  const { log, blocks, catalog, clock, logger, writer, random = Math.random, compress } = deps;
  const budget = new BufferBudget(settings.bufferBytesMax);
  const common = {
    log,
    blocks,
    catalog,
    clock,
    logger,
    writer,
    random,
    settings,
    budget,
    turns: new Turns(1),
    ...(compress && { compress }),
  };
  const running = new Map<Partition, PartitionParts>();

  const membership = await log.join(PROCESSORS_GROUP, async (partition, signal) => {
    const parts: PartitionParts = {
      compactor: new Compactor(common, partition),
      projection: new Projection(common, partition),
      merger: new Merger(common, partition),
      sweep: new Sweep(common, partition),
    };
    running.set(partition, parts);
    // One that breaks takes the others along: the partition is then worked on again from the beginning.
    const broken = new AbortController();
    const ends = AbortSignal.any([signal, broken.signal]);
    const guarded = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        logger.error({ partition, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'a processor broke');
        broken.abort();
        throw error;
      }
    };
    try {
      const outcomes = await Promise.allSettled(
        Object.values(parts).map((part: PartitionParts[keyof PartitionParts]) => guarded(part.run(ends))),
      );
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    } finally {
      if (running.get(partition) === parts) running.delete(partition);
    }
  });

  return {
    stop: () => membership.leave(),
    async flushNow() {
      await Promise.all([...running.values()].map(({ compactor }) => compactor.flushNow()));
    },
    stats: () =>
      [...running].map(([partition, { compactor, projection, merger, sweep }]) => ({
        partition,
        compactor: { ...compactor.stats },
        projection: { ...projection.stats },
        merger: { ...merger.stats },
        sweep: { ...sweep.stats },
      })),
  };
}
