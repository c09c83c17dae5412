import type { EventLog, LogRecord } from '@playhead/ports';
import type { Offset, Partition, Topic } from '@playhead/schemas';
import type { Runtime } from './retry.ts';
import { GivenUp } from './retry.ts';

/** Which stretch of a partition to read: from .. to-1. */
export interface Stretch<T extends Topic> {
  readonly topic: T;
  readonly partition: Partition;
  readonly from: Offset;
  readonly to: Offset;
}

export interface ReadUpToOptions {
  readonly signal: AbortSignal;
  /** Offsets may have holes, also right before `to`: when nothing comes for this long, nothing is there. */
  readonly holeWaitMs: number;
  readonly batchBytesMax?: number;
}

/**
 * Reads one stretch of a partition that is already in the log, and stops: `read` alone would wait for appends.
 *
 * @throws {GivenUp} when the signal aborts; the log's errors
 */
export async function* readUpTo<T extends Topic>(
  log: EventLog,
  { clock }: Pick<Runtime, 'clock'>,
  stretch: Stretch<T>,
  options: ReadUpToOptions,
): AsyncGenerator<LogRecord<T>> {
  const { topic, partition, from, to } = stretch;
  if (from >= to) return;
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) stop.abort();
  let cancelWait = clock.setTimer(options.holeWaitMs, onAbort);
  try {
    const { batchBytesMax } = options;
    const readOptions = { signal: stop.signal, ...(batchBytesMax === undefined ? {} : { batchBytesMax }) };
    for await (const batch of log.read(topic, partition, from, readOptions)) {
      cancelWait();
      for (const record of batch.records) if (record.offset < to) yield record;
      if (batch.next >= to) return;
      cancelWait = clock.setTimer(options.holeWaitMs, onAbort);
    }
    if (options.signal.aborted) throw new GivenUp('the time is over');
  } finally {
    cancelWait();
    options.signal.removeEventListener('abort', onAbort);
    stop.abort();
  }
}
