import type { BlockStore, Catalog, EventLog, Waits } from '@playhead/ports';

/**
 * What the roles stand on: one adapter for each port, opened when a role first asks for it. A process has only the engines that
 * its roles need, so ingest starts and works without block store and catalog.
 */
export interface Engines<Log extends EventLog = EventLog, Rows extends Catalog = Catalog> {
  log(): Promise<Log>;
  blocks(): Promise<BlockStore>;
  catalog(): Promise<Rows>;
  /**
   * Drops what the catalog has from the log, and opens it for whoever fills it again: what it is given may only be gathered
   * until it is asked something, or closed.
   */
  emptyCatalog(): Promise<Catalog>;
  /** Those that were asked for and are open. */
  opened(): OpenedEngines;
  /** Closes them, the last opened first. */
  close(): Promise<void>;
}

export interface OpenedEngines {
  readonly log?: EventLog;
  readonly blocks?: BlockStore;
  readonly catalog?: Catalog;
}

export function enginesOf<Log extends EventLog, Rows extends Catalog>(open: {
  readonly log: () => Promise<Log>;
  readonly blocks: () => Promise<BlockStore>;
  readonly catalog: () => Promise<Rows>;
  readonly emptyCatalog: () => Promise<Catalog>;
}): Engines<Log, Rows> {
  const opened: { log?: Log; blocks?: BlockStore; catalog?: Rows } = {};
  const closers: (() => Promise<void>)[] = [];
  const kept = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const engine = await opening;
    closers.push(() => engine.close());
    return engine;
  };
  return {
    log: async () => (opened.log ??= await kept(open.log())),
    blocks: async () => (opened.blocks ??= await kept(open.blocks())),
    catalog: async () => (opened.catalog ??= await kept(open.catalog())),
    emptyCatalog: () => kept(open.emptyCatalog()),
    opened: () => opened,
    async close() {
      for (const close of closers.splice(0).toReversed()) await close();
    },
  };
}

/** The same engines, each watched: what the process waits for is said and told. */
export function watchedEngines(engines: Engines, waits: Waits): Engines {
  const opened: { log?: EventLog; blocks?: BlockStore; catalog?: Catalog } = {};
  return {
    ...engines,
    log: async () => (opened.log ??= waits.watched('log', await engines.log())),
    blocks: async () => (opened.blocks ??= waits.watched('blocks', await engines.blocks())),
    catalog: async () => (opened.catalog ??= waits.watched('catalog', await engines.catalog())),
    opened: () => opened,
  };
}

/** All three, opened. */
export async function everyEngine(engines: Engines): Promise<Required<OpenedEngines>> {
  return { log: await engines.log(), blocks: await engines.blocks(), catalog: await engines.catalog() };
}
