import type { ClickHouseSettings } from '@clickhouse/client';

/** What the binding to a server sends with each statement. */
export interface ServerSettings {
  /** For a whole call, waiting for a free connection included. */
  readonly timeoutMs: number;
  readonly query: ClickHouseSettings;
  readonly command: ClickHouseSettings;
  /** @param identity of the rows: the same for the same rows of the same table, and for no others */
  insert(identity: string): ClickHouseSettings;
}

/**
 * Settings that hold whatever the server's own profile says.
 *
 * - Answers are complete before they begin (`wait_end_of_query`): an error never comes in the middle of one.
 * - A query ends on the server too when nobody waits for it any more.
 * - Rows are in a part, not in the queue of asynchronous inserts, when an insert is acknowledged; one that comes again is
 *   left out by its identity.
 * - On a cluster an insert is acknowledged when most of its servers have it, so that progress is never ahead of its rows
 *   when another server takes over. A statement for all of them does not fail because one is away: it will run there later.
 *
 * @param timeoutMs of a call, at least 1000
 */
export function serverSettings(timeoutMs: number, cluster?: string): ServerSettings {
  const seconds = Math.ceil(timeoutMs / 1000);
  // The server gives up before we do, so that we hear why.
  const halfSeconds = Math.max(1, Math.floor(timeoutMs / 2000));
  const quorum: ClickHouseSettings = { insert_quorum: 'auto', insert_quorum_timeout: halfSeconds * 1000 };
  const everywhere: ClickHouseSettings = {
    distributed_ddl_task_timeout: String(halfSeconds),
    distributed_ddl_output_mode: 'null_status_on_timeout',
  };
  return {
    timeoutMs,
    query: { wait_end_of_query: 1, max_execution_time: seconds, cancel_http_readonly_queries_on_client_close: 1 },
    command: { wait_end_of_query: 1, ...(cluster === undefined ? {} : everywhere) },
    insert: (identity) => ({
      wait_end_of_query: 1,
      async_insert: 0,
      insert_deduplicate: 1,
      insert_deduplication_token: identity,
      ...(cluster === undefined ? {} : quorum),
    }),
  };
}
