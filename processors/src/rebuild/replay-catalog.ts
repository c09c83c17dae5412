import type { CatalogProgress } from '@playhead/ports';
import type { Partition } from '@playhead/schemas';
import { NO_OFFSET } from '@playhead/schemas';
import type { ProjectionDeps, ProjectionStats } from '../catalog/projection-driver.ts';
import { Projection } from '../catalog/projection-driver.ts';
import { GivenUp, untilDone } from '../runtime/retry.ts';

/** Partitions that are replayed at the same time: while one waits for the block store, another one fills the catalog. */
const PARTITIONS_AT_ONCE = 4;

export interface ReplayStats {
  readonly partition: Partition;
  readonly projection: Readonly<ProjectionStats>;
}

export interface CatalogReplay {
  /**
   * Resolves when the catalog holds what the log held at the start.
   *
   * @throws {GivenUp} when the signal aborts: whoever projects next goes on where this stopped
   */
  readonly done: Promise<void>;
  /** What was done in each partition that was begun. */
  stats(): readonly ReplayStats[];
}

/**
 * Fills an empty catalog from the log, with the projection that processors run, up to where the log ends now. Nobody else
 * may project meanwhile. Log, store and catalog are waited for.
 */
export function replayCatalog(deps: ProjectionDeps, signal: AbortSignal): CatalogReplay {
  const begun: Projection[] = [];
  const waiting = Array.from({ length: deps.log.partitions }, (_, partition) => partition);

  async function worker(ends: AbortSignal): Promise<void> {
    for (let partition = waiting.shift(); partition !== undefined; partition = waiting.shift()) {
      await expectEmpty(deps, partition, ends);
      const projection = new Projection(deps, partition);
      begun.push(projection);
      await replay(deps, projection, ends);
    }
  }

  async function work(): Promise<void> {
    const failed = new AbortController();
    const ends = AbortSignal.any([signal, failed.signal]);
    const outcomes = await Promise.allSettled(
      Array.from({ length: PARTITIONS_AT_ONCE }, () =>
        worker(ends).catch((error: unknown) => {
          failed.abort();
          throw error;
        }),
      ),
    );
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    if (reasons.length > 0) throw reasons.find((reason) => !(reason instanceof GivenUp)) ?? reasons[0];
  }

  return { done: work(), stats: () => begun.map(({ partition, stats: projection }) => ({ partition, projection })) };
}

/** A projection goes on where the catalog is: what was not dropped, or came in between, would leave holes. */
async function expectEmpty(deps: ProjectionDeps, partition: Partition, signal: AbortSignal): Promise<void> {
  const { chainEnd, mergeNumber, sessionsNext } = await progressOf(deps, partition, signal);
  if (chainEnd !== NO_OFFSET || mergeNumber !== 0 || sessionsNext !== 0)
    throw new Error(`partition ${partition} of the catalog is not empty: does another process write to it?`);
}

async function replay(deps: ProjectionDeps, projection: Projection, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const running = projection.run(AbortSignal.any([signal, stop.signal]));
  // Whoever waits for the end hears of it.
  running.catch(() => undefined);
  const what = `learn where partition ${projection.partition} of the log ends`;
  try {
    await untilDone(deps, what, () => projection.catchUp(), { ...deps.settings, signal });
  } finally {
    stop.abort();
    await running;
  }
  if (signal.aborted) throw new GivenUp('the time is over');
  // A catalog that gathers what it is given has it in its tables when it has answered.
  await progressOf(deps, projection.partition, signal);
}

function progressOf(deps: ProjectionDeps, partition: Partition, signal: AbortSignal): Promise<CatalogProgress> {
  const what = `read the progress of partition ${partition}`;
  return untilDone(deps, what, () => deps.catalog.progress(partition), { ...deps.settings, signal });
}
