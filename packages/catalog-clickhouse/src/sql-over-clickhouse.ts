import type { ClickHouseClient } from '@clickhouse/client';
import { PlayheadError } from '@playhead/schemas';
import type { SqlClient, SqlRow } from './sql-client.ts';

/**
 * Binds {@link SqlClient} to the official client, whatever connection that has.
 *
 * Settings are never passed with a statement: the engine in process turns them into `SET`, where they stay for all that
 * follow (an `insert_deduplication_token` would silently swallow every later insert).
 */
export function sqlOverClickHouse(client: ClickHouseClient, closed: () => Promise<void> = () => Promise.resolve()): SqlClient {
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function run<T>(what: string, statement: () => Promise<T>): Promise<T> {
    if (closing) throw new PlayheadError('unavailable', 'The catalog is closed.');
    const answer = statement();
    underWay.add(answer);
    try {
      return await answer;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new PlayheadError('unavailable', `ClickHouse did not ${what}: ${message.slice(0, 500)}`, { cause });
    } finally {
      underWay.delete(answer);
    }
  }

  return {
    query: (sql, params = {}) =>
      run('answer', async () => {
        const answer = await client.query({ query: sql, query_params: { ...params }, format: 'JSONEachRow' });
        return answer.json<SqlRow>();
      }),
    insert: (table, rows) =>
      run('take rows', async () => {
        if (rows.length > 0) await client.insert({ table, values: rows, format: 'JSONEachRow' });
      }),
    command: (sql) =>
      run('obey', async () => {
        await client.command({ query: sql });
      }),
    close() {
      closing ??= (async () => {
        await Promise.allSettled(underWay);
        await client.close();
        await closed();
      })();
      return closing;
    },
  };
}
