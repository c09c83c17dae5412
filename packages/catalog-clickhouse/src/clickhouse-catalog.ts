import type { Catalog, CatalogProgress, PositionedFact, SessionBlocks, SessionsQuery, SessionView, SignalRow } from '@playhead/ports';
import type { Flush, Offset, Partition, SessionInfo } from '@playhead/schemas';
import { NO_OFFSET, toOffset } from '@playhead/schemas';
import type { KnownGap } from './gaps-of-life.ts';
import { gapsOfLife } from './gaps-of-life.ts';
import { gatheringSql } from './gathering-sql.ts';
import { migrate } from './migrate.ts';
import type { Placement } from './placement.ts';
import { IN_PROCESS } from './placement.ts';
import {
  BLOCK_COLUMNS,
  blockOfRow,
  EVENT_COLUMNS,
  rowOfBlock,
  rowOfFact,
  rowOfSignal,
  SESSION_COLUMNS,
  sessionOfRow,
  signalOfRow,
  toNumber,
} from './rows.ts';
import type { SqlClient } from './sql-client.ts';
import { inStatements } from './sql-client.ts';

/** Rows of one insert, as JSON: the engine in process runs one statement at a time, so none may be long. */
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The catalog on ClickHouse, in process or a server.
 *
 * Nothing here is a transaction. Two things take its place: a row's key is the identity of what it is about, so that
 * writing it again replaces it with itself; and the row that says how far the projection has come is written last, so that
 * whoever reads it first finds everything before it (CA3).
 */
