import type {
  Catalog,
  CatalogProgress,
  MergeableQuery,
  PositionedFact,
  SessionBlocks,
  SessionsQuery,
  SessionView,
  SignalRow,
} from '@playhead/ports';
import type { Flush, Merge, Offset, Partition, SessionInfo } from '@playhead/schemas';
import { LIMITS, NO_OFFSET, PlayheadError, toOffset } from '@playhead/schemas';
import { AskedTogether } from './asked-together.ts';
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
  MERGED_BLOCK_COLUMNS,
  mergeableOfRow,
  rowOfBlock,
  rowOfFact,
  rowOfMergedBlock,
  rowOfSignal,
  SESSION_COLUMNS,
  sessionOfRow,
  signalOfRow,
  toNumber,
  toTexts,
} from './rows.ts';
import type { SqlClient, SqlParams, SqlRow } from './sql-client.ts';
import { inStatements } from './sql-client.ts';

/** Sessions that are asked for in one statement: their names are in the address of a request, and the blocks of a long one are some hundred KB. */
const SESSIONS_MAX = 32;
/** Stretches that a statement is told to leave out, in the address of a request. */
const REPLACED_TOLD_MAX = 32;
/** Calls whose rows are inserted together. */
const INSERTS_MAX = 64;

/** Rows of one insert, as JSON: the engine in process runs one statement at a time, so none may be long. */
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

const NOTHING_APPLIED: CatalogProgress = {
  chainEnd: NO_OFFSET,
  flushesNext: toOffset(0),
  sessionsNext: toOffset(0),
  mergeNumber: 0,
  mergesNext: toOffset(0),
};

interface SessionName {
  readonly projectId: string;
  readonly sessionId: string;
}

interface BlockList extends SessionName {
  readonly partition: Partition;
}

interface NamedFlush {
  readonly objectKey: string;
  readonly lastOffset: number;
  /** Blocks that it has. */
  readonly sessions: number;
}

interface Named {
  readonly flushes: readonly NamedFlush[];
  /** Objects of merges. */
  readonly mergedKeys: readonly string[];
}

/**
 * The catalog on ClickHouse, in process or a server.
 *
 * Nothing here is a transaction. Two things take its place: a row's key is the identity of what it is about, so that
 * writing it again replaces it with itself; and the row that says how far the projection has come is written last, so that
 * whoever reads it first finds everything before it (CA3).
 */
