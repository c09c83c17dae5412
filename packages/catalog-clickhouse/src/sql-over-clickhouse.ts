import { createHash } from 'node:crypto';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { PlayheadError } from '@playhead/schemas';
import type { ServerSettings } from './server-settings.ts';
import type { SqlClient, SqlRow } from './sql-client.ts';
import { unicodeRow } from './unicode-row.ts';

export interface SqlBinding {
  /** Resolves when the engine behind the client has let go. */
  readonly closed?: () => Promise<void>;
  /**
   * For a server only. The engine in process turns settings of a statement into `SET`, where they stay for all that
   * follow (an `insert_deduplication_token` would silently swallow every later insert), so it gets none.
   */
  readonly server?: ServerSettings;
}

/** Binds {@link SqlClient} to the official client, whatever connection that has. */
export function sqlOverClickHouse(client: ClickHouseClient, binding: SqlBinding = {}): SqlClient {
  const { closed, server } = binding;
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function run<T>(what: string, statement: (given: GivenUp) => Promise<T>): Promise<T> {
    if (closing) throw new PlayheadError('unavailable', 'The catalog is closed.');
    const answer = server ? within(server.timeoutMs, (signal) => statement({ abort_signal: signal })) : statement({});
    underWay.add(answer);
    try {
      return await answer;
    } catch (cause) {
      throw new PlayheadError('unavailable', `ClickHouse did not ${what}: ${reasonOf(cause).slice(0, 500)}`, { cause });
    } finally {
      underWay.delete(answer);
    }
  }

  return {
    query: (sql, params = {}) =>
      run('answer', async (given) => {
        const ask = { query: sql, query_params: { ...params }, format: 'JSONEachRow', ...settings(server?.query), ...given } as const;
        const answer = await client.query(ask);
        given.abort_signal?.addEventListener('abort', () => answer.close(), { once: true });
        return answer.json<SqlRow>();
      }),
    insert: (table, rows) =>
      run('take rows', async (given) => {
        if (rows.length === 0) return;
        const known = server && server.insert(identityOf(table, rows));
        await client.insert({ table, values: rows.map(unicodeRow), format: 'JSONEachRow', ...settings(known), ...given });
      }),
    command: (sql) =>
      run('obey', async (given) => {
        await client.command({ query: sql, ...settings(server?.command), ...given });
      }),
    close() {
      closing ??= (async () => {
        await Promise.allSettled(underWay);
        await client.close();
        await closed?.();
      })();
      return closing;
    },
  };
}

/** What a statement is given to notice that nobody waits for it any more. */
interface GivenUp {
  readonly abort_signal?: AbortSignal;
}

function settings(chosen: ClickHouseSettings | undefined): { clickhouse_settings?: ClickHouseSettings } {
  return chosen ? { clickhouse_settings: chosen } : {};
}

/**
 * What the rows are, as a name: by content, so that nothing but the very same rows is ever left out, whoever sends them,
 * from whichever process and after whichever upgrade.
 */
function identityOf(table: string, rows: readonly SqlRow[]): string {
  const hash = createHash('sha256').update(table);
  for (const row of rows) hash.update('\n').update(JSON.stringify(row));
  return hash.digest('hex');
}

/** The client's own timeout runs per silence of a connection; this one is for the whole, waiting for a connection included. */
async function within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(abort.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A refused connection has a code and no message when a host has several addresses. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || String('code' in cause ? cause.code : cause.name);
}
