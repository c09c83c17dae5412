import type { BlockStore, EventLog } from '@playhead/ports';
import { lengthOf, systemClock } from '@playhead/ports';
import { BufferBudget, Compactor, DEFAULT_SETTINGS } from '@playhead/processors';
import { memoryBlocks, silentLogger } from '@playhead/testkit';

/** What a compactor has put so far. */
export interface Stored {
  readonly objects: number;
  readonly bytes: number;
}

/** Runs a compactor of the log's first partition while `use` does. Its objects go nowhere; it flushes when it is told to. */
export async function withCompactor<T>(log: EventLog, use: (flush: () => Promise<void>, stored: Stored) => Promise<T>): Promise<T> {
  const stored = { objects: 0, bytes: 0 };
  const blocks: BlockStore = {
    ...memoryBlocks(),
    async put(_, parts) {
      stored.objects++;
      stored.bytes += lengthOf(parts);
      return Promise.resolve('created');
    },
  };
  const settings = { ...DEFAULT_SETTINGS, checkpointEveryFlushes: Number.MAX_SAFE_INTEGER };
  const budget = new BufferBudget(settings.bufferBytesMax);
  const deps = { log, blocks, clock: systemClock, logger: silentLogger, random: Math.random, writer: 'bench', budget, settings };
  const stop = new AbortController();
  const compactor = new Compactor(deps, 0);
  const running = compactor.run(stop.signal);
  try {
    return await use(() => compactor.flushNow(), stored);
  } finally {
    stop.abort();
    await running;
  }
}
