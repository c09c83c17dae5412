import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { openChdbCatalog } from '../src/open-chdb-catalog.ts';
import { expectSameAsMemory } from './any-history.ts';

describe('the catalog on ClickHouse', () => {
  test('answers as the one in memory does, whatever the log brings', async () => {
    await expectSameAsMemory(
      async (work) => {
        const path = await mkdtemp(join(tmpdir(), 'playhead-catalog-same-'));
        const catalog = await openChdbCatalog({ path });
        try {
          await work(catalog);
        } finally {
          await catalog.close();
          await rm(path, { recursive: true, force: true });
        }
      },
      Number(process.env.PLAYHEAD_RUNS ?? 6),
    );
  }, 120_000);
});
