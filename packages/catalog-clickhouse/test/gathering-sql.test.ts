import { expect, test } from 'vitest';
import { gatheringSql } from '../src/gathering-sql.ts';
import type { SqlClient, SqlRow } from '../src/sql-client.ts';

/** What was inserted and asked, in order; inserts fail while `failures` are left. */
function aClient(): SqlClient & { readonly done: string[]; failures: number } {
  const done: string[] = [];
  const client = {
    done,
    failures: 0,
    async query(statement: string) {
      done.push(statement);
      return [];
    },
    async insert(table: string, rows: readonly SqlRow[]) {
      await Promise.resolve();
      if (client.failures-- > 0) throw new Error('planned');
      done.push(`${table} ${rows.map(({ id }) => String(id)).join(',')}`);
    },
    async command(statement: string) {
      done.push(statement);
    },
    async close() {
      done.push('close');
    },
  };
  return client;
}

const wide = (id: number): SqlRow => ({ id, text: 'x'.repeat(1024 * 1024) });

test('rows of many inserts go together, those that tell of others behind them, before anything is asked and at the end', async () => {
  const client = aClient();
  const sql = gatheringSql(client, 'progress');
  for (const id of [1, 2, 3]) {
    await sql.insert('blocks', [{ id }]);
    await sql.insert('progress', [{ id }]);
    await sql.insert('events', [{ id }, { id: 10 * id }]);
  }
  expect(client.done).toEqual([]);
  await sql.query('SELECT 1');
  expect(client.done.splice(0)).toEqual(['blocks 1,2,3', 'events 1,10,2,20,3,30', 'progress 1,2,3', 'SELECT 1']);
  await sql.insert('progress', [{ id: 4 }]);
  await sql.command('OPTIMIZE');
  await sql.insert('progress', [{ id: 5 }]);
  await sql.close();
  expect(client.done).toEqual(['progress 4', 'OPTIMIZE', 'progress 5', 'close']);
});

test('enough rows go by themselves, in statements that are bounded; what is gathered meanwhile comes behind them', async () => {
  const client = aClient();
  const sql = gatheringSql(client, 'progress');
  await sql.insert('blocks', [wide(1), wide(2), wide(3)]);
  expect(client.done).toEqual([]);
  const full = sql.insert('blocks', [wide(4), wide(5)]);
  const told = sql.insert('progress', [{ id: 5 }]);
  await Promise.all([full, told]);
  expect(client.done).toEqual(['blocks 1,2,3', 'blocks 4,5', 'progress 5']);
});

test('rows of an insert that failed are kept, and told of only when they are in', async () => {
  const client = aClient();
  const sql = gatheringSql(client, 'progress');
  await sql.insert('blocks', [{ id: 1 }]);
  await sql.insert('progress', [{ id: 1 }]);
  client.failures = 2;
  await expect(sql.query('SELECT 1')).rejects.toThrow('planned');
  await sql.insert('blocks', [{ id: 2 }]);
  await expect(sql.query('SELECT 1')).rejects.toThrow('planned');
  await sql.query('SELECT 1');
  expect(client.done).toEqual(['blocks 1,2', 'progress 1', 'SELECT 1']);
});

test('closes what it stands on although the last rows cannot be inserted, and says so', async () => {
  const client = aClient();
  const sql = gatheringSql(client, 'progress');
  await sql.insert('blocks', [{ id: 1 }]);
  client.failures = 1;
  await expect(sql.close()).rejects.toThrow('planned');
  expect(client.done).toEqual(['close']);
});
