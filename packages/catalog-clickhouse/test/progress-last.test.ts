import { toOffset } from '@playhead/schemas';
import { aMerge, aSessionStarted } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import type { SqlClient, SqlRow } from '../src/sql-client.ts';
import { numberedFlush } from './numbered-flush.ts';

const PROGRESS = 'playhead.stored_progress';

/** The tables that rows went into, in order; the insert with number `failsAt` fails, from 0. */
function aClient(failsAt: number): SqlClient & { readonly tables: string[] } {
  const tables: string[] = [];
  let inserts = 0;
  return {
    tables,
    query: async () => [],
    insert: async (table) => {
      if (inserts++ === failsAt) throw new Error('planned');
      tables.push(table);
    },
    command: async () => undefined,
    close: async () => undefined,
  };
}

const { flush, signals } = numberedFlush(5);
const withGap = { ...flush, gap: { firstOffset: toOffset(5), lastOffset: toOffset(5) } };
const EFFECTS = {
  'a flush with a gap': {
    apply: (sql: SqlClient) => clickHouseCatalog(sql).applyFlush(withGap, toOffset(6), signals),
    rows: ['playhead.stored_blocks', 'playhead.stored_events', 'playhead.stored_gaps', 'playhead.stored_flushes'],
  },
  'a merge': {
    apply: (sql: SqlClient) => clickHouseCatalog(sql).applyMerge(aMerge(), toOffset(1), signals),
    // The object is in use before a block says that its bytes are there.
    rows: ['playhead.stored_merges', 'playhead.stored_merged_blocks', 'playhead.stored_events'],
  },
  facts: {
    apply: (sql: SqlClient) => clickHouseCatalog(sql).applyFacts(0, [{ offset: toOffset(0), fact: aSessionStarted() }], toOffset(1)),
    rows: ['playhead.stored_facts'],
  },
};

describe.each(Object.entries(EFFECTS))('%s', (_, { apply, rows }) => {
  test('[CA3] [CA9] is told as progress behind all of its rows, and not when one of them is missing', async () => {
    const whole = aClient(Number.POSITIVE_INFINITY);
    await apply(whole);
    expect(whole.tables).toEqual([...rows, PROGRESS]);
    for (let failsAt = 0; failsAt <= rows.length; failsAt++) {
      const client = aClient(failsAt);
      await expect(apply(client)).rejects.toThrow('planned');
      expect(client.tables).not.toContain(PROGRESS);
    }
  });
});

test('[CA3] [CA9] flushes of partitions that are applied at once take few inserts, and none is told as progress before its rows are in', async () => {
  const inserts: { readonly table: string; readonly partitions: readonly unknown[] }[] = [];
  const client: SqlClient = {
    ...aClient(Number.POSITIVE_INFINITY),
    insert: async (table: string, rows: readonly SqlRow[]) => {
      await Promise.resolve();
      inserts.push({ table, partitions: rows.map((row) => row.partition) });
    },
  };
  const catalog = clickHouseCatalog(client);
  const partitions = Array.from({ length: 20 }, (_, partition) => partition);
  await Promise.all(partitions.map((partition) => catalog.applyFlush({ ...flush, partition }, toOffset(6), [])));
  expect(inserts.length).toBeLessThanOrEqual(3 * 3);
  for (const partition of partitions) {
    const tables = inserts.filter((one) => one.partitions.includes(partition)).map(({ table }) => table);
    expect(tables).toEqual(['playhead.stored_blocks', 'playhead.stored_flushes', PROGRESS]);
  }
});
