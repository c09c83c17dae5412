import type { EventLog, LogRecord } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import type { Chain, Flush, Merge, Offset, Partition } from '@playhead/schemas';
import { EMPTY_CHAIN, extendsChain, extendsMerges, nextOffset, PlayheadError } from '@playhead/schemas';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields, GivenUp, spreadMs } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';

export interface ValidRecordsDeps extends Runtime {
  readonly log: EventLog;
  readonly settings: ProcessorSettings;
}

export interface ValidFlush {
  readonly flush: Flush;
  /** Of its record in `playhead.flushes`. */
  readonly offset: Offset;
}

export interface ValidMerge {
  readonly merge: Merge;
  /** Of its record in `playhead.merges`. */
  readonly offset: Offset;
}

/**
 * The valid flushes of a partition, in order, from the beginning to where the log ended when this was called. One batch
 * of records is held. While the log does not answer it is waited for.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function* validFlushes(deps: ValidRecordsDeps, partition: Partition, signal: AbortSignal): AsyncGenerator<ValidFlush> {
  let chain: Chain = EMPTY_CHAIN;
  for await (const { record, offset } of recordsOf(deps, 'playhead.flushes', partition, signal)) {
    if (record === null || !extendsChain(chain, record)) continue;
    chain = { end: record.lastOffset };
    yield { flush: record, offset };
  }
}

/** The same of merges. */
export async function* validMerges(deps: ValidRecordsDeps, partition: Partition, signal: AbortSignal): AsyncGenerator<ValidMerge> {
  let number = 0;
  for await (const { record, offset } of recordsOf(deps, 'playhead.merges', partition, signal)) {
    if (record === null || !extendsMerges(number, record)) continue;
    number = record.number;
    yield { merge: record, offset };
  }
}

async function* recordsOf<T extends 'playhead.flushes' | 'playhead.merges'>(
  deps: ValidRecordsDeps,
  topic: T,
  partition: Partition,
  signal: AbortSignal,
): AsyncGenerator<LogRecord<T>> {
  const { log, logger, clock, random, settings } = deps;
  let stretch: { readonly from: Offset; readonly to: Offset } | null = null;
  for (let failures = 0; ; ) {
    if (signal.aborted) throw new GivenUp('the time is over');
    try {
      if (stretch === null) {
        const { first, next } = await log.bounds(topic, partition);
        stretch = { from: first, to: next };
      }
      const options = { signal, holeWaitMs: settings.holeWaitMs };
      for await (const record of readUpTo(log, deps, { topic, partition, ...stretch }, options)) {
        stretch = { from: nextOffset(record.offset), to: stretch.to };
        failures = 0;
        yield record;
      }
      return;
    } catch (error) {
      if (!(error instanceof PlayheadError) || error.code === 'position_gone') throw error;
      logger.warn({ ...errorFields(error), partition }, `waiting to read ${topic}`);
      await pause(clock, spreadMs(backoffMs(settings.retryFirstMs, failures++, settings.retryMaxMs), random), signal);
    }
  }
}
