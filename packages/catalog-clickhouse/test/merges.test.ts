import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '@playhead/ports';
import { toOffset } from '@playhead/schemas';
import { aMerge, aMergedBlock } from '@playhead/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import { openChdb } from '../src/open-chdb-catalog.ts';
import type { SqlClient } from '../src/sql-client.ts';
import { numberedFlush } from './numbered-flush.ts';

const OLD = Number.MAX_SAFE_INTEGER;

let path: string;
let sql: SqlClient;
let catalog: Catalog;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-merges-'));
  sql = openChdb(path);
  catalog = clickHouseCatalog(sql);
  await catalog.migrate();
  for (const number of [0, 1, 2]) {
    const { flush, signals } = numberedFlush(number);
    await catalog.applyFlush(flush, toOffset(number + 1), signals);
  }
});
afterEach(async () => {
  await sql.close();
  await rm(path, { recursive: true, force: true });
});

const merged = (sessionId: string, lastFlush: number) => aMergedBlock({ sessionId, lastFlush: toOffset(lastFlush) });

describe('merges in ClickHouse', () => {
  test('[CA15] the view of blocks shows people what players get', async () => {
    // One session is merged in part, one beyond what the chain has reached.
    await catalog.applyMerge(aMerge({ blocks: [merged('session-0', 1), merged('session-1', 3)] }), toOffset(1), []);
    const shown = await sql.query('SELECT session_id, flush_last_offset, merged, object_key FROM playhead.session_blocks');
    for (const sessionId of ['session-0', 'session-1', 'session-2']) {
      const { blocks } = await catalog.blocks('shop', sessionId, 0);
      const rows = shown
        .filter((row) => row.session_id === sessionId)
        .map((row) => [Number(row.flush_last_offset), row.merged, row.object_key]);
      expect(rows.toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual(
        blocks.map((block) => [block.flushLastOffset, block.merged, block.objectKey]),
      );
    }
    expect(shown).toHaveLength(29);
  });

  test('[CA15] a merge of which only some rows are there yet leaves every session whole', async () => {
    let inserts = 0;
    // A client that dies behind the second table: the blocks, of which the first session alone has its row.
    const dying: SqlClient = {
      ...sql,
      insert: async (table, rows) => {
        if (++inserts > 2) throw new Error('killed');
        await sql.insert(table, inserts === 2 ? rows.slice(0, 1) : rows);
      },
    };
    const merge = aMerge({ blocks: [merged('session-0', 2), merged('session-1', 2)] });
    await expect(clickHouseCatalog(dying).applyMerge(merge, toOffset(1), numberedFlush(0).signals)).rejects.toThrow('killed');
    const seen = async (sessionId: string) => (await catalog.blocks('shop', sessionId, 0)).blocks.map((block) => block.flushLastOffset);
    expect(await seen('session-0')).toEqual([2]);
    expect(await seen('session-1')).toEqual([0, 1, 2]);
    expect([...(await catalog.objectsInUse(0, ['merged/0/1', 'p0/0'], OLD))].toSorted()).toEqual(['merged/0/1', 'p0/0']);
    expect((await catalog.progress(0)).mergeNumber).toBe(0);
  });

  // As on a replica that was away: rows of one table come before those of another.
  test.each([
    ['a flush in the middle', 'stored_flushes', 'last_offset = 1'],
    ['the last flush', 'stored_flushes', 'last_offset = 2'],
    ['the first flush', 'stored_flushes', 'last_offset = 0'],
    ['all flushes', 'stored_flushes', 'true'],
    ['a merge', 'stored_merges', 'number = 1'],
    ['all merges', 'stored_merges', 'true'],
  ])('[CA17] while %s is missing, nothing is taken for nobody’s', async (_, table, rows) => {
    for (const number of [1, 2])
      await catalog.applyMerge(aMerge({ number, objectKey: `merged/0/${number}`, blocks: [] }), toOffset(number), []);
    await catalog.progress(0);
    await sql.command(`DELETE FROM playhead.${table} WHERE ${rows}`);
    await expect(catalog.objectsInUse(0, ['p0/1'], OLD)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  test('[CA17] a flush of which a block is missing is in use', async () => {
    const blocks = numberedFlush(0).flush.blocks.map(({ sessionId }) => merged(sessionId, 0));
    await catalog.applyMerge(aMerge({ blocks }), toOffset(1), []);
    expect([...(await catalog.objectsInUse(0, ['p0/0'], OLD))]).toEqual([]);
    await sql.command("DELETE FROM playhead.stored_blocks WHERE session_id = 'session-3' AND flush_last_offset = 0");
    expect([...(await catalog.objectsInUse(0, ['p0/0'], OLD))]).toEqual(['p0/0']);
  });

  test('[CA16] what ended long ago is not read when sessions of a span are asked about', async () => {
    // Ids in the order of time, as recorders make them: 20,000 sessions, an hour apart.
    const hours = 'SELECT number AS hour FROM numbers(20000)';
    await sql.command(`INSERT INTO playhead.stored_facts (project_id, session_id, kind, fact_offset, at_ms)
      SELECT 'shop', leftPad(toString(hour), 8, '0'), 'ended', hour, hour * 3600000 FROM (${hours})`);
    const plan = await sql.query(
      `EXPLAIN indexes = 1 SELECT project_id, session_id FROM playhead.stored_facts
       WHERE kind = 'ended' AND at_ms >= {from:Int64} AND at_ms < {before:Int64}`,
      { from: 19_990 * 3_600_000, before: 20_000 * 3_600_000 },
    );
    const text = plan.map((row) => String(row.explain).trim()).join('\n');
    expect(text).toMatch(/Name: by_time[\s\S]*Granules: 1\/\d\d/);
  });
});
