import type { Placement } from '../placement.ts';
import { engine, onCluster, tableSettings } from '../placement.ts';
import { UTC } from './002-views.ts';
import type { Migration } from './migration.ts';

/**
 * Merges: blocks that replace those of flushes, and how far they were taken over.
 *
 * - A merged block has its own table, and its row says which range of flushes it replaces. What it replaces is not touched: sums
 *   over flushes stay what they were, and a reader leaves out what a row that it has seen replaces.
 * - The indexes are for what is asked by time rather than by session: ids of sessions are made in the order of time, so few
 *   granules hold what ended in a span, or is of a few flushes.
 */

const TABLES = (at: Placement): string[] => [
  `CREATE TABLE IF NOT EXISTS ${at.database}.stored_merged_blocks${onCluster(at)} (
     project_id LowCardinality(String) COMMENT 'Project',
     session_id String COMMENT 'Session',
     partition UInt32 COMMENT 'Partition of the log',
     last_flush Int64 COMMENT 'Last offset of the flush whose block of the session is the last that it replaces',
     first_flush Int64 COMMENT 'Last offset of the flush whose block of the session is the first that it replaces',
     merge_number Int64 COMMENT 'Number of the merge in its partition',
     merged_at_ms Int64 COMMENT 'When the merge was made, Unix ms',
     object_key String COMMENT 'Object in the block store',
     block_offset Int64 COMMENT 'First byte of the block in the object',
     block_length Int64 COMMENT 'Bytes of the block; 0 when there is none',
     first_offset Int64 COMMENT 'Offset of the first upload of the session in the stretch',
     last_offset Int64 COMMENT 'Offset of the last upload of the session in the stretch',
     first_timestamp_ms Int64 COMMENT 'Earliest frame, recorder clock, Unix ms; 0 without frames',
     last_timestamp_ms Int64 COMMENT 'Latest frame, recorder clock, Unix ms; 0 without frames',
     first_received_at_ms Int64 COMMENT 'Earliest receipt, server clock, Unix ms',
     last_received_at_ms Int64 COMMENT 'Latest receipt, server clock, Unix ms',
     windows Array(String) COMMENT 'Windows with uploads in the stretch',
     frames Int64 COMMENT 'Frames',
     images Int64 COMMENT 'Pictures',
     keyframes Int64 COMMENT 'Keyframes',
     clicks Int64 COMMENT 'Clicks and taps',
     inputs Int64 COMMENT 'Inputs',
     navigations Int64 COMMENT 'Navigations',
     consoles Int64 COMMENT 'Console lines',
     requests Int64 COMMENT 'Requests',
     errors Int64 COMMENT 'Errors',
     crashes Int64 COMMENT 'Crashes',
     customs Int64 COMMENT 'Custom signals',
     gaps Int64 COMMENT 'Gaps that the recorder told',
     uploads Int64 COMMENT 'Uploads that were accepted',
     duplicates Int64 COMMENT 'Uploads that had come before',
     rejected Int64 COMMENT 'Uploads that could not be read in full',
     bytes_received Int64 COMMENT 'Bytes of the uploads as received',
     pages Array(String) COMMENT 'Distinct page URLs in order of first appearance',
     facts Map(String, String) COMMENT 'Latest value of each fact',
     marks String COMMENT 'Identities of the accepted uploads: base64' CODEC(ZSTD(1)),
     frame_index String COMMENT 'Frame index of the block: base64' CODEC(ZSTD(1)),
     INDEX by_last_flush last_flush TYPE minmax
   ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (project_id, session_id, partition, last_flush)
   ${tableSettings(at)}, index_granularity = 64
   COMMENT 'One row for each stretch of blocks of a session that was laid out anew'`,

  `CREATE TABLE IF NOT EXISTS ${at.database}.stored_merges${onCluster(at)} (
     partition UInt32 COMMENT 'Partition of the log',
     number Int64 COMMENT 'Number of the merge in its partition',
     object_key String COMMENT 'Object in the block store; empty when nothing had a frame',
     object_bytes Int64 COMMENT 'Bytes of the object',
     created_at_ms Int64 COMMENT 'When the merge was made, Unix ms',
     writer String COMMENT 'Who made it',
     blocks UInt32 COMMENT 'Blocks in it, also those without a frame'
   ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (partition, number)
   ${tableSettings(at)}
   COMMENT 'The valid merges'`,
];

const COLUMNS = (at: Placement): string[] => [
  `ALTER TABLE ${at.database}.stored_progress${onCluster(at)}
     ADD COLUMN IF NOT EXISTS merge_number SimpleAggregateFunction(max, Int64) COMMENT 'Number of the last merge applied',
     ADD COLUMN IF NOT EXISTS merges_next SimpleAggregateFunction(max, Int64) COMMENT 'Next offset to read of the merges'`,
];

const INDEXES = (at: Placement): string[] => [
  `ALTER TABLE ${at.database}.stored_facts${onCluster(at)} ADD INDEX IF NOT EXISTS by_time at_ms TYPE minmax`,
  `ALTER TABLE ${at.database}.stored_facts${onCluster(at)} MATERIALIZE INDEX IF EXISTS by_time`,
  `ALTER TABLE ${at.database}.stored_blocks${onCluster(at)} ADD INDEX IF NOT EXISTS by_flush flush_last_offset TYPE minmax`,
  `ALTER TABLE ${at.database}.stored_blocks${onCluster(at)} MATERIALIZE INDEX IF EXISTS by_flush`,
];

