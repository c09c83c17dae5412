import type { Clock, EventLog, Logger } from '@playhead/ports';
import { pause } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';

export interface TailOptions<T extends Topic> {
  readonly log: EventLog;
  readonly topic: T;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Pause before a reader that failed tries again. */
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  readonly apply: (record: TopicRecords[T]) => void;
}

/**
 * Follows a topic in all its partitions from now on, until `signal` aborts. A log that fails is asked again after a pause,
 * for ever: what is read here makes answers better, it is not needed to give them.
 */
export async function tailTopic<T extends Topic>(options: TailOptions<T>): Promise<void> {
  const partitions = Array.from({ length: options.log.partitions }, (_, partition) => partition);
  await Promise.all(partitions.map((partition) => tailPartition(options, partition)));
}

async function tailPartition<T extends Topic>(options: TailOptions<T>, partition: Partition): Promise<void> {
  const { log, topic, clock, logger, pauseMs, signal, apply } = options;
  let from: Offset | undefined;
  let failing = false;
  while (!signal.aborted) {
    try {
      from ??= (await log.bounds(topic, partition)).next;
      for await (const batch of log.read(topic, partition, from, { signal })) {
        failing = false;
        for (const entry of batch.records) {
          if (!('fault' in entry)) apply(entry.record);
          else logger.warn({ topic, partition, offset: entry.offset, fault: entry.fault }, 'a record cannot be read; it is left out');
        }
        from = batch.next;
      }
    } catch (error) {
      // What was trimmed is old news: go on at the end.
      if (error instanceof PlayheadError && error.code === 'position_gone') from = undefined;
      if (!failing) logger.warn({ topic, partition, err: error }, 'following the log failed; trying again');
      failing = true;
    }
    await pause(clock, pauseMs, signal);
  }
}
