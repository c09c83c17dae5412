import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import type { SqlClient } from '../src/index.ts';
import { foundation, MIGRATIONS } from '../src/migrate.ts';
import { openChdb } from '../src/open-chdb-catalog.ts';
import { IN_PROCESS } from '../src/placement.ts';
import { numberedFlush } from './numbered-flush.ts';

let path: string;
let sql: SqlClient;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-upgrade-'));
  sql = openChdb(path);
});
afterAll(async () => {
  await sql.close();
  await rm(path, { recursive: true, force: true });
});

test('[CA1] a catalog from before gaps were counted is brought up to date with its rows, and what it had has none', async () => {
  for (const statement of foundation(IN_PROCESS)) await sql.command(statement);
  for (const { id, name, statements } of MIGRATIONS.slice(0, 2)) {
    for (const statement of statements(IN_PROCESS)) await sql.command(statement);
    await sql.insert('playhead.migrations', [{ id, name }]);
  }
  // As it was: people's views, and rows that know nothing of gaps.
  await sql.command("CREATE VIEW playhead.sessions AS SELECT 'before' AS session_id");
  const identity = { project_id: 'shop', session_id: 'session-before' };
  await sql.insert('playhead.stored_blocks', [{ ...identity, frames: 2, customs: 1, first_timestamp_ms: 1, last_timestamp_ms: 2 }]);
  await sql.insert('playhead.stored_events', [{ ...identity, upload_offset: 1, kind: 'click' }]);

  const catalog = clickHouseCatalog(sql);
  await catalog.migrate();
  const { flush, signals } = numberedFlush(1);
  await catalog.applyFlush(flush, flush.lastOffset, signals);
  expect((await catalog.session('shop', 'session-before'))?.counts).toMatchObject({ frames: 2, customs: 1, gaps: 0 });
  expect((await catalog.signals('shop', 'session-before')).map(({ signal }) => signal)).toEqual([{ kind: 'click' }]);
});
