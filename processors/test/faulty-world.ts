import type { BlockStore, EventLog } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';

/** What happens to the effect with a number. `dead`: the process dies there, so nothing it calls answers any more. */
export type Fault = 'error-before' | 'error-after' | 'dead-before' | 'dead-after';

export interface FaultPlan {
  /** By number of the effect (append, put, delete) in this process's life, from 0. */
  readonly faultAt: (effect: number) => Fault | undefined;
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Log and block store as one process sees them whose effects fail as planned, and that may die. */
export function faulty(log: EventLog, blocks: BlockStore, plan: FaultPlan) {
  let effects = 0;
  let isDead = false;
  const life = new AbortController();

  const die = (): void => {
    isDead = true;
    life.abort();
  };

  async function effect<T>(perform: () => Promise<T>): Promise<T> {
    if (isDead) return never();
    const fault = plan.faultAt(effects++);
    if (fault === 'dead-before') {
      die();
      return never();
    }
    if (fault === 'error-before') throw new PlayheadError('unavailable', 'planned, before the effect');
    const outcome = await perform();
    if (fault === 'dead-after') {
      die();
      return never();
    }
    if (fault === 'error-after') throw new PlayheadError('unavailable', 'planned, after the effect');
    return isDead ? never() : outcome;
  }
  const question = async <T>(ask: () => Promise<T>): Promise<T> => (isDead ? never() : ask());

  const faultyLog: EventLog = {
    partitions: log.partitions,
    append: (topic, partition, key, record) => effect(() => log.append(topic, partition, key, record)),
    bounds: (topic, partition) => question(() => log.bounds(topic, partition)),
    async *read(topic, partition, from, options) {
      const signal = AbortSignal.any([options.signal, life.signal]);
      yield* log.read(topic, partition, from, { ...options, signal });
      if (isDead) await never();
    },
    join: (group, work) => log.join(group, work),
    trim: (nowMs) => log.trim(nowMs),
    close: () => log.close(),
  };
  const faultyBlocks: BlockStore = {
    put: (key, parts) => effect(() => blocks.put(key, parts)),
    get: (key, range) => question(() => blocks.get(key, range)),
    size: (key) => question(() => blocks.size(key)),
    list: (prefix) => blocks.list(prefix),
    delete: (key) => effect(() => blocks.delete(key)),
    close: () => blocks.close(),
  };
  return { log: faultyLog, blocks: faultyBlocks, die, isDead: () => isDead, effects: () => effects };
}
