import type { MessagePort } from 'node:worker_threads';
import { MessageChannel } from 'node:worker_threads';
import type { Catalog } from '@playhead/ports';
import { answerThread, ThreadCalls } from '@playhead/ports';
import { clickHouseCatalog } from './clickhouse-catalog.ts';
import type { SqlClient, SqlParams, SqlRow } from './sql-client.ts';
import { unicodeRow } from './unicode-row.ts';

/** A catalog that other threads of the process may use, too. */
export interface SharedCatalog extends Catalog {
  /**
   * Lets one more thread in, which opens the catalog with `openThreadCatalog`.
   *
   * @returns what to hand over to it (it has to be transferred)
   */
  share(): MessagePort;
}

type Question = { readonly query: string; readonly params: SqlParams } | { readonly command: string };

/** Lets another thread use a client of this one; see {@link openThreadCatalog}. */
export function shareSql(sql: SqlClient): MessagePort {
  const { port1, port2 } = new MessageChannel();
  answerThread(port1, (question: Question) =>
    'query' in question ? sql.query(question.query, question.params) : sql.command(question.command),
  );
  return port2;
}

/**
 * Opens the catalog that another thread of this process has open and migrated. Statements are made in this thread and run by the other
 * one's engine: chDB is loaded by one thread alone (docs/decisions/0011-processors-thread.md). To be closed before that catalog.
 *
 * @param port what `share` of the catalog gave
 */
export function openThreadCatalog(port: MessagePort): Catalog {
  return clickHouseCatalog(sqlOverThread(port));
}

function sqlOverThread(port: MessagePort): SqlClient {
  const calls = new ThreadCalls<Question>(port, 'unavailable');
  return {
    query: async (query, params = {}) => (await calls.ask({ query, params })) as readonly SqlRow[],
    async insert(table, rows) {
      if (rows.length > 0) await calls.ask({ command: insertStatement(table, rows) });
    },
    async command(command) {
      await calls.ask({ command });
    },
    close: () => calls.close(),
  };
}

/** The rows are made into text here, so that the other thread has nothing to do with each of them. */
function insertStatement(table: string, rows: readonly SqlRow[]): string {
  return `INSERT INTO ${table} FORMAT JSONEachRow\n${rows.map((row) => JSON.stringify(unicodeRow(row))).join('\n')}`;
}