export function clickHouseCatalog(sql: SqlClient, at: Placement = IN_PROCESS): Catalog {
  const { database, askedAtOnce } = at;
  /** The furthest that each partition was seen to have come, whichever server told it. */
  const seen = new Map<Partition, Pick<CatalogProgress, 'chainEnd' | 'mergeNumber'>>();

  /** By table: what comes while rows are being inserted goes together as the next insert, for projections of all partitions write at about the same time. */
  const inserts = new Map<string, AskedTogether<readonly SqlRow[], undefined>>();

  async function insert(table: string, rows: readonly SqlRow[]): Promise<void> {
    if (rows.length === 0) return;
    const together = inserts.get(table) ?? insertsInto(table);
    inserts.set(table, together);
    await together.ask(rows);
  }

  function insertsInto(table: string): AskedTogether<readonly SqlRow[], undefined> {
    let asked = 0;
    return new AskedTogether({
      askAll: async (some) => {
        for (const statement of inStatements(some.flat(), STATEMENT_BYTES_MAX)) await sql.insert(table, statement);
        return some.map(() => undefined);
      },
      nameOf: () => String(asked++),
      questionsMax: INSERTS_MAX,
      atOnce: askedAtOnce,
    });
  }

  async function advance(partition: Partition, progress: Partial<CatalogProgress>): Promise<void> {
    const { chainEnd = NO_OFFSET, flushesNext = 0, sessionsNext = 0, mergeNumber = 0, mergesNext = 0 } = progress;
    const read = { flushes_next: flushesNext, sessions_next: sessionsNext, merges_next: mergesNext };
    await insert(`${database}.stored_progress`, [{ partition, chain_end: chainEnd, merge_number: mergeNumber, ...read }]);
  }

  async function progress(partition: Partition): Promise<CatalogProgress> {
    const [row] = await sql.query(
      `SELECT max(chain_end) AS chain_end, max(flushes_next) AS flushes_next, max(sessions_next) AS sessions_next,
         max(merge_number) AS merge_number, max(merges_next) AS merges_next
       FROM ${database}.stored_progress WHERE partition = {partition:UInt32} GROUP BY partition`,
      { partition },
    );
    const found = row ? progressOfRow(row) : NOTHING_APPLIED;
    const { chainEnd, mergeNumber } = seen.get(partition) ?? NOTHING_APPLIED;
    seen.set(partition, {
      chainEnd: toOffset(Math.max(chainEnd, found.chainEnd)),
      mergeNumber: Math.max(mergeNumber, found.mergeNumber),
    });
    return found;
  }

  async function sessionsOf(names: readonly SessionName[]): Promise<readonly (SessionInfo | null)[]> {
    const { where, params } = namesOf(names);
    const rows = await sql.query(`SELECT ${SESSION_COLUMNS} FROM ${database}.sessions WHERE ${where}`, params);
    const found = new Map(rows.map(sessionOfRow).map((info) => [nameOf(info), info]));
    return names.map((name) => found.get(nameOf(name)) ?? null);
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

  /**
   * What the answering server knows of the flushes and merges that name one of the keys.
   *
   * An object that is not among them is taken for nobody's, so a replica that was away and still lacks rows must not answer. The
   * rows themselves tell: each flush names the end of the one before it, and merges are numbered.
   *
   * @throws {PlayheadError} `unavailable` when rows are missing
   */
  async function namedBy(partition: Partition, keys: readonly string[]): Promise<Named> {
    // Keys as one text: they have no blanks. One statement each: another one might be answered by another server. Numbers as text, for an array has one type.
    const [flushes] = await sql.query(
      `SELECT count() = 0 OR sum(last_offset) - max(last_offset) - 1 = sum(prev_last_offset) AS is_whole,
         if(count() = 0, -1, max(last_offset)) AS reached,
         groupArrayIf([object_key, toString(last_offset), toString(sessions)], has(splitByChar(' ', {keys:String}), object_key)) AS named
       FROM ${database}.stored_flushes FINAL WHERE partition = {partition:UInt32}`,
      { partition, keys: keys.join(' ') },
    );
    const [merges] = await sql.query(
      `SELECT count() = max(number) AS is_whole, max(number) AS reached,
         groupArrayIf(object_key, has(splitByChar(' ', {keys:String}), object_key)) AS named
       FROM ${database}.stored_merges FINAL WHERE partition = {partition:UInt32}`,
      { partition, keys: keys.join(' ') },
    );
    const { chainEnd, mergeNumber } = seen.get(partition) ?? NOTHING_APPLIED;
    const knows = (row: SqlRow | undefined, upTo: number): boolean => Boolean(row?.is_whole) && toNumber(row?.reached) >= upTo;
    if (!knows(flushes, chainEnd) || !knows(merges, mergeNumber)) {
      throw new PlayheadError('unavailable', `ClickHouse does not have all flushes and merges of partition ${partition} yet.`);
    }
    const rows = Array.isArray(flushes?.named) ? flushes.named.map(toTexts) : [];
    return {
      flushes: rows.map(([objectKey = '', lastOffset, sessions]) => ({
        objectKey,
        lastOffset: toNumber(lastOffset),
        sessions: toNumber(sessions),
      })),
      mergedKeys: toTexts(merges?.named),
    };
  }

  /** Where the chains of partitions end. */
  async function chainEnds(partitions: readonly Partition[]): Promise<ReadonlyMap<Partition, Offset>> {
    const rows = await sql.query(
      `SELECT partition, max(chain_end) AS end FROM ${database}.stored_progress
       WHERE partition IN {partitions:Array(UInt32)} GROUP BY partition`,
      { partitions },
    );
    const found = new Map(rows.map((row) => [toNumber(row.partition), toOffset(toNumber(row.end))]));
    return new Map(partitions.map((partition) => [partition, found.get(partition) ?? NO_OFFSET]));
  }

  /** In order, also those behind the ends of chains. */
  async function gapsOf(partitions: readonly Partition[]): Promise<readonly SqlRow[]> {
    return sql.query(
      `SELECT partition, flush_last_offset, first_offset, last_offset, received_after_ms, received_before_ms FROM ${database}.stored_gaps FINAL
       WHERE partition IN {partitions:Array(UInt32)} ORDER BY first_offset`,
      { partitions },
    );
  }

  /** Whether any of the sessions has a merged block. Asked before the blocks themselves: few that are watched do, and a question costs by its columns. */
  async function isAnyMerged({ where, params }: Names): Promise<boolean> {
    const rows = await sql.query(`SELECT 1 AS one FROM ${database}.stored_merged_blocks WHERE ${where} LIMIT 1`, params);
    return rows.length > 0;
  }

  async function mergedOf({ where, params }: Names): Promise<readonly SqlRow[]> {
    return sql.query(`SELECT ${MERGED_BLOCK_COLUMNS} FROM ${database}.stored_merged_blocks FINAL WHERE ${where}`, params);
  }

  /** Blocks of flushes, without most of those that merged ones replace. */
  async function unmergedOf({ where, params }: Names, merged: readonly SqlRow[]): Promise<readonly SqlRow[]> {
    const all = `SELECT ${BLOCK_COLUMNS} FROM ${database}.stored_blocks FINAL WHERE ${where}`;
    if (merged.length === 0) return sql.query(all, params);
    const told = merged.slice(0, REPLACED_TOLD_MAX);
    const ofProjects = textParams(
      'of_project',
      told.map((row) => String(row.project_id)),
    );
    const ofSessions = textParams(
      'of_session',
      told.map((row) => String(row.session_id)),
    );
    return sql.query(
      `${all} AND NOT arrayExists((project, session, chain, first, last) -> project = project_id AND session = session_id
         AND chain = partition AND first <= flush_last_offset AND flush_last_offset <= last,
         [${ofProjects.list}], [${ofSessions.list}], {chains:Array(UInt32)}, {firsts:Array(Int64)}, {lasts:Array(Int64)})`,
      {
        ...params,
        ...ofProjects.params,
        ...ofSessions.params,
        chains: told.map((row) => toNumber(row.partition)),
        firsts: told.map((row) => toNumber(row.first_flush)),
        lasts: told.map((row) => toNumber(row.flush_last_offset)),
      },
    );
  }

  async function blocksOf(lists: readonly BlockList[]): Promise<readonly SessionBlocks[]> {
    // The chain's end first: what it covers was written before it. Then merged blocks, and of the others those that none of these
    // replaces: so whatever part of a merge is there, each stretch of the session is answered once (CA15). A merge of which nothing was
    // there in the beginning is not looked for later.
    const names = namesOf(lists);
    const partitions = [...new Set(lists.map(({ partition }) => partition))];
    const [ends, hasMerged] = await Promise.all([chainEnds(partitions), isAnyMerged(names)]);
    const isReached = (row: SqlRow): boolean => toNumber(row.flush_last_offset) <= (ends.get(toNumber(row.partition)) ?? NO_OFFSET);
    const [gaps, merged] = await Promise.all([gapsOf(partitions), hasMerged ? mergedOf(names).then((rows) => rows.filter(isReached)) : []]);
    const unmerged = (await unmergedOf(names, merged)).filter(isReached);
    const gapsByPartition = Map.groupBy(gaps.filter(isReached), (row) => toNumber(row.partition));
    const mergedByList = Map.groupBy(merged, listOfRow);
    const unmergedByList = Map.groupBy(unmerged, listOfRow);
    return Promise.all(
      lists.map(async (list): Promise<SessionBlocks> => {
        const own = mergedByList.get(listName(list)) ?? [];
        const others = (unmergedByList.get(listName(list)) ?? []).filter((row) => !own.some((one) => replaces(one, row)));
        const blocks = [...own, ...others].map(blockOfRow).toSorted((a, b) => a.flushLastOffset - b.flushLastOffset);
        const known = (gapsByPartition.get(list.partition) ?? []).map(gapOfRow);
        // Gaps are rare, and only they need to know how long the session lived.
        const life = known.length > 0 ? await sessions.ask(list) : null;
        return { chainEnd: ends.get(list.partition) ?? NO_OFFSET, blocks, gaps: gapsOfLife(known, life, blocks) };
      }),
    );
  }

  const sessions = new AskedTogether({ askAll: sessionsOf, nameOf, questionsMax: SESSIONS_MAX, atOnce: askedAtOnce });
  const blockLists = new AskedTogether({ askAll: blocksOf, nameOf: listName, questionsMax: SESSIONS_MAX, atOnce: askedAtOnce });

  return {
    migrate: () => migrate(sql, at),
    progress,
    session: (projectId, sessionId) => sessions.ask({ projectId, sessionId }),

    async applyFlush(flush: Flush, flushesNext: Offset, signals: readonly SignalRow[]) {
      const { partition, lastOffset, gap } = flush;
      await insert(
        `${database}.stored_blocks`,
        flush.blocks.map((block) => rowOfBlock(flush, block)),
      );
      await insert(`${database}.stored_events`, signals.map(rowOfSignal));
      if (gap) {
        const { receivedAfterMs, receivedBeforeMs } = await receiptsAround(flush);
        await insert(`${database}.stored_gaps`, [
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
      await insert(`${database}.stored_flushes`, [
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

    async applyMerge(merge: Merge, mergesNext: Offset, signals: readonly SignalRow[]) {
      const { partition, number, blocks } = merge;
      // Before its blocks: who reads them finds the object in use.
      await insert(`${database}.stored_merges`, [
        {
          partition,
          number,
          object_key: merge.objectKey,
          object_bytes: merge.objectBytes,
          created_at_ms: merge.createdAtMs,
          writer: merge.writer,
          blocks: blocks.length,
        },
      ]);
      await insert(
        `${database}.stored_merged_blocks`,
        blocks.map((block) => rowOfMergedBlock(merge, block)),
      );
      await insert(`${database}.stored_events`, signals.map(rowOfSignal));
      await advance(partition, { mergeNumber: number, mergesNext });
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

    blocks: (projectId, sessionId, partition) => blockLists.ask({ projectId, sessionId, partition }),

    async mergeable({ partition, endedFromMs, endedBeforeMs, limit }: MergeableQuery) {
      if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw new RangeError(`limit ${limit}`);
      const { chainEnd } = await progress(partition);
      // Everything is looked up by the sessions that ended in the span: of those the index of times finds the granules.
      const ended = `SELECT project_id, session_id FROM ${database}.stored_facts
        WHERE kind = 'ended' AND at_ms >= {from:Int64} AND at_ms < {before:Int64}`;
      const rows = await sql.query(
        `SELECT project_id, session_id, any(end_ms) AS ended_ms, sum(block_length) AS bytes
         FROM (
           SELECT project_id, session_id, flush_last_offset, block_length FROM ${database}.stored_blocks FINAL
           WHERE partition = {partition:UInt32} AND flush_last_offset <= {end:Int64} AND (project_id, session_id) IN (${ended})
         ) AS own
         INNER JOIN (
           SELECT project_id, session_id, argMin(at_ms, fact_offset) AS end_ms FROM ${database}.stored_facts
           WHERE kind = 'ended' AND (project_id, session_id) IN (${ended})
           GROUP BY project_id, session_id HAVING end_ms >= {from:Int64} AND end_ms < {before:Int64}
         ) AS ends USING (project_id, session_id)
         LEFT JOIN (
           SELECT project_id, session_id, groupArray((first_flush, last_flush)) AS replaced FROM ${database}.stored_merged_blocks
           WHERE partition = {partition:UInt32} AND (project_id, session_id) IN (${ended})
           GROUP BY project_id, session_id
         ) AS merges USING (project_id, session_id)
         WHERE NOT arrayExists(flushes -> flushes.1 <= flush_last_offset AND flush_last_offset <= flushes.2, replaced)
         GROUP BY project_id, session_id
         ORDER BY ended_ms, project_id, session_id LIMIT {limit:UInt32}`,
        { partition, end: chainEnd, from: endedFromMs, before: endedBeforeMs, limit },
      );
      return rows.map(mergeableOfRow);
    },

    async objectsInUse(partition: Partition, keys: readonly string[], replacedBeforeMs: number) {
      if (keys.length > LIMITS.objectsAskedMax) throw new RangeError(`${keys.length} keys`);
      const { chainEnd } = await progress(partition);
      const { flushes, mergedKeys } = await namedBy(partition, keys);
      if (flushes.length === 0) return new Set(mergedKeys);
      const offsets = flushes.map(({ lastOffset }) => lastOffset);
      const bounds = { least: Math.min(...offsets), most: Math.max(...offsets) };
      const rows = await sql.query(
        `SELECT flush_last_offset, uniqExact(project_id, session_id) AS known,
           uniqExactIf((project_id, session_id), NOT arrayExists(
             flushes -> flushes.1 <= flush_last_offset AND flush_last_offset <= flushes.2, replaced)) AS needed
         FROM (
           SELECT project_id, session_id, flush_last_offset FROM ${database}.stored_blocks
           WHERE partition = {partition:UInt32} AND flush_last_offset IN {offsets:Array(Int64)}
         ) AS own
         LEFT JOIN (
           SELECT project_id, session_id, groupArray((first_flush, last_flush)) AS replaced FROM ${database}.stored_merged_blocks
           WHERE partition = {partition:UInt32} AND last_flush >= {least:Int64} AND first_flush <= {most:Int64}
             AND last_flush <= {end:Int64} AND merged_at_ms < {before:Int64}
           GROUP BY project_id, session_id
         ) AS merges USING (project_id, session_id)
         GROUP BY flush_last_offset`,
        { partition, offsets, ...bounds, end: chainEnd, before: replacedBeforeMs },
      );
      const found = new Map(rows.map((row) => [toNumber(row.flush_last_offset), row]));
      const isUsed = ({ lastOffset, sessions }: NamedFlush): boolean => {
        const row = found.get(lastOffset);
        // A replica that does not have all blocks of the flush yet cannot know that none is needed.
        return row ? toNumber(row.needed) > 0 || toNumber(row.known) < sessions : sessions > 0;
      };
      return new Set([...mergedKeys, ...flushes.filter(isUsed).map(({ objectKey }) => objectKey)]);
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
      const row = { project_id: projectId, session_id: sessionId, watch_id: watchId, viewer, started_at_ms: startedAtMs };
      await insert(`${database}.stored_views`, [row]);
    },

    async close() {
      await Promise.all([blockLists, ...inserts.values()].map((together) => together.close()));
      // Behind the lists, which ask for sessions.
      await sessions.close();
      await sql.close();
    },
  };
}

/** Sessions of a statement. Whatever project has a session of whichever name: what was not asked for is left out of the answers. */
interface Names {
  readonly where: string;
  readonly params: SqlParams;
}

function namesOf(names: readonly SessionName[]): Names {
  const projects = textParams('project', [...new Set(names.map(({ projectId }) => projectId))]);
  const sessions = textParams('session', [...new Set(names.map(({ sessionId }) => sessionId))]);
  return {
    where: `project_id IN (${projects.list}) AND session_id IN (${sessions.list})`,
    params: { ...projects.params, ...sessions.params },
  };
}

/** A parameter for each text: within an array not every server takes any. */
function textParams(name: string, texts: readonly string[]): { readonly list: string; readonly params: SqlParams } {
  return {
    list: texts.map((_, i) => `{${name}_${i}:String}`).join(', '),
    params: Object.fromEntries(texts.map((text, i) => [`${name}_${i}`, text])),
  };
}

function gapOfRow(row: SqlRow): KnownGap {
  return {
    firstOffset: toOffset(toNumber(row.first_offset)),
    lastOffset: toOffset(toNumber(row.last_offset)),
    receivedAfterMs: toNumber(row.received_after_ms),
    receivedBeforeMs: toNumber(row.received_before_ms),
  };
}

function nameOf({ projectId, sessionId }: SessionName): string {
  return JSON.stringify([projectId, sessionId]);
}

function listName({ projectId, sessionId, partition }: BlockList): string {
  return JSON.stringify([projectId, sessionId, partition]);
}

function listOfRow(row: SqlRow): string {
  return JSON.stringify([row.project_id, row.session_id, toNumber(row.partition)]);
}

/** Of rows of the same session. */
function replaces(merged: SqlRow, row: SqlRow): boolean {
  const flush = toNumber(row.flush_last_offset);
  return toNumber(merged.first_flush) <= flush && flush <= toNumber(merged.flush_last_offset);
}

function progressOfRow(row: SqlRow): CatalogProgress {
  return {
    chainEnd: toOffset(toNumber(row.chain_end)),
    flushesNext: toOffset(toNumber(row.flushes_next)),
    sessionsNext: toOffset(toNumber(row.sessions_next)),
    mergeNumber: toNumber(row.merge_number),
    mergesNext: toOffset(toNumber(row.merges_next)),
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
