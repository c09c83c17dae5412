import { TABLES } from './migrations/001-tables.ts';
import { VIEWS } from './migrations/002-views.ts';
import type { Migration } from './migrations/migration.ts';
import type { SqlClient } from './sql-client.ts';

export const MIGRATIONS: readonly Migration[] = [TABLES, VIEWS];

const FOUNDATION = [
  'CREATE DATABASE IF NOT EXISTS playhead',
  `CREATE TABLE IF NOT EXISTS playhead.migrations (
     id UInt32 COMMENT 'Number of the step',
     name String COMMENT 'What it is about',
     applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When a process finished it'
   ) ENGINE = ReplacingMergeTree ORDER BY id
   COMMENT 'Steps of the schema that were applied'`,
];

/**
 * Brings the schema up to date. Nobody waits for anybody: each process runs what it does not find recorded, and since
 * every statement can be repeated, it does not matter when two of them do.
 */
export async function migrate(sql: SqlClient): Promise<void> {
  for (const statement of FOUNDATION) await sql.command(statement);
  const applied = await sql.query('SELECT DISTINCT id FROM playhead.migrations');
  const done = new Set(applied.map((row) => Number(row.id)));
  for (const { id, name, statements } of MIGRATIONS) {
    if (done.has(id)) continue;
    for (const statement of statements) await sql.command(statement);
    await sql.insert('playhead.migrations', [{ id, name }]);
  }
}
