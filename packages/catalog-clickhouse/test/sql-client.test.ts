import { PlayheadError } from '@playhead/schemas';
import { describe, expect, test } from 'vitest';
import { toNumber } from '../src/rows.ts';
import { serverSettings } from '../src/server-settings.ts';
import { inStatements } from '../src/sql-client.ts';
import { sqlOverClickHouse } from '../src/sql-over-clickhouse.ts';

/** As much of the client as the binding uses; every insert waits to be released. */
function slowClient(): { client: Parameters<typeof sqlOverClickHouse>[0]; release: () => void; log: string[] } {
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const client = {
    insert: async () => {
      await promise;
      log.push('inserted');
    },
    command: () => Promise.reject(new Error('Code: 62. DB::Exception: Syntax error')),
    close: () => {
      log.push('closed');
      return Promise.resolve();
    },
  };
  return { client: client as unknown as Parameters<typeof sqlOverClickHouse>[0], release: resolve, log };
}

/** Keeps what it is asked for; a query is never answered. */
function keepingClient(): { client: Parameters<typeof sqlOverClickHouse>[0]; asked: Record<string, unknown>[] } {
  const asked: Record<string, unknown>[] = [];
  const keep = (params: Record<string, unknown>): Promise<void> => {
    asked.push(params);
    return Promise.resolve();
  };
  const never = (params: Record<string, unknown>): Promise<never> => {
    asked.push(params);
    return Promise.withResolvers<never>().promise;
  };
  const client = { insert: keep, command: keep, query: never, close: () => Promise.resolve() };
  return { client: client as unknown as Parameters<typeof sqlOverClickHouse>[0], asked };
}

describe('the SQL client', () => {
  test('splits rows by size, keeps their order, and sends a large row alone', () => {
    const rows = [1, 2, 3, 4, 5].map((n) => ({ n, text: n === 3 ? 'x'.repeat(500) : 'x' }));
    const statements = inStatements(rows, 50);
    expect(statements.map((statement) => statement.map((row) => row.n))).toEqual([[1, 2], [3], [4, 5]]);
    expect(inStatements([], 50)).toEqual([]);
  });

  test('reads 64-bit integers that come as text, and refuses what is no number', () => {
    expect(toNumber('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(toNumber(-1)).toBe(-1);
    for (const wrong of ['', 'x', null, undefined, Number.NaN]) expect(() => toNumber(wrong)).toThrow(TypeError);
  });

  test('closes after the statements under way, and once', async () => {
    const { client, release, log } = slowClient();
    const sql = sqlOverClickHouse(client);
    const inserting = sql.insert('t', [{ a: 1 }]);
    const closing = Promise.all([sql.close(), sql.close()]);
    await expect(sql.insert('t', [{ a: 2 }])).rejects.toMatchObject({ code: 'unavailable' });
    release();
    await Promise.all([inserting, closing]);
    expect(log).toEqual(['inserted', 'closed']);
  });

  test('turns errors of the engine into unavailable and keeps the cause', async () => {
    const sql = sqlOverClickHouse(slowClient().client);
    const error: unknown = await sql.command('SELEC').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PlayheadError);
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(String(error)).toContain('Syntax error');
  });

  test('sends no settings with a statement to the engine in process, which would keep them', async () => {
    const { client, asked } = keepingClient();
    const sql = sqlOverClickHouse(client);
    await sql.insert('t', [{ a: 1 }]);
    await sql.command('CREATE ...');
    void sql.query('SELECT 1');
    await expect.poll(() => asked.length).toBe(3);
    for (const params of asked) expect(params).not.toHaveProperty('clickhouse_settings');
  });

  test('names an insert to a server by what is in it: the same for the same rows of the same table, and for no others', async () => {
    const { client, asked } = keepingClient();
    const sql = sqlOverClickHouse(client, { server: serverSettings(1000) });
    await sql.insert('t', [{ a: 1 }, { a: 2 }]);
    await sql.insert('t', [{ a: 1 }, { a: 2 }]);
    await sql.insert('u', [{ a: 1 }, { a: 2 }]);
    await sql.insert('t', [{ a: 2 }, { a: 1 }]);
    await sql.insert('t', [{ a: 12 }]);
    const settings = asked.map((params) => params['clickhouse_settings'] as Record<string, unknown>);
    const tokens = settings.map((one) => one['insert_deduplication_token']);
    expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(tokens[1]).toBe(tokens[0]);
    expect(new Set(tokens).size).toBe(4);
    for (const one of settings) expect(one).toMatchObject({ async_insert: 0, insert_deduplicate: 1 });
  });

  test('gives up a call to a server after its timeout, and tells the client', async () => {
    const { client, asked } = keepingClient();
    const sql = sqlOverClickHouse(client, { server: serverSettings(50) });
    await expect(sql.query('SELECT 1')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('within 50 ms') });
    expect(asked[0]?.['abort_signal']).toMatchObject({ aborted: true });
    await sql.close();
  });
});
