import type { Offset, Partition } from '@playhead/schemas';
import { extendsChain } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';

/**
 * True when the log has a valid flush that the catalog has not taken over: what seems to be missing is on its way.
 * Reads only what lies behind the catalog's progress, up to the end of the topic as it was when the question was asked. The last
 * offsets before that end may be holes: when nothing comes for `endGraceMs`, nothing is there.
 */
export async function isCatalogBehind(gateway: Gateway, partition: Partition, signal: AbortSignal): Promise<boolean> {
  const { log, catalog, clock, settings } = gateway;
  const { first, next } = await log.bounds('playhead.flushes', partition);
  const { chainEnd, flushesNext } = await catalog.progress(partition);
  const from = Math.max(flushesNext, first) as Offset;
  if (from >= next) return false;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const wait = (): (() => void) => clock.setTimer(settings.endGraceMs, () => stop.abort());
  let cancelWait = wait();
  try {
    for await (const batch of log.read('playhead.flushes', partition, from, { signal: both })) {
      if (batch.records.some(({ record }) => record !== null && extendsChain({ end: chainEnd }, record))) return true;
      if (batch.next >= next) return false;
      cancelWait();
      cancelWait = wait();
    }
    return false;
  } finally {
    cancelWait();
    stop.abort();
  }
}
