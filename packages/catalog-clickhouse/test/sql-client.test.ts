import { PlayheadError } from '@playhead/schemas';
import { describe, expect, test } from 'vitest';
import { toNumber } from '../src/rows.ts';
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
});
