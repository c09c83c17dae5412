import { hostname } from 'node:os';
import process from 'node:process';
import type { Logger, Waiting } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import { startProcessors } from '@playhead/processors';
import type { OpenedEngines } from './engines.ts';
import type { Settings } from './settings.ts';

export interface RunningProcessors {
  /** Flushes what is buffered, writes checkpoints and ends. */
  readonly stop: () => Promise<void>;
  /** Where they run on a thread of their own: what that waits for. Not answered while the thread is busy. */
  readonly waiting?: () => Promise<readonly Waiting[]>;
}

/** Starts the processors in this thread, as the settings say. */
export async function runProcessors(
  settings: Settings,
  { log, blocks, catalog }: Required<OpenedEngines>,
  logger: Logger,
): Promise<RunningProcessors> {
  const { flushAgeMs, flushBytesMax, sessionSilenceMs, mergeAfterMs, mergeAgeMs, sweepEveryMs, sweepGraceMs } = settings;
  return startProcessors({
    log,
    blocks,
    catalog,
    clock: systemClock,
    logger,
    writer: `${hostname()}:${process.pid}`,
    settings: { flushAgeMs, flushBytesMax, sessionSilenceMs, mergeAfterMs, mergeAgeMs, sweepEveryMs, sweepGraceMs },
  });
}
