import type { EventLog } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import type { Chain, Flush, Offset, Partition } from '@playhead/schemas';
import { EMPTY_CHAIN, extendsChain, nextOffset, PlayheadError } from '@playhead/schemas';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields, GivenUp, spreadMs } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';

export interface ValidFlushesDeps extends Runtime {
  readonly log: EventLog;
  readonly settings: ProcessorSettings;
}

export interface ValidFlush {
  readonly flush: Flush;
  /** Of its record in `playhead.flushes`. */
  readonly offset: Offset;
}

/**
 * The valid flushes of a partition, in order, from the beginning to where the log ended when this was called. One batch
 * of records is held. While the log does not answer it is waited for.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function* validFlushes(deps: ValidFlushesDeps, partition: Partition, signal: AbortSignal): AsyncGenerator<ValidFlush> {
  const { log, logger, clock, random, settings } = deps;
  let chain: Chain = EMPTY_CHAIN;
  let stretch: { readonly from: Offset; readonly to: Offset } | null = null;
  for (let failures = 0; ; ) {
    if (signal.aborted) throw new GivenUp('the time is over');
    try {
      if (stretch === null) {
        const { first, next } = await log.bounds('playhead.flushes', partition);
        stretch = { from: first, to: next };
      }
      const options = { signal, holeWaitMs: settings.holeWaitMs };
      for await (const { offset, record } of readUpTo(log, deps, { topic: 'playhead.flushes', partition, ...stretch }, options)) {
        stretch = { from: nextOffset(offset), to: stretch.to };
        failures = 0;
        if (record === null || !extendsChain(chain, record)) continue;
        chain = { end: record.lastOffset };
        yield { flush: record, offset };
      }
      return;
    } catch (error) {
      if (!(error instanceof PlayheadError) || error.code === 'position_gone') throw error;
      logger.warn({ ...errorFields(error), partition }, 'waiting to read the flushes');
      await pause(clock, spreadMs(backoffMs(settings.retryFirstMs, failures++, settings.retryMaxMs), random), signal);
    }
  }
}
