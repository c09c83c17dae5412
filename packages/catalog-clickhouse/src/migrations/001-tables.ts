import { engine, onCluster, tableSettings } from '../placement.ts';
import type { Migration } from './migration.ts';

/**
 * The tables that the catalog writes. People read the views (002): they never show a row twice.
 *
 * - Keys are the identity of what a row is about, so inserting a row again replaces it with itself.
 * - Times are Unix ms as the records have them; views make DateTime64 of them.
 * - No PARTITION BY: recorders' clocks are not to be trusted, and one insert that touches more than a hundred partitions is
 *   refused for ever.
 * - Granules are small where rows are wide: a player asks for one session, and a granule is the least that is read.
 */
export const TABLES: Migration = {
  id: 1,
  name: 'tables',
  statements: (at) => [
    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_blocks${onCluster(at)} (
       project_id LowCardinality(String) COMMENT 'Project',
       session_id String COMMENT 'Session',
       partition UInt32 COMMENT 'Partition of the log',
       flush_last_offset Int64 COMMENT 'Last offset of the flush: with the partition, its identity',
       object_key String COMMENT 'Object in the block store',
       block_offset Int64 COMMENT 'First byte of the block in the object',
       block_length Int64 COMMENT 'Bytes of the block; 0 when there is none',
       first_offset Int64 COMMENT 'Offset of the first upload of the session in the flush',
       last_offset Int64 COMMENT 'Offset of the last upload of the session in the flush',
       first_timestamp_ms Int64 COMMENT 'Earliest frame, recorder clock, Unix ms; 0 without frames',
       last_timestamp_ms Int64 COMMENT 'Latest frame, recorder clock, Unix ms; 0 without frames',
       first_received_at_ms Int64 COMMENT 'Earliest receipt, server clock, Unix ms',
       last_received_at_ms Int64 COMMENT 'Latest receipt, server clock, Unix ms',
       windows Array(String) COMMENT 'Windows with uploads in the flush',
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
       uploads Int64 COMMENT 'Uploads that were accepted',
       duplicates Int64 COMMENT 'Uploads that had come before',
       rejected Int64 COMMENT 'Uploads that could not be read in full',
       bytes_received Int64 COMMENT 'Bytes of the uploads as received',
       pages Array(String) COMMENT 'Distinct page URLs in order of first appearance',
       facts Map(String, String) COMMENT 'Latest value of each fact',
       marks String COMMENT 'Identities of the accepted uploads: base64' CODEC(ZSTD(1)),
       frame_index String COMMENT 'Frame index of the block: base64' CODEC(ZSTD(1))
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (project_id, session_id, partition, flush_last_offset)
     ${tableSettings(at)}, index_granularity = 256
     COMMENT 'One row for each session in each flush'`,

    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_facts${onCluster(at)} (
       project_id LowCardinality(String) COMMENT 'Project',
       session_id String COMMENT 'Session',
       kind LowCardinality(String) COMMENT 'started or ended',
       fact_offset Int64 COMMENT 'Offset of the fact in its partition of the log; the first of a kind counts',
       at_ms Int64 COMMENT 'When it started or ended, Unix ms',
       source String COMMENT 'Kind of recorder (started)',
       user_id String COMMENT 'User as the site named it (started)',
       reason LowCardinality(String) COMMENT 'Why it is over (ended)',
       facts Map(String, String) COMMENT 'Device and page facts (started)'
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (project_id, session_id, kind, fact_offset)
     ${tableSettings(at)}, index_granularity = 1024
     COMMENT 'Starts and ends of sessions'`,

    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_events${onCluster(at)} (
       project_id LowCardinality(String) COMMENT 'Project',
       session_id String COMMENT 'Session',
       upload_offset Int64 COMMENT 'Position of the frame: offset of its upload',
       frame_index UInt32 COMMENT 'Position of the frame: index in its upload',
       window_id String COMMENT 'Window',
       timestamp_ms Int64 COMMENT 'Recorder clock, Unix ms',
       kind LowCardinality(String) COMMENT 'click, tap, input, navigation, console, request, error, crash or custom',
       selector Nullable(String) COMMENT 'CSS selector of the element',
       text Nullable(String) COMMENT 'What a person would read',
       url Nullable(String) COMMENT 'URL',
       value Nullable(String) COMMENT 'Value',
       x Nullable(Float64) COMMENT 'Place in the viewport, CSS px from the left',
       y Nullable(Float64) COMMENT 'Place in the viewport, CSS px from the top'
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (project_id, session_id, upload_offset, frame_index)
     ${tableSettings(at)}, index_granularity = 1024
     COMMENT 'Signals'`,

    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_views${onCluster(at)} (
       project_id LowCardinality(String) COMMENT 'Project',
       session_id String COMMENT 'Session',
       watch_id String COMMENT 'One opening of the player',
       viewer String COMMENT 'Who watched',
       started_at_ms Int64 COMMENT 'When, Unix ms'
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (project_id, session_id, watch_id)
     ${tableSettings(at)}
     COMMENT 'Who watched what'`,

    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_flushes${onCluster(at)} (
       partition UInt32 COMMENT 'Partition of the log',
       last_offset Int64 COMMENT 'Last offset that the flush covers',
       first_offset Int64 COMMENT 'First offset that the flush covers',
       prev_last_offset Int64 COMMENT 'Last offset of the flush before; -1 for the first',
       object_key String COMMENT 'Object in the block store; empty when nothing had a frame',
       object_bytes Int64 COMMENT 'Bytes of the object',
       created_at_ms Int64 COMMENT 'When the flush was written, Unix ms',
       writer String COMMENT 'Who wrote it',
       sessions UInt32 COMMENT 'Sessions in it',
       last_received_at_ms Int64 COMMENT 'Latest receipt in it, Unix ms; 0 when it has no session'
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (partition, last_offset)
     ${tableSettings(at)}
     COMMENT 'The valid chain of flushes'`,

    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_gaps${onCluster(at)} (
       partition UInt32 COMMENT 'Partition of the log',
       flush_last_offset Int64 COMMENT 'The flush that found it',
       first_offset Int64 COMMENT 'First offset that was trimmed before it was compacted',
       last_offset Int64 COMMENT 'Last offset that was trimmed before it was compacted',
       received_after_ms Int64 COMMENT 'Latest receipt known before the gap, Unix ms',
       received_before_ms Int64 COMMENT 'Earliest receipt known behind the gap, Unix ms'
     ) ENGINE = ${engine(at, 'ReplacingMergeTree')} ORDER BY (partition, flush_last_offset)
     ${tableSettings(at)}
     COMMENT 'Uploads that were lost'`,

    // Each column is a maximum, so progress cannot fall, whoever writes in which order.
    `CREATE TABLE IF NOT EXISTS ${at.database}.stored_progress${onCluster(at)} (
       partition UInt32 COMMENT 'Partition of the log',
       chain_end SimpleAggregateFunction(max, Int64) DEFAULT -1 COMMENT 'Last offset of the last flush applied',
       flushes_next SimpleAggregateFunction(max, Int64) COMMENT 'Next offset to read of the flushes',
       sessions_next SimpleAggregateFunction(max, Int64) COMMENT 'Next offset to read of the session facts'
     ) ENGINE = ${engine(at, 'AggregatingMergeTree')} ORDER BY partition
     ${tableSettings(at)}
     COMMENT 'How far the log was taken over'`,
  ],
};
