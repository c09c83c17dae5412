import type { Placement } from '../placement.ts';
import { onCluster } from '../placement.ts';
import type { Migration } from './migration.ts';

/** What people read, but for sessions and their events (003). FINAL sees to it that a row that is there twice (not merged yet) counts once. */

export const UTC = (column: string): string => `fromUnixTimestamp64Milli(${column}, 'UTC')`;

const SESSION_BLOCKS = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.session_blocks${onCluster(at)} (
    project_id String COMMENT 'Project',
    session_id String COMMENT 'Session',
    partition UInt32 COMMENT 'Partition of the log',
    flush_last_offset Int64 COMMENT 'Last offset of the flush; the id of the block in its session',
    object_key String COMMENT 'Object in the block store',
    block_offset Int64 COMMENT 'First byte of the block in the object',
    block_length Int64 COMMENT 'Bytes of the block; 0 when nothing had a frame',
    first_offset Int64 COMMENT 'Offset of the first upload of the session in the flush',
    last_offset Int64 COMMENT 'Offset of the last upload of the session in the flush',
    first_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Earliest frame, by the clock of the recorder; NULL without frames',
    last_timestamp Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest frame, by the clock of the recorder; NULL without frames',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Earliest receipt, by the clock of the server',
    last_received_at DateTime64(3, 'UTC') COMMENT 'Latest receipt, by the clock of the server',
    windows Array(String) COMMENT 'Windows with uploads in the flush',
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
  SELECT
    project_id, session_id, partition, flush_last_offset, object_key, block_offset, block_length, first_offset, last_offset,
    if(frames > 0, ${UTC('first_timestamp_ms')}, NULL) AS first_timestamp,
    if(frames > 0, ${UTC('last_timestamp_ms')}, NULL) AS last_timestamp,
    ${UTC('first_received_at_ms')} AS first_received_at,
    ${UTC('last_received_at_ms')} AS last_received_at,
    windows, frames, images, keyframes, uploads, duplicates, rejected, bytes_received, pages, facts,
    base64Decode(frame_index) AS frame_index
  FROM ${at.database}.stored_blocks FINAL
  COMMENT 'One row for each session in each flush: where its bytes are'`;

const SESSION_VIEWS = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.session_views${onCluster(at)} (
    project_id String COMMENT 'Project',
    session_id String COMMENT 'Session',
    watch_id String COMMENT 'One opening of the player',
    viewer String COMMENT 'Who watched: member or name of the token',
    started_at DateTime64(3, 'UTC') COMMENT 'When the player was opened'
  ) AS
  SELECT project_id, session_id, watch_id, viewer, ${UTC('started_at_ms')} AS started_at
  FROM ${at.database}.stored_views FINAL
  COMMENT 'One row for each time somebody watched a session'`;

const FLUSHES = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.flushes${onCluster(at)} (
    partition UInt32 COMMENT 'Partition of the log',
    first_offset Int64 COMMENT 'First offset that the flush covers',
    last_offset Int64 COMMENT 'Last offset that the flush covers',
    prev_last_offset Int64 COMMENT 'Last offset of the flush before; -1 for the first',
    object_key String COMMENT 'Object in the block store; empty when nothing had a frame',
    object_bytes Int64 COMMENT 'Bytes of the object',
    created_at DateTime64(3, 'UTC') COMMENT 'When the flush was written',
    writer String COMMENT 'Who wrote it',
    sessions UInt32 COMMENT 'Sessions in it'
  ) AS
  SELECT
    partition, first_offset, last_offset, prev_last_offset, object_key, object_bytes,
    ${UTC('created_at_ms')} AS created_at, writer, sessions
  FROM ${at.database}.stored_flushes FINAL
  COMMENT 'One row for each flush of the valid chain'`;

const GAPS = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.gaps${onCluster(at)} (
    partition UInt32 COMMENT 'Partition of the log',
    first_offset Int64 COMMENT 'First offset that was lost',
    last_offset Int64 COMMENT 'Last offset that was lost',
    received_after DateTime64(3, 'UTC') COMMENT 'Latest receipt known before the gap',
    received_before DateTime64(3, 'UTC') COMMENT 'Earliest receipt known behind the gap'
  ) AS
  SELECT
    partition, first_offset, last_offset,
    ${UTC('received_after_ms')} AS received_after, ${UTC('received_before_ms')} AS received_before
  FROM ${at.database}.stored_gaps FINAL
  COMMENT 'Uploads that the log had dropped before they were stored'`;

const PROGRESS = (at: Placement): string => `CREATE VIEW IF NOT EXISTS ${at.database}.projection_progress${onCluster(at)} (
    partition UInt32 COMMENT 'Partition of the log',
    chain_end Int64 COMMENT 'Last offset of the last flush applied; -1 before the first',
    flushes_next Int64 COMMENT 'Next offset to read of the flushes',
    sessions_next Int64 COMMENT 'Next offset to read of the session facts'
  ) AS
  SELECT p AS partition, chain_end, flushes_next, sessions_next
  FROM (
    SELECT partition AS p, max(progress.chain_end) AS chain_end, max(progress.flushes_next) AS flushes_next,
      max(progress.sessions_next) AS sessions_next
    FROM ${at.database}.stored_progress AS progress GROUP BY p
  )
  COMMENT 'How far the log was taken over'`;

export const VIEWS: Migration = {
  id: 2,
  name: 'views',
  statements: (at) => [SESSION_BLOCKS(at), SESSION_VIEWS(at), FLUSHES(at), GAPS(at), PROGRESS(at)],
};
