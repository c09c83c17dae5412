import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SqlClient } from '../src/index.ts';
import { foundation, MIGRATIONS, migrate } from '../src/migrate.ts';
import { openChdb } from '../src/open-chdb-catalog.ts';
import type { Placement } from '../src/placement.ts';
import { IN_PROCESS, placementOnServer } from '../src/placement.ts';
import { serverSettings } from '../src/server-settings.ts';
import type { SqlRow } from '../src/sql-client.ts';

const everyStatement = (at: Placement): string[] => [...foundation(at), ...MIGRATIONS.flatMap(({ statements }) => statements(at))];
const inProcess = everyStatement(IN_PROCESS);
const onServer = everyStatement(placementOnServer('playhead'));
const onCluster = everyStatement(placementOnServer('replays', 'main'));
const stored = (statements: readonly string[]): string[] =>
  statements.filter((statement) => /CREATE TABLE \S+ \S+ \S+ \w+\.stored_/.test(statement));

let path: string;
let sql: SqlClient;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-cluster-'));
  sql = openChdb(path);
});
afterAll(async () => {
  await sql.close();
  await rm(path, { recursive: true, force: true });
});

/** A server that keeps what it is told, and answers two questions: which tables there are, which shards the cluster has. */
function listening(answers: { readonly tables?: readonly SqlRow[]; readonly applied?: readonly SqlRow[]; readonly shards?: number }) {
  const told: string[] = [];
  const client: SqlClient = {
    query: async (statement) => {
      if (statement.includes('system.tables')) return answers.tables ?? [];
      if (statement.includes('system.clusters')) return [{ shards: String(answers.shards ?? 0) }];
      return answers.applied ?? [];
    },
    insert: async (table, rows) => void told.push(`${table} ${JSON.stringify(rows)}`),
    command: async (statement) => void told.push(statement),
    close: async () => {},
  };
  return { client, told };
}

/** No replication runs here: what is promised is the text. */
describe('the schema on a cluster', () => {
  test('every statement runs on all servers of the cluster, in the database that was chosen', () => {
    expect(onCluster).toHaveLength(inProcess.length);
    for (const statement of onCluster) {
      expect(statement).toMatch(
        /^(CREATE (DATABASE|TABLE|VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) replays(\.\w+)? ON CLUSTER 'main'/,
      );
      expect(statement).not.toMatch(/\bplayhead\b/);
    }
  });

  test('every stored table is replicated, under a path that a server which joins later finds too', () => {
    const tables = stored(onCluster);
    expect(tables).toHaveLength(9);
    for (const table of tables) {
      expect(table).toMatch(
        /ENGINE = Replicated(Replacing|Aggregating)MergeTree\('\/clickhouse\/tables\/\{shard\}\/\{database\}\/\{table\}', '\{replica\}'\)/,
      );
      expect(table).toContain('fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1');
      expect(table).not.toContain('non_replicated_deduplication_window');
    }
  });

  test('the record of the steps is not replicated: it says what one server was seen to have', () => {
    expect(onCluster[1]).toContain('replays.migrations ON CLUSTER');
    expect(onCluster[1]).toContain('ENGINE = ReplacingMergeTree ORDER BY id');
  });

  test("ClickHouse's own parser takes every statement, and finds the cluster in it", async () => {
    for (const statement of onCluster) {
      const [row] = await sql.query('SELECT formatQuery({statement:String}) AS text', { statement });
      expect(String(row?.text)).toMatch(/^(CREATE|ALTER) [^(]* ON CLUSTER main/);
    }
  });

  test('without a cluster nothing of it is there, and tables of a server remember inserts while those in process do not', () => {
    for (const statement of [...inProcess, ...onServer]) expect(statement).not.toMatch(/ON CLUSTER|Replicated/);
    for (const table of stored(onServer)) expect(table).toContain('non_replicated_deduplication_window = 1000');
    expect(onServer.map((statement) => statement.replace(', non_replicated_deduplication_window = 1000', ''))).toEqual(inProcess);
  });

  test('[CA1] a process that finds every step recorded says nothing, so it starts while a server is away', async () => {
    const at = placementOnServer('replays', 'main');
    const { client, told } = listening({
      tables: [{ name: 'migrations', engine: 'ReplacingMergeTree' }],
      applied: [{ id: 1 }, { id: '2' }, { id: 3 }, { id: 4 }],
    });
    await migrate(client, at);
    expect(told).toEqual([]);
  });

  test('[CA1] a server that joined later is given everything, since its own record is empty', async () => {
    const at = placementOnServer('replays', 'main');
    const { client, told } = listening({ shards: 1 });
    await migrate(client, at);
    expect(told.filter((statement) => !statement.startsWith('replays.migrations'))).toEqual(onCluster);
    expect(told.at(-1)).toBe('replays.migrations [{"id":4,"name":"merges"}]');
  });

  test('a cluster of several shards, or tables that were made without it, are refused before anything is made', async () => {
    const at = placementOnServer('replays', 'main');
    const plain = { name: 'stored_blocks', engine: 'ReplacingMergeTree' };
    const replicated = { name: 'stored_blocks', engine: 'ReplicatedReplacingMergeTree' };
    for (const [answers, placement, says] of [
      [{ shards: 2 }, at, 'has 2 shards'],
      [{ shards: 0 }, at, 'knows no cluster main'],
      [{ tables: [plain], shards: 1 }, at, 'not made for a cluster'],
      [{ tables: [replicated] }, placementOnServer('replays'), 'made for a cluster, and none is set'],
    ] as const) {
      const { client, told } = listening(answers);
      await expect(migrate(client, placement)).rejects.toThrow(says);
      expect(told).toEqual([]);
    }
  });

  test('names that could be more than a name are refused', () => {
    for (const name of ['', 'a b', 'a`b', "a'b", '1a', 'a.b', 'a;']) expect(() => placementOnServer(name)).toThrow(RangeError);
    for (const cluster of ['', "a'b", 'a b', '{cluster}']) expect(() => placementOnServer('playhead', cluster)).toThrow(RangeError);
  });

  test('inserts wait for most servers of a cluster; statements for all of them do not fail because one is away', () => {
    const settings = serverSettings(10_000, 'main');
    expect(settings.insert('identity')).toMatchObject({ insert_quorum: 'auto', insert_quorum_timeout: 5000, async_insert: 0 });
    expect(settings.command).toMatchObject({ distributed_ddl_task_timeout: '5', distributed_ddl_output_mode: 'null_status_on_timeout' });
    expect(serverSettings(10_000).insert('identity')).not.toHaveProperty('insert_quorum');
  });
});
