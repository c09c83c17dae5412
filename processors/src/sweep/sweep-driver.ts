import type { BlockStore, Catalog } from '@playhead/ports';
import { pause } from '@playhead/ports';
import type { Partition } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { objectPrefixes } from '../core/object-key.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields, GivenUp, orGivenUp, spreadMs } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import { isPassed, nobodys } from './core/nobodys.ts';

export interface SweepDeps extends Runtime {
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  readonly settings: ProcessorSettings;
}

/** What a sweep did since it was made. */
export interface SweepStats {
  /** Times that it went through all objects. */
  passes: number;
  /** Objects that were removed. */
  removed: number;
  removedBytes: number;
}

/**
 * Removes the objects of a partition that nobody refers to. It goes through all of them every `sweepEveryMs`; a pass that fails is
 * made good by the next.
 */
export class Sweep {
  readonly partition: Partition;
  readonly stats: SweepStats = { passes: 0, removed: 0, removedBytes: 0 };
  readonly #deps: SweepDeps;

  constructor(deps: SweepDeps, partition: Partition) {
    this.#deps = deps;
    this.partition = partition;
  }

  /** Works until `signal` aborts. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, settings, logger } = this.#deps;
    for (;;) {
      // Spread: the partitions of many processes would go through the store in step.
      await pause(clock, spreadMs(settings.sweepEveryMs, random), signal);
      if (signal.aborted) return;
      try {
        await orGivenUp(this.#pass(signal), signal);
        this.stats.passes++;
      } catch (error) {
        if (error instanceof GivenUp) return;
        logger.warn({ ...errorFields(error), partition: this.partition }, 'could not sweep all objects; the next sweep tries again');
      }
    }
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { blocks, catalog } = this.#deps;
    // Before the keys: what becomes valid while they are listed is not passed.
    const progress = await catalog.progress(this.partition);
    let passed = new Map<string, number>();
    for (const prefix of objectPrefixes(this.partition)) {
      for await (const { key, bytes } of blocks.list(prefix)) {
        if (signal.aborted) return;
        if (isPassed(key, progress)) passed.set(key, bytes);
        if (passed.size < LIMITS.objectsAskedMax) continue;
        await this.#remove(passed, signal);
        passed = new Map();
      }
    }
    await this.#remove(passed, signal);
  }

  async #remove(passed: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
    if (passed.size === 0) return;
    const { blocks, catalog, clock, settings, logger } = this.#deps;
    const keys = [...passed.keys()];
    const inUse = await catalog.objectsInUse(this.partition, keys, clock.now() - settings.sweepGraceMs);
    for (const key of nobodys(keys, inUse)) {
      if (signal.aborted) return;
      await blocks.delete(key);
      this.stats.removed++;
      this.stats.removedBytes += passed.get(key) ?? 0;
      logger.debug({ partition: this.partition, objectKey: key }, 'removed an object that nobody refers to');
    }
  }
}
