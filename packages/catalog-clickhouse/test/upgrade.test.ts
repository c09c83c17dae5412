import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toOffset } from '@playhead/schemas';
import { aMerge, aMergedBlock, EXAMPLE_START_MS } from '@playhead/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import type { SqlClient } from '../src/index.ts';
import { foundation, MIGRATIONS } from '../src/migrate.ts';
import { openChdb } from '../src/open-chdb-catalog.ts';
import { IN_PROCESS } from '../src/placement.ts';
import { numberedFlush } from './numbered-flush.ts';

let path: string;
let sql: SqlClient;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-upgrade-'));
  sql = openChdb(path);
});
afterEach(async () => {
  await sql.close();
  await rm(path, { recursive: true, force: true });
});

/** The schema as it was after so many steps. */
async function asOf(steps: number): Promise<void> {
  for (const statement of foundation(IN_PROCESS)) await sql.command(statement);
  for (const { id, name, statements } of MIGRATIONS.slice(0, steps)) {
    for (const statement of statements(IN_PROCESS)) await sql.command(statement);
    await sql.insert('playhead.migrations', [{ id, name }]);
  }
}

test('[CA1] a catalog from before gaps were counted is brought up to date with its rows, and what it had has none', async () => {
  await asOf(2);
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

test('[CA1] what a catalog from before merges holds can be merged', async () => {
  await asOf(3);
  const identity = { project_id: 'shop', session_id: 'session-0', partition: 0 };
  const flush = { partition: 0, last_offset: 0, prev_last_offset: -1, object_key: 'p0/0', sessions: 1 };
  await sql.insert('playhead.stored_blocks', [{ ...identity, flush_last_offset: 0, block_length: 10, frames: 1 }]);
  await sql.insert('playhead.stored_flushes', [flush]);
  await sql.insert('playhead.stored_facts', [{ ...identity, kind: 'ended', fact_offset: 0, at_ms: EXAMPLE_START_MS }]);
  await sql.insert('playhead.stored_progress', [{ partition: 0, chain_end: 0, flushes_next: 1, sessions_next: 1 }]);

  const catalog = clickHouseCatalog(sql);
  await catalog.migrate();
  expect(await catalog.progress(0)).toEqual({ chainEnd: 0, flushesNext: 1, sessionsNext: 1, mergeNumber: 0, mergesNext: 0 });
  const span = { partition: 0, endedFromMs: EXAMPLE_START_MS, endedBeforeMs: EXAMPLE_START_MS + 1, limit: 1 };
  expect(await catalog.mergeable(span)).toMatchObject([{ sessionId: 'session-0', bytes: 10 }]);
  expect([...(await catalog.objectsInUse(0, ['p0/0'], Number.MAX_SAFE_INTEGER))]).toEqual(['p0/0']);
  await catalog.applyMerge(aMerge({ blocks: [aMergedBlock({ sessionId: 'session-0' })] }), toOffset(1), []);
  expect(await catalog.mergeable(span)).toEqual([]);
  expect([...(await catalog.objectsInUse(0, ['p0/0'], Number.MAX_SAFE_INTEGER))]).toEqual([]);
});
