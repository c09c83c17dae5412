import type { SqlClient, SqlRow } from './sql-client.ts';
import { inStatements } from './sql-client.ts';

/** Rows of one statement, as JSON, and what is gathered before they are inserted. */
const GATHERED_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Gathers the inserts of many calls into few, for whoever fills an empty catalog: ClickHouse spends as much on a row as on
 * thousands. Rows are inserted when there are enough of them, before anything is asked, and at the end; those of `last` after
 * all others that were gathered by then, so that progress is never ahead of what it tells of. An insert that fails keeps its
 * rows, and is done again with the next one: tables take the same rows again harmlessly.
 *
 * An insert that resolves may only be gathered: what a death of the process loses with it is not in the progress either.
 *
 * @param last the table whose rows tell of those in others
 */
export function gatheringSql(sql: SqlClient, last: string): SqlClient {
  let gathered = new Map<string, SqlRow[]>();
  let bytes = 0;
  let inserting: Promise<void> = Promise.resolve();

  function add(table: string, rows: readonly SqlRow[]): void {
    const known = gathered.get(table) ?? [];
    gathered.set(table, known);
    for (const row of rows) {
      known.push(row);
      bytes += JSON.stringify(row).length;
    }
  }

  async function insertAll(): Promise<void> {
    const [taken, takenBytes] = [gathered, bytes];
    gathered = new Map();
    bytes = 0;
    try {
      const order = [...taken.keys()].toSorted((a, b) => Number(a === last) - Number(b === last));
      for (const table of order) {
        for (const rows of inStatements(taken.get(table) ?? [], GATHERED_BYTES_MAX)) await sql.insert(table, rows);
      }
    } catch (error) {
      for (const [table, rows] of taken) gathered.set(table, [...rows, ...(gathered.get(table) ?? [])]);
      bytes += takenBytes;
      throw error;
    }
  }

  /** One after the other: rows that are gathered meanwhile, and may tell of those under way, come behind them. */
  function inserted(): Promise<void> {
    const turn = inserting.then(insertAll);
    inserting = turn.catch(() => undefined);
    return turn;
  }

  return {
    async query(statement, params) {
      await inserted();
      return sql.query(statement, params);
    },
    async insert(table, rows) {
      add(table, rows);
      if (bytes >= GATHERED_BYTES_MAX) await inserted();
    },
    async command(statement) {
      await inserted();
      await sql.command(statement);
    },
    async close() {
      try {
        await inserted();
      } finally {
        await sql.close();
      }
    },
  };
}
