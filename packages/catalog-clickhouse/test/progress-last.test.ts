import { toOffset } from '@playhead/schemas';
import { aMerge, aSessionStarted } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import type { SqlClient } from '../src/sql-client.ts';
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
