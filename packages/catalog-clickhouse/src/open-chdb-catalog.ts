import { createClient } from '@clickhouse/client';
import type { Catalog, Logger } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { drainPending } from 'chdb';
import { createChdbConnection } from 'chdb/connection';
import { clickHouseCatalog, fillingCatalog, migrated } from './clickhouse-catalog.ts';
import { dropProjected } from './drop-projected.ts';
import { IN_PROCESS } from './placement.ts';
import type { SqlClient } from './sql-client.ts';
import { sqlOverClickHouse } from './sql-over-clickhouse.ts';
import type { SharedCatalog } from './thread-catalog.ts';
import { shareSql } from './thread-catalog.ts';

export interface ChdbOptions {
  /** Directory of the data; made when absent. */
  readonly path: string;
  readonly logger?: Logger;
}

/**
 * Opens a catalog on ClickHouse in this process (chDB) and migrates it. See {@link openChdb} for what the engine allows.
 *
 * @throws {PlayheadError} `unavailable` when the directory is in use, or this process has another one open
 */
export async function openChdbCatalog(options: ChdbOptions): Promise<SharedCatalog> {
  const { path, logger } = options;
  const sql = openChdb(path);
  const catalog = await migrated(clickHouseCatalog(sql));
  logger?.info({ path }, 'catalog opened');
  return { ...catalog, share: () => shareSql(sql) };
}

/**
 * Drops what the log can give again (see {@link dropProjected}), and opens the catalog for whoever fills it: what it is given
 * may only be gathered until it is asked something, or closed.
 *
 * @throws {PlayheadError} `unavailable`
 */
export async function emptyChdbCatalog({ path }: ChdbOptions): Promise<Catalog> {
  const sql = openChdb(path);
  try {
    await dropProjected(sql, IN_PROCESS);
  } finally {
    await sql.close();
  }
  return migrated(fillingCatalog(openChdb(path), IN_PROCESS));
}

type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;

/**
 * Opens the engine in this process.
 *
 * What it allows, as observed with chdb 3.4.0 (engine 26.7.2.1):
 * - One process per directory: the second one fails at once (`Cannot lock file`). A killed process leaves no lock behind.
 * - One directory per process at a time; opening another fails at once. Any number of clients on the same directory is fine.
 * - After `close` the same or another directory can be opened in the same process, as often as needed. `close` waits until
 *   the engine has let go.
 * - Statements of a process run one after another, off the thread of the event loop.
 * - Worker threads share the process, so they share the engine and its one directory: test runners need processes.
 * - A worker thread that loaded chDB takes the connections of all threads with it when it ends: the next statement of another one
 *   crashes in the engine, whose handler of signals never returns. So one thread of a process has it, and others ask that one
 *   (`thread-catalog.ts`).
 *
 * @param path directory of the data; made when absent
 * @throws {PlayheadError} `unavailable` when the directory is in use, or this process has another one open
 */
export function openChdb(path: string): SqlClient {
  try {
    // The same interface, which either package declares for itself (private members make the two differ for the compiler).
    const connection = createChdbConnection({ path }) as unknown as Connection;
    return sqlOverClickHouse(createClient({ connection }), { closed: drainPending });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new PlayheadError('unavailable', `The catalog cannot be opened: ${message}`, { cause, details: { path } });
  }
}
