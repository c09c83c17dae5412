import { describe, expect, test } from 'vitest';
import { clickHouseCatalog } from '../src/clickhouse-catalog.ts';
import type { SqlClient, SqlParams, SqlRow } from '../src/sql-client.ts';

interface Asked {
  readonly table: string;
  readonly sessions: readonly string[];
}

const TABLE = /FROM playhead\.(\w+)/;

function sessionsIn(params: SqlParams): readonly string[] {
  return Object.entries(params).flatMap(([name, value]) => (/^session_\d+$/.test(name) ? [String(value)] : []));
}

/** Answers each question by the table that it is about; `asked` is what began, `answered` what had been answered by then. */
function aClient(answer: (table: string, params: SqlParams) => readonly SqlRow[]) {
  const asked: (Asked & { readonly answered: readonly string[] })[] = [];
  const answered: string[] = [];
  const inserts: number[] = [];
  const sql: SqlClient = {
    query: async (statement, params = {}) => {
      const table = TABLE.exec(statement)?.[1] ?? '';
      asked.push({ table, sessions: sessionsIn(params), answered: [...answered] });
      await Promise.resolve();
      const rows = answer(table, params);
      answered.push(table);
      return rows;
    },
    insert: async (_, rows) => {
      await Promise.resolve();
      inserts.push(rows.length);
    },
    command: async () => undefined,
    close: async () => undefined,
  };
  return { sql, asked, inserts };
}

const row = (sessionId: string, flush: number, merged: Partial<SqlRow> = {}): SqlRow => ({
  project_id: 'shop',
  session_id: sessionId,
  partition: 0,
  flush_last_offset: String(flush),
  merged: false,
  object_key: 'key',
  numbers: Array.from({ length: 24 }, () => '1'),
  windows: [],
  pages: [],
  facts: {},
  marks: '',
  frame_index: '',
  ...merged,
});
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `session-${n}`);

describe('block lists that are asked for at once', () => {
  test('take few statements, each of a bounded number of sessions, and each gets its own', async () => {
    const { sql, asked } = aClient((table, params) => {
      if (table === 'stored_progress') return [{ partition: 0, end: 9 }];
      return table === 'stored_blocks' ? sessionsIn(params).map((name) => row(name, 5)) : [];
    });
    const catalog = clickHouseCatalog(sql);
    const lists = await Promise.all(names(100).map((name) => catalog.blocks('shop', name, 0)));
    expect(lists.map(({ blocks }) => blocks.map(({ sessionId }) => sessionId))).toEqual(names(100).map((name) => [name]));
    const counts = asked.filter(({ table }) => table === 'stored_blocks').map(({ sessions }) => sessions.length);
    expect(counts).toEqual([1, 32, 32, 32, 3]);
  });

  test('[CA3] the end of the chain is known before blocks and gaps are asked for, and nothing behind it is answered', async () => {
    const { sql, asked } = aClient((table) => {
      if (table === 'stored_progress') return [{ partition: 0, end: 5 }];
      if (table === 'stored_merged_blocks') return [row('session-0', 7, { first_flush: 5, merged: true })];
      return table === 'stored_blocks' ? [row('session-0', 5), row('session-0', 6)] : [];
    });
    const { chainEnd, blocks } = await clickHouseCatalog(sql).blocks('shop', 'session-0', 0);
    expect([chainEnd, blocks.map(({ flushLastOffset, merged }) => [flushLastOffset, merged])]).toEqual([5, [[5, false]]]);
    const covered = asked.filter(({ table }) => table === 'stored_blocks' || table === 'stored_gaps');
    expect(covered).toHaveLength(2);
    for (const { answered } of covered) expect(answered).toContain('stored_progress');
  });

  test('[CA15] what is replaced is left out, however much of it a statement can be told', async () => {
    const flushes = Array.from({ length: 100 }, (_, n) => n);
    const { sql } = aClient((table, params) => {
      if (table === 'stored_progress') return [{ partition: 0, end: 200 }];
      if (table === 'stored_merged_blocks') return flushes.map((n) => row('session-0', n, { first_flush: n, merged: true }));
      if (table !== 'stored_blocks') return [];
      const told = params['firsts'] as readonly number[];
      expect(told.length).toBeLessThan(flushes.length);
      return [...flushes, 100].filter((n) => !told.includes(n)).map((n) => row('session-0', n));
    });
    const { blocks } = await clickHouseCatalog(sql).blocks('shop', 'session-0', 0);
    expect(blocks.map(({ flushLastOffset, merged }) => [flushLastOffset, merged])).toEqual([
      ...flushes.map((n) => [n, true]),
      [100, false],
    ]);
  });

  test('a session that cannot be read costs the others no answer', async () => {
    const { sql } = aClient((table, params) => {
      if (sessionsIn(params).includes('session-3')) throw new Error('damaged');
      return table === 'stored_blocks' ? sessionsIn(params).map((name) => row(name, -1)) : [];
    });
    const catalog = clickHouseCatalog(sql);
    const lists = await Promise.allSettled(names(10).map((name) => catalog.blocks('shop', name, 0)));
    expect(lists.filter(({ status }) => status === 'rejected')).toEqual([{ status: 'rejected', reason: new Error('damaged') }]);
    expect(lists[3]?.status).toBe('rejected');
  });
});

test('views that are recorded at once take few inserts', async () => {
  const { sql, inserts } = aClient(() => []);
  const catalog = clickHouseCatalog(sql);
  const view = { projectId: 'shop', viewer: 'Ada', startedAtMs: 1, watchId: 'watch' };
  const recorded = names(100).map((sessionId) => catalog.recordView({ ...view, sessionId }));
  // What was recorded before the end is in.
  await catalog.close();
  await Promise.all(recorded);
  expect(inserts).toEqual([1, 64, 35]);
});
