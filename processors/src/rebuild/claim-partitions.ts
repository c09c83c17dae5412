import type { Clock, EventLog } from '@playhead/ports';
import { PROCESSORS_GROUP } from '../start-processors.ts';

/** Processors work, so nobody else may take their place. */
export class ProcessorsAtWork extends Error {
  override readonly name = 'ProcessorsAtWork';
}

/** All partitions of the log in one hand. */
export interface PartitionClaim {
  /** Aborts when a partition is taken away: somebody has started processors. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * Joins the group of the processors, and waits until every partition has fallen to this member: then there is no other, and
 * one that comes is noticed.
 *
 * @param waitMs longer than the log takes to give on the partitions of a process that died
 * @throws {ProcessorsAtWork}
 */
export async function claimPartitions(log: EventLog, clock: Clock, waitMs: number): Promise<PartitionClaim> {
  const lost = new AbortController();
  const held = new Set<number>();
  const all = Promise.withResolvers<void>();
  let isClaimed = false;
  const membership = await log.join(PROCESSORS_GROUP, async (partition, signal) => {
    held.add(partition);
    if (held.size === log.partitions) all.resolve();
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    held.delete(partition);
    if (isClaimed) lost.abort();
  });
  const cancel = clock.setTimer(waitMs, () =>
    all.reject(new ProcessorsAtWork(`others hold ${log.partitions - held.size} of ${log.partitions} partitions`)),
  );
  try {
    await all.promise;
  } catch (error) {
    await membership.leave();
    throw error;
  } finally {
    cancel();
  }
  isClaimed = true;
  return {
    lost: lost.signal,
    async release() {
      isClaimed = false;
      await membership.leave();
    },
  };
}
