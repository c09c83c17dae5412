import { openDiskBlocks } from '@playhead/blocks-disk';
import { emptyChdbCatalog, openChdbCatalog } from '@playhead/catalog-clickhouse/chdb';
import type { SharedCatalog } from '@playhead/catalog-clickhouse/thread';
import type { SharedEventLog } from '@playhead/log-lmdb';
import { openLmdbLog } from '@playhead/log-lmdb';
import { avroCodec } from '@playhead/schemas/records';
import type { DataDirectory } from './data-directory.ts';
import type { Engines } from './engines.ts';
import { enginesOf } from './engines.ts';
import type { Settings } from './settings.ts';

/** LMDB, a folder and chDB in a data directory that is already claimed. */
export function embeddedEngines(settings: Settings, data: DataDirectory): Engines<SharedEventLog, SharedCatalog> {
  return enginesOf({
    log: () => openLmdbLog({ path: data.log, partitions: settings.partitions, codec: avroCodec }),
    blocks: () => openDiskBlocks({ path: data.blocks }),
    catalog: () => openChdbCatalog({ path: data.catalog }),
    emptyCatalog: () => emptyChdbCatalog({ path: data.catalog }),
  });
}
