import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogContract } from '@playhead/testkit';
import { openChdbCatalog } from '../src/open-chdb-catalog.ts';
import type { SharedCatalog } from '../src/thread-catalog.ts';
import { openThreadCatalog } from '../src/thread-catalog.ts';

/** Both ends of the port are in this thread: the engine does not bear the end of one. */
catalogContract('ClickHouse in another thread', async () => {
  const path = await mkdtemp(join(tmpdir(), 'playhead-catalog-'));
  let shared: SharedCatalog = await openChdbCatalog({ path });
  const open = () => openThreadCatalog(shared.share());
  const first = open();
  const opened = [first];
  const close = async () => {
    await Promise.all(opened.splice(0).map((catalog) => catalog.close()));
    await shared.close();
  };
  const another = async () => {
    const catalog = open();
    opened.push(catalog);
    return catalog;
  };
  return {
    catalog: first,
    reopen: async () => {
      await close();
      shared = await openChdbCatalog({ path });
      return another();
    },
    alongside: another,
    dispose: async () => {
      await close();
      await rm(path, { recursive: true, force: true });
    },
  };
});
