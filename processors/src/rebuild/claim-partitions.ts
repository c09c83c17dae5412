import type { Clock, EventLog } from '@playhead/ports';
import { PROCESSORS_GROUP } from '../start-processors.ts';

/** Processors work, so nobody else may take their place. */
export class ProcessorsAtWork extends Error {
  override readonly name = 'ProcessorsAtWork';
}

/** All partitions of the log in one hand. */
export interface PartitionClaim {
  /** Aborts when a partition is asked back: somebody has started processors. They get it when the claim is released. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/**
 * Joins the group of the processors, and waits until every partition has fallen to this member: then there is no other, and
 * one that comes is noticed, and waits (the log lets it wait for some seconds).
 *
 * @param waitMs longer than the log takes to give on the partitions of a process that died
 * @throws {ProcessorsAtWork}
 */
export async function claimPartitions(log: EventLog, clock: Clock, waitMs: number): Promise<PartitionClaim> {
  const lost = new AbortController();
  const held = new Set<number>();
  const claimed = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let isClaimed = false;
  const membership = await log.join(PROCESSORS_GROUP, async (partition, signal) => {
    held.add(partition);
    if (held.size === log.partitions) {
      isClaimed = true;
      claimed.resolve();
    }
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    if (isClaimed) {
      lost.abort();
      await released.promise;
    }
    held.delete(partition);
  });
  const cancel = clock.setTimer(waitMs, () =>
    claimed.reject(new ProcessorsAtWork(`others hold ${log.partitions - held.size} of ${log.partitions} partitions`)),
  );
  const release = async (): Promise<void> => {
    released.resolve();
    await membership.leave();
  };
  try {
    await claimed.promise;
  } catch (error) {
    await release();
    throw error;
  } finally {
    cancel();
  }
  return { lost: lost.signal, release };
}
