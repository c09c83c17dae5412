/**
 * What the catalog needs of ClickHouse. The engine in this process and a server over HTTP are two bindings of the same
 * client library (`sql-over-clickhouse.ts`); nothing else of it is used.
 */
export interface SqlClient {
  /**
   * Rows of a SELECT. 64-bit integers may come as text: see `toNumber`.
   *
   * @throws {PlayheadError} `unavailable`
   */
  query(sql: string, params?: SqlParams): Promise<readonly SqlRow[]>;

  /**
   * Inserts rows as one statement; resolves when they are durable and visible.
   *
   * @throws {PlayheadError} `unavailable` when the outcome is not known; all tables take the same rows again harmlessly
   */
  insert(table: string, rows: readonly SqlRow[]): Promise<void>;

  /** Runs a statement without an answer. @throws {PlayheadError} `unavailable` */
  command(sql: string): Promise<void>;

  /** Waits for statements under way. Calls after it fail with `unavailable`. */
  close(): Promise<void>;
}

/** One row, by name of the column, as JSON has it. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** Values of `{name:Type}` in a statement. Values never go into the text of a statement in any other way. */
export type SqlParams = Readonly<Record<string, string | number | readonly string[] | readonly number[]>>;

/** Splits rows so that no statement is larger than about `bytesMax` of JSON (one row still goes whole). */
export function inStatements(rows: readonly SqlRow[], bytesMax: number): SqlRow[][] {
  const statements: SqlRow[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    const rowBytes = JSON.stringify(row).length;
    if (bytes + rowBytes > bytesMax) {
      statements.push([]);
      bytes = 0;
    }
    statements.at(-1)?.push(row);
    bytes += rowBytes;
  }
  return statements;
}
