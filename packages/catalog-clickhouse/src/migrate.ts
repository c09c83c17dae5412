import { TABLES } from './migrations/001-tables.ts';
import { VIEWS } from './migrations/002-views.ts';
import { GAPS } from './migrations/003-gaps.ts';
import { MERGING } from './migrations/004-merges.ts';
import type { Migration } from './migrations/migration.ts';
import type { Placement } from './placement.ts';
import { onCluster } from './placement.ts';
import type { SqlClient, SqlRow } from './sql-client.ts';

export const MIGRATIONS: readonly Migration[] = [TABLES, VIEWS, GAPS, MERGING];

/**
 * What has to be there before the first step. The record of the steps is never replicated: it says what this server was
 * seen to have, so that a server that joins a cluster later gets everything as soon as a process starts with it.
 */
export function foundation(at: Placement): readonly string[] {
  return [
    `CREATE DATABASE IF NOT EXISTS ${at.database}${onCluster(at)}`,
    `CREATE TABLE IF NOT EXISTS ${at.database}.migrations${onCluster(at)} (
     id UInt32 COMMENT 'Number of the step',
     name String COMMENT 'What it is about',
     applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When a process finished it'
   ) ENGINE = ReplacingMergeTree ORDER BY id
   COMMENT 'Steps of the schema that were applied'`,
  ];
}

/**
 * Brings the schema up to date. Nobody waits for anybody: each process runs what it does not find recorded, and since
 * every statement can be repeated, it does not matter when two of them do. On a cluster, its queue of statements puts
 * them into one order for all servers. A process that finds everything recorded changes nothing, so that it can start
 * while a server of the cluster is away.
 *
 * @throws {RangeError} when the cluster is unknown, has more than one shard, or the tables were made for another placement
 */
export async function migrate(sql: SqlClient, at: Placement): Promise<void> {
  const tables = await sql.query('SELECT name, engine FROM system.tables WHERE database = {database:String}', { database: at.database });
  refuseOtherPlacement(tables, at);
  const known = tables.some((table) => table.name === 'migrations');
  const applied = known ? await sql.query(`SELECT DISTINCT id FROM ${at.database}.migrations`) : [];
  const done = new Set(applied.map((row) => Number(row.id)));
  const missing = MIGRATIONS.filter(({ id }) => !done.has(id));
  if (missing.length === 0) return;
  if (at.cluster !== undefined) await refuseShards(sql, at.cluster);
  for (const statement of foundation(at)) await sql.command(statement);
  for (const { id, name, statements } of missing) {
    for (const statement of statements(at)) await sql.command(statement);
    await sql.insert(`${at.database}.migrations`, [{ id, name }]);
  }
}

/** Tables stay what they were made as: a setting that comes later would be believed in vain. */
function refuseOtherPlacement(tables: readonly SqlRow[], at: Placement): void {
  for (const { name, engine } of tables) {
    const table = String(name);
    if (!table.startsWith('stored_') || String(engine).startsWith('Replicated') === (at.cluster !== undefined)) continue;
    const made = at.cluster === undefined ? 'made for a cluster, and none is set' : `not made for a cluster, and ${at.cluster} is set`;
    throw new RangeError(`The table ${at.database}.${table} was ${made}.`);
  }
}

/** Every server answers alone for all sessions, so each must hold all of them. */
async function refuseShards(sql: SqlClient, cluster: string): Promise<void> {
  const [row] = await sql.query('SELECT uniqExact(shard_num) AS shards FROM system.clusters WHERE cluster = {cluster:String}', { cluster });
  const shards = Number(row?.shards ?? 0);
  if (shards === 0) throw new RangeError(`The server knows no cluster ${cluster}.`);
  if (shards > 1) throw new RangeError(`The cluster ${cluster} has ${shards} shards; the catalog needs replicas of one.`);
}
