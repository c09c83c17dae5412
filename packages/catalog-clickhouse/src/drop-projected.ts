import type { Placement } from './placement.ts';
import { onCluster } from './placement.ts';
import type { SqlClient } from './sql-client.ts';

/**
 * What can be made again from the log, in the order in which it goes. The steps and the progress first: whoever opens the
 * catalog after a drop that was cut off makes what is missing, and projects from the beginning over what is left.
 */
export const PROJECTED: readonly string[] = [
  'migrations',
  'stored_progress',
  'sessions',
  'session_events',
  'session_blocks',
  'session_views',
  'flushes',
  'merges',
  'gaps',
  'projection_progress',
  'stored_flushes',
  'stored_merges',
  'stored_gaps',
  'stored_merged_blocks',
  'stored_blocks',
  'stored_facts',
  'stored_events',
];

/** Only here, and not in the log: who watched what. */
export const KEPT: readonly string[] = ['stored_views'];

/**
 * Drops the tables and views that are projected from the log; what else is in the database (views of people, their tables)
 * stays. Tables are dropped rather than emptied, because they remember the inserts that they had, and would leave the same
 * ones out when they come again. Can be repeated.
 *
 * @throws {PlayheadError} `unavailable`
 */
export async function dropProjected(sql: SqlClient, at: Placement): Promise<void> {
  const tables = await sql.query('SELECT name, engine FROM system.tables WHERE database = {database:String}', { database: at.database });
  const engines = new Map(tables.map(({ name, engine }) => [String(name), String(engine)]));
  for (const name of PROJECTED) {
    const engine = engines.get(name);
    if (engine === undefined) continue;
    // A server refuses to drop what is larger than 50 GB, unless it is told.
    const what = engine === 'View' ? `VIEW IF EXISTS ${at.database}.${name}` : `TABLE IF EXISTS ${at.database}.${name}`;
    await sql.command(`DROP ${what}${onCluster(at)} SYNC SETTINGS max_table_size_to_drop = 0`);
  }
}
