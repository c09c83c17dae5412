import { openDiskBlocks } from '@playhead/blocks-disk';
import { openChdbCatalog } from '@playhead/catalog-clickhouse';
import { openLmdbLog } from '@playhead/log-lmdb';
import type { BlockStore, Catalog, EventLog } from '@playhead/ports';
import { avroCodec } from '@playhead/schemas/records';
import type { DataDirectory } from './data-directory.ts';
import type { Settings } from './settings.ts';

/** What the roles stand on: one adapter for each port. */
export interface Engines {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

/** Opens engines one after the other; what was opened is closed again when a later one fails, and at the end. */
async function openAll(open: {
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

/** LMDB, a folder and chDB in a data directory that is already claimed. */
export async function openEmbeddedEngines(settings: Settings, data: DataDirectory): Promise<Engines> {
  return openAll({
    log: () => openLmdbLog({ path: data.log, partitions: settings.partitions, codec: avroCodec }),
    blocks: () => openDiskBlocks({ path: data.blocks }),
    catalog: () => openChdbCatalog({ path: data.catalog }),
  });
}
