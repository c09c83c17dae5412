import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '@playhead/ports';
import { NO_OFFSET, toOffset } from '@playhead/schemas';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dropProjected, KEPT, PROJECTED } from '../src/drop-projected.ts';
import { emptyChdbCatalog, openChdb, openChdbCatalog } from '../src/open-chdb-catalog.ts';
import { IN_PROCESS } from '../src/placement.ts';
import type { SqlClient } from '../src/sql-client.ts';
import { numberedFlush } from './numbered-flush.ts';

const VIEW = { projectId: 'shop', sessionId: 'session-0', watchId: 'watch-1', viewer: 'ann', startedAtMs: 1 };

let path: string;
let catalog: Catalog;
let sql: SqlClient;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-drop-'));
  catalog = await openChdbCatalog({ path });
  sql = openChdb(path);
});
afterEach(async () => {
  await sql.close();
  await catalog.close();
  await rm(path, { recursive: true, force: true });
});

const tables = async (): Promise<string[]> =>
  (await sql.query("SELECT name FROM system.tables WHERE database = 'playhead' ORDER BY name")).map(({ name }) => String(name));

async function fill(into: Catalog = catalog): Promise<void> {
  for (const number of [0, 1]) {
    const { flush, signals } = numberedFlush(number);
    await into.applyFlush(flush, toOffset(number + 1), signals);
  }
}

test('every table and view is known to be projected or kept', async () => {
  expect(await tables()).toEqual([...PROJECTED, ...KEPT].toSorted());
});

test('what the log can give again goes, who watched what stays, and so does what others have put there', async () => {
  await fill();
  await catalog.recordView(VIEW);
  await sql.command('CREATE TABLE playhead.mine (id UInt8) ENGINE = MergeTree ORDER BY id');
  await sql.command('CREATE VIEW playhead.my_sessions AS SELECT session_id FROM playhead.sessions');
  await dropProjected(sql, IN_PROCESS);
  expect(await tables()).toEqual(['mine', 'my_sessions', 'stored_views']);

  const filling = await emptyChdbCatalog({ path });
  expect(await filling.progress(0)).toEqual({ chainEnd: NO_OFFSET, flushesNext: 0, sessionsNext: 0, mergeNumber: 0, mergesNext: 0 });
  expect(await sql.query('SELECT viewer FROM playhead.session_views')).toEqual([{ viewer: 'ann' }]);
  await fill(filling);
  // Asked for it, it has everything in its tables, for others too.
  expect((await filling.progress(0)).chainEnd).toBe(1);
  expect(await catalog.signals('shop', 'session-0')).toHaveLength(2);
  expect(await sql.query("SELECT DISTINCT session_id FROM playhead.my_sessions WHERE session_id = 'session-0'")).toHaveLength(1);
  await filling.close();
});

/** The catalog's client in a process that dies after `commands` of a drop. */
function dying(commands: number): SqlClient {
  let left = commands;
  return { ...sql, command: (statement) => (left-- > 0 ? sql.command(statement) : Promise.reject(new Error('killed'))) };
}

test.each([1, 2, 8])('a drop that is cut off after %i of its steps leaves a catalog that fills again', async (steps) => {
  await fill();
  await expect(dropProjected(dying(steps), IN_PROCESS)).rejects.toThrow('killed');
  await catalog.migrate();
  expect(await tables()).toEqual([...PROJECTED, ...KEPT].toSorted());
  // Nothing goes before the progress does: whoever projects next has everything, or begins at the beginning.
  const knows = (await catalog.signals('shop', 'session-0')).length;
  const begins = (await catalog.progress(0)).chainEnd === NO_OFFSET;
  expect(begins || knows === 2).toBe(true);
  expect(begins).toBe(steps >= 2);
  await fill();
  expect(await catalog.signals('shop', 'session-0')).toHaveLength(2);
  expect((await catalog.session('shop', 'session-0'))?.counts.clicks).toBe(2);
});
