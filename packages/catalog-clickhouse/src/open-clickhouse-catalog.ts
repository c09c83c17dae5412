import { createClient } from '@clickhouse/client';
import type { Catalog, Logger } from '@playhead/ports';
import { clickHouseCatalog, fillingCatalog, migrated } from './clickhouse-catalog.ts';
import { clientLog } from './client-log.ts';
import { dropProjected } from './drop-projected.ts';
import { placementOnServer } from './placement.ts';
import { serverSettings } from './server-settings.ts';
import type { SqlClient } from './sql-client.ts';
import { sqlOverClickHouse } from './sql-over-clickhouse.ts';

export interface ClickHouseOptions {
  /** Of the HTTP interface: `http://host:8123` or `https://host:8443`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Made when absent; `playhead` when not given. */
  readonly database?: string;
  /**
   * Name in the server's `system.clusters`: its servers are replicas of one shard and have the macros `shard` and
   * `replica`. Statements of the schema then run `ON CLUSTER` on `Replicated...` tables. Fixed once the tables are made.
   *
   * Not seen running: replication cannot be had where the tests run. What is tested is the text of the statements, which
   * ClickHouse's own parser takes.
   */
  readonly cluster?: string;
  /** For a whole call, waiting for a free connection included. At least 1000; 10,000 when not given. */
  readonly timeoutMs?: number;
  /** Connections at a time, further calls wait; 10 when not given. */
  readonly connectionsMax?: number;
  readonly logger?: Logger;
}

/**
 * Opens a catalog on a ClickHouse server and migrates it. Any number of processes can have the same one open.
 *
 * @throws {PlayheadError} `unavailable` when the server is away, too slow, or refuses; it is not waited for
 * @throws {RangeError} when a name is not possible, or the cluster does not fit (see `migrate`)
 */
export async function openClickHouseCatalog(options: ClickHouseOptions): Promise<Catalog> {
  const { url, database = 'playhead', cluster, logger } = options;
  const catalog = await migrated(clickHouseCatalog(openClickHouse(options), placementOnServer(database, cluster)));
  logger?.info({ url: new URL(url).origin, database, cluster }, 'catalog opened');
  return catalog;
}

/** A server that drops a large table waits until nobody reads it and its files are gone. */
const DROP_TIMEOUT_MS = 10 * 60 * 1000;

/**
 * Drops what the log can give again (see {@link dropProjected}), and opens the catalog for whoever fills it: what it is given
 * may only be gathered until it is asked something, or closed.
 *
 * @throws {PlayheadError} `unavailable`
 */
export async function emptyClickHouseCatalog(options: ClickHouseOptions): Promise<Catalog> {
  const { database = 'playhead', cluster } = options;
  const at = placementOnServer(database, cluster);
  const sql = openClickHouse({ timeoutMs: DROP_TIMEOUT_MS, ...options });
  try {
    await dropProjected(sql, at);
  } finally {
    await sql.close();
  }
  return migrated(fillingCatalog(openClickHouse(options), at));
}

/**
 * Connects to a server, when the first statement needs it. Statements name their database.
 *
 * @throws {RangeError} when the timeout is too short
 */
export function openClickHouse(options: ClickHouseOptions): SqlClient {
  const { url, user, password, cluster, timeoutMs = 10_000, connectionsMax = 10, logger } = options;
  if (timeoutMs < 1000) throw new RangeError(`timeout ${timeoutMs} ms`);
  const client = createClient({
    url,
    username: user,
    password,
    application: 'playhead',
    request_timeout: timeoutMs,
    max_open_connections: connectionsMax,
    // A server closes what is idle for some seconds: we close it earlier, also when this process was busy.
    keep_alive: { enabled: true, idle_socket_ttl: 2000, eagerly_destroy_stale_sockets: true },
    // The lowest level: rows as JSON shrink a lot even so, and the time is spent beside the event loop.
    compression: { request: { codec: 'gzip', level: 1 }, response: true },
    log: clientLog(logger),
  });
  return sqlOverClickHouse(client, { server: serverSettings(timeoutMs, cluster) });
}