export function clickHouseCatalog(sql: SqlClient, at: Placement = IN_PROCESS): Catalog {
  const { database } = at;

  async function insert(table: string, rows: readonly Record<string, unknown>[]): Promise<void> {
    for (const statement of inStatements(rows, STATEMENT_BYTES_MAX)) await sql.insert(table, statement);
  }

  async function advance(partition: Partition, progress: Partial<CatalogProgress>): Promise<void> {
    const { chainEnd = NO_OFFSET, flushesNext = 0, sessionsNext = 0 } = progress;
    const row = { partition, chain_end: chainEnd, flushes_next: flushesNext, sessions_next: sessionsNext };
    await sql.insert(`${database}.stored_progress`, [row]);
  }

  async function progress(partition: Partition): Promise<CatalogProgress> {
    const [row] = await sql.query(
      `SELECT max(chain_end) AS chain_end, max(flushes_next) AS flushes_next, max(sessions_next) AS sessions_next
       FROM ${database}.stored_progress WHERE partition = {partition:UInt32} GROUP BY partition`,
      { partition },
    );
    if (!row) return { chainEnd: NO_OFFSET, flushesNext: toOffset(0), sessionsNext: toOffset(0) };
    return {
      chainEnd: toOffset(toNumber(row.chain_end)),
      flushesNext: toOffset(toNumber(row.flushes_next)),
      sessionsNext: toOffset(toNumber(row.sessions_next)),
    };
  }

  async function session(projectId: string, sessionId: string): Promise<SessionInfo | null> {
    const [row] = await sql.query(
      `SELECT ${SESSION_COLUMNS} FROM ${database}.sessions WHERE project_id = {project:String} AND session_id = {session:String}`,
      { project: projectId, session: sessionId },
    );
    return row ? sessionOfRow(row) : null;
  }

  /** When the uploads of a flush's gap were received: behind the flush before it, before its own. */
  async function receiptsAround(flush: Flush): Promise<Omit<KnownGap, 'firstOffset' | 'lastOffset'>> {
    const [before] = await sql.query(
      `SELECT last_received_at_ms FROM ${database}.stored_flushes
       WHERE partition = {partition:UInt32} AND last_offset = {offset:Int64} LIMIT 1`,
      { partition: flush.partition, offset: flush.prevLastOffset },
    );
    const received = flush.blocks.map((block) => block.firstReceivedAtMs);
    return {
      receivedAfterMs: before ? toNumber(before.last_received_at_ms) : 0,
      receivedBeforeMs: received.reduce((least, time) => Math.min(least, time), received[0] ?? flush.createdAtMs),
    };
  }

  async function gapsOf(partition: Partition, chainEnd: Offset): Promise<readonly KnownGap[]> {
    const rows = await sql.query(
      `SELECT first_offset, last_offset, received_after_ms, received_before_ms FROM ${database}.stored_gaps FINAL
       WHERE partition = {partition:UInt32} AND flush_last_offset <= {end:Int64} ORDER BY first_offset`,
      { partition, end: chainEnd },
    );
    return rows.map((row) => ({
      firstOffset: toOffset(toNumber(row.first_offset)),
      lastOffset: toOffset(toNumber(row.last_offset)),
      receivedAfterMs: toNumber(row.received_after_ms),
      receivedBeforeMs: toNumber(row.received_before_ms),
    }));
  }

  return {
    migrate: () => migrate(sql, at),
    progress,
    session,

    async applyFlush(flush: Flush, flushesNext: Offset, signals: readonly SignalRow[]) {
      const { partition, lastOffset, gap } = flush;
      await insert(
        `${database}.stored_blocks`,
        flush.blocks.map((block) => rowOfBlock(flush, block)),
      );
      await insert(`${database}.stored_events`, signals.map(rowOfSignal));
      if (gap) {
        const { receivedAfterMs, receivedBeforeMs } = await receiptsAround(flush);
        await sql.insert(`${database}.stored_gaps`, [
          {
            partition,
            flush_last_offset: lastOffset,
            first_offset: gap.firstOffset,
            last_offset: gap.lastOffset,
            received_after_ms: receivedAfterMs,
            received_before_ms: receivedBeforeMs,
          },
        ]);
      }
      await sql.insert(`${database}.stored_flushes`, [
        {
          partition,
          last_offset: lastOffset,
          first_offset: flush.firstOffset,
          prev_last_offset: flush.prevLastOffset,
          object_key: flush.objectKey,
          object_bytes: flush.objectBytes,
          created_at_ms: flush.createdAtMs,
          writer: flush.writer,
          sessions: flush.blocks.length,
          last_received_at_ms: flush.blocks.reduce((latest, block) => Math.max(latest, block.lastReceivedAtMs), 0),
        },
      ]);
      await advance(partition, { chainEnd: lastOffset, flushesNext });
    },

    async applyFacts(partition: Partition, facts: readonly PositionedFact[], sessionsNext: Offset) {
      await insert(`${database}.stored_facts`, facts.map(rowOfFact));
      await advance(partition, { sessionsNext });
    },

    async sessions(query: SessionsQuery) {
      const { projectId, startedBeforeMs = Number.MAX_SAFE_INTEGER, live, limit } = query;
      if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw new RangeError(`limit ${limit}`);
      // First which, by the few columns that decide it; then what is known of those. In one statement: the ids of a long page
      // would not fit into the address of a request.
      const rows = await sql.query(
        `SELECT ${SESSION_COLUMNS} FROM ${database}.sessions
         WHERE project_id = {project:String} AND session_id IN (
           SELECT session_id FROM ${database}.sessions
           WHERE project_id = {project:String} AND toUnixTimestamp64Milli(started_at) < {before:Int64}
             AND ({live:Int8} = -1 OR is_live = ({live:Int8} = 1))
           ORDER BY started_at DESC LIMIT {limit:UInt32} WITH TIES
         )`,
        { project: projectId, before: startedBeforeMs, live: live === undefined ? -1 : Number(live), limit },
      );
      return rows.map(sessionOfRow).toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.sessionId < b.sessionId ? -1 : 1));
    },

    async blocks(projectId: string, sessionId: string, partition: Partition): Promise<SessionBlocks> {
      // The chain's end first: what it covers was written before it.
      const { chainEnd } = await progress(partition);
      const rows = await sql.query(
        `SELECT ${BLOCK_COLUMNS} FROM ${database}.stored_blocks FINAL
         WHERE project_id = {project:String} AND session_id = {session:String} AND partition = {partition:UInt32}
           AND flush_last_offset <= {end:Int64}
         ORDER BY flush_last_offset`,
        { project: projectId, session: sessionId, partition, end: chainEnd },
      );
      const blocks = rows.map(blockOfRow);
      const gaps = await gapsOf(partition, chainEnd);
      // Gaps are rare, and only they need to know how long the session lived.
      const life = gaps.length > 0 ? await session(projectId, sessionId) : null;
      return { chainEnd, blocks, gaps: gapsOfLife(gaps, life, blocks) };
    },

    async signals(projectId: string, sessionId: string) {
      const rows = await sql.query(
        `SELECT ${EVENT_COLUMNS} FROM ${database}.stored_events FINAL
         WHERE project_id = {project:String} AND session_id = {session:String}
         ORDER BY upload_offset, frame_index`,
        { project: projectId, session: sessionId },
      );
      return rows.map(signalOfRow);
    },

    async recordView(view: SessionView) {
      const { projectId, sessionId, watchId, viewer, startedAtMs } = view;
      await sql.insert(`${database}.stored_views`, [
        { project_id: projectId, session_id: sessionId, watch_id: watchId, viewer, started_at_ms: startedAtMs },
      ]);
    },

    close: () => sql.close(),
  };
}

/** The same for whoever fills an empty catalog: what it is given may only be gathered until it is asked something, or closed. */
export function fillingCatalog(sql: SqlClient, at: Placement): Catalog {
  return clickHouseCatalog(gatheringSql(sql, `${at.database}.stored_progress`), at);
}

/** The catalog with its tables; closed when they cannot be made. */
export async function migrated(catalog: Catalog): Promise<Catalog> {
  try {
    await catalog.migrate();
    return catalog;
  } catch (error) {
    await catalog.close().catch(() => undefined);
    throw error;
  }
}