/** Columns that blocks of flushes and merged ones have alike in the view. */
const BLOCK = `object_key, block_offset, block_length, first_offset, last_offset,
    if(frames > 0, ${UTC('first_timestamp_ms')}, NULL) AS first_timestamp,
    if(frames > 0, ${UTC('last_timestamp_ms')}, NULL) AS last_timestamp,
    ${UTC('first_received_at_ms')} AS first_received_at,
    ${UTC('last_received_at_ms')} AS last_received_at,
    windows, frames, images, keyframes, uploads, duplicates, rejected, bytes_received, pages, facts,
    base64Decode(frame_index) AS frame_index`;

/** Merged blocks of which the chain has reached the last flush that they replace: only those are answered. */
const ANSWERED = (at: Placement): string => `${at.database}.stored_merged_blocks AS replacing FINAL
    INNER JOIN (
      SELECT partition AS of_partition, max(chain_end) AS reached FROM ${at.database}.stored_progress GROUP BY of_partition
    ) AS chains ON of_partition = partition
    WHERE last_flush <= reached`;

const SESSION_BLOCKS = (at: Placement): string => `CREATE OR REPLACE VIEW ${at.database}.session_blocks${onCluster(at)} (
    project_id String COMMENT 'Project',
    session_id String COMMENT 'Session',
    partition UInt32 COMMENT 'Partition of the log',
    flush_last_offset Int64 COMMENT 'Last offset of its flush; of a merged block that of the last flush that it replaces',
    merged Bool COMMENT 'It replaces the blocks of the session in some flushes',
    object_key String COMMENT 'Object in the block store',
    block_offset Int64 COMMENT 'First byte of the block in the object',
    block_length Int64 COMMENT 'Bytes of the block; 0 when nothing had a frame',
    first_offset Int64 COMMENT 'Offset of the first upload of the session in the block',
    last_offset Int64 COMMENT 'Offset of the last upload of the session in the block',
    first_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Earliest frame, by the clock of the recorder; NULL without frames',
    last_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest frame, by the clock of the recorder; NULL without frames',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Earliest receipt, by the clock of the server',
    last_received_at DateTime64(3, 'UTC') COMMENT 'Latest receipt, by the clock of the server',
    windows Array(String) COMMENT 'Windows with uploads in the block',
    frames Int64 COMMENT 'Frames',
    images Int64 COMMENT 'Pictures',
    keyframes Int64 COMMENT 'Keyframes',
    uploads Int64 COMMENT 'Uploads that were accepted',
    duplicates Int64 COMMENT 'Uploads that came again and were left out',
    rejected Int64 COMMENT 'Uploads that could not be read in full',
    bytes_received Int64 COMMENT 'Bytes of the uploads as received',
    pages Array(String) COMMENT 'Distinct pages in order of first appearance',
    facts Map(String, String) COMMENT 'Latest value of each fact',
    frame_index String COMMENT 'Where each frame is in the block: binary'
  ) AS
  SELECT project_id, session_id, partition, last_flush AS flush_last_offset, true AS merged, ${BLOCK}
  FROM ${ANSWERED(at)}
  UNION ALL
  SELECT project_id, session_id, partition, flush_last_offset, false AS merged, ${BLOCK}
  FROM ${at.database}.stored_blocks FINAL
  LEFT JOIN (
    SELECT project_id, session_id, partition, groupArray((first_flush, last_flush)) AS replaced
    FROM ${ANSWERED(at)}
    GROUP BY project_id, session_id, partition
  ) AS merges USING (project_id, session_id, partition)
  WHERE NOT arrayExists(flushes -> flushes.1 <= flush_last_offset AND flush_last_offset <= flushes.2, replaced)
  COMMENT 'One row for each block of a session: where its bytes are'`;

const MERGES = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.merges${onCluster(at)} (
    partition UInt32 COMMENT 'Partition of the log',
    number Int64 COMMENT 'Number of the merge in its partition, from 1',
    object_key String COMMENT 'Object in the block store; empty when nothing had a frame',
    object_bytes Int64 COMMENT 'Bytes of the object',
    created_at DateTime64(3, 'UTC') COMMENT 'When the merge was made',
    writer String COMMENT 'Who made it',
    blocks UInt32 COMMENT 'Blocks in it'
  ) AS
  SELECT partition, number, object_key, object_bytes, ${UTC('created_at_ms')} AS created_at, writer, blocks
  FROM ${at.database}.stored_merges FINAL
  COMMENT 'One row for each valid merge: blocks of ended sessions, laid out anew in one object'`;

const PROGRESS = (at: Placement): string => `CREATE OR REPLACE VIEW ${at.database}.projection_progress${onCluster(at)} (
    partition UInt32 COMMENT 'Partition of the log',
    chain_end Int64 COMMENT 'Last offset of the last flush applied; -1 before the first',
    flushes_next Int64 COMMENT 'Next offset to read of the flushes',
    sessions_next Int64 COMMENT 'Next offset to read of the session facts',
    merge_number Int64 COMMENT 'Number of the last merge applied; 0 before the first',
    merges_next Int64 COMMENT 'Next offset to read of the merges'
  ) AS
  SELECT p AS partition, chain_end, flushes_next, sessions_next, merge_number, merges_next
  FROM (
    SELECT partition AS p, max(progress.chain_end) AS chain_end, max(progress.flushes_next) AS flushes_next,
      max(progress.sessions_next) AS sessions_next, max(progress.merge_number) AS merge_number,
      max(progress.merges_next) AS merges_next
    FROM ${at.database}.stored_progress AS progress GROUP BY p
  )
  COMMENT 'How far the log was taken over'`;

export const MERGING: Migration = {
  id: 4,
  name: 'merges',
  statements: (at) => [...TABLES(at), ...COLUMNS(at), ...INDEXES(at), SESSION_BLOCKS(at), MERGES(at), PROGRESS(at)],
};
