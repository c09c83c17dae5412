import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogContract } from '@playhead/testkit';
import { openChdbCatalog } from '../src/open-chdb-catalog.ts';

catalogContract('ClickHouse in process', async () => {
  const path = await mkdtemp(join(tmpdir(), 'playhead-catalog-'));
  const opened = [await openChdbCatalog({ path })];
  const open = async () => {
    const catalog = await openChdbCatalog({ path });
    opened.push(catalog);
    return catalog;
  };
  return {
    catalog: opened[0] ?? (await open()),
    reopen: async () => {
      await Promise.all(opened.splice(0).map((catalog) => catalog.close()));
      return open();
    },
    alongside: open,
    dispose: async () => {
      await Promise.all(opened.map((catalog) => catalog.close()));
      await rm(path, { recursive: true, force: true });
    },
  };
});
