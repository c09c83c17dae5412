import type { MessagePort } from 'node:worker_threads';
import { openDiskBlocks } from '@playhead/blocks-disk';
import type { SharedCatalog } from '@playhead/catalog-clickhouse/thread';
import { openThreadCatalog } from '@playhead/catalog-clickhouse/thread';
import type { SharedEventLog } from '@playhead/log-lmdb';
import { openThreadLog } from '@playhead/log-lmdb';
import { avroCodec } from '@playhead/schemas/records';
import type { DataDirectory } from './data-directory.ts';
import type { Engines } from './engines.ts';
import { enginesOf } from './engines.ts';

/** What a thread needs to work on the engines that another one of its process has open. Plain data, and ports, which are to be transferred. */
export interface SharedEngines {
  readonly partitions: number;
  readonly paths: Pick<DataDirectory, 'log' | 'blocks'>;
  readonly logPort: MessagePort;
  readonly catalogPort: MessagePort;
}

/** Opens the engines, where they are not, and lets one more thread in. */
export async function shareEngines(engines: Engines<SharedEventLog, SharedCatalog>, data: DataDirectory): Promise<SharedEngines> {
  const log = await engines.log();
  // Here, before the other thread writes: what a crash left is removed by the first who opens it.
  await engines.blocks();
  const catalog = await engines.catalog();
  const paths = { log: data.log, blocks: data.blocks };
  return { partitions: log.partitions, paths, logPort: log.share(), catalogPort: catalog.share() };
}

/** The same engines in the thread that was let in. To be closed before those of the other thread. */
export function threadEngines({ partitions, paths, logPort, catalogPort }: SharedEngines): Engines {
  return enginesOf({
    log: () => openThreadLog({ port: logPort, path: paths.log, partitions, codec: avroCodec }),
    blocks: () => openDiskBlocks({ path: paths.blocks, opened: true }),
    catalog: async () => openThreadCatalog(catalogPort),
    emptyCatalog: () => Promise.reject(new Error('a catalog is not emptied from another thread')),
  });
}
