import type { BlockStore, Catalog, EventLog } from '@playhead/ports';

/** What the roles stand on: one adapter for each port. */
export interface Engines {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

/** Opens engines one after the other; what was opened is closed again when a later one fails, and at the end. */
export async function openEngines(open: {
  readonly log: () => Promise<EventLog>;
  readonly blocks: () => Promise<BlockStore>;
  readonly catalog: () => Promise<Catalog>;
}): Promise<Engines> {
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const engine of opened.splice(0).toReversed()) await engine.close();
  };
  const keep = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const engine = await opening;
    opened.push(engine);
    return engine;
  };
  try {
    const log = await keep(open.log());
    const blocks = await keep(open.blocks());
    const catalog = await keep(open.catalog());
    await catalog.migrate();
    return { log, blocks, catalog, close };
  } catch (error) {
    await close();
    throw error;
  }
}
