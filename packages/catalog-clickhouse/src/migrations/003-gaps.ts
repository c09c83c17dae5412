import type { Placement } from '../placement.ts';
import { onCluster } from '../placement.ts';
import { UTC } from './002-views.ts';
import type { Migration } from './migration.ts';

/**
 * Gaps that recorders tell. Rows of before have none: the columns' defaults say so.
 *
 * Replacing a view is atomic: who asks meanwhile gets the one or the other.
 */

const COLUMNS = (at: Placement): string[] => [
  `ALTER TABLE ${at.database}.stored_blocks${onCluster(at)}
     ADD COLUMN IF NOT EXISTS gaps Int64 DEFAULT 0 COMMENT 'Gaps that the recorder told' AFTER customs`,
  `ALTER TABLE ${at.database}.stored_events${onCluster(at)}
     ADD COLUMN IF NOT EXISTS reason Nullable(String) COMMENT 'Why there is a gap',
     ADD COLUMN IF NOT EXISTS missing_from_ms Nullable(Int64) COMMENT 'Where the gap begins, recorder clock, Unix ms',
     ADD COLUMN IF NOT EXISTS missing_to_ms Nullable(Int64) COMMENT 'Where the gap ends, recorder clock, Unix ms',
     ADD COLUMN IF NOT EXISTS missing_frames Nullable(Int64) COMMENT 'Frames that are missing',
     ADD COLUMN IF NOT EXISTS missing_bytes Nullable(Int64) COMMENT 'Bytes that are missing',
     ADD COLUMN IF NOT EXISTS missing_track Nullable(String) COMMENT 'Track of all that is missing'`,
];

const SESSIONS = (at: Placement): string => `CREATE OR REPLACE VIEW ${at.database}.sessions${onCluster(at)} (
    project_id String COMMENT 'Project',
    session_id String COMMENT 'Session: one visit of one user, across tabs',
    user_id String COMMENT 'User as the site named it, at the start or later; empty when it did not',
    source String COMMENT 'Kind of recorder: web, phone, import; empty when its start is not known',
    started_at DateTime64(3, 'UTC') COMMENT 'Start as the recorder told it; else the first frame; else the first receipt; else the end',
    last_activity_at DateTime64(3, 'UTC') COMMENT 'Latest of start, frames and receipts',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End; NULL while it is live',
    end_reason Nullable(String) COMMENT 'told, closed or silence; NULL while it is live',
    is_live Bool COMMENT 'It was not told to be over',
    duration_ms Int64 COMMENT 'From the first to the last frame, ms by the clock of the recorder; without frames from start to end or last activity',
    frames Int64 COMMENT 'Frames: units of replay of every kind',
    images Int64 COMMENT 'Frames that are pictures',
    keyframes Int64 COMMENT 'Frames from which a window can be drawn alone',
    clicks Int64 COMMENT 'Clicks and taps',
    inputs Int64 COMMENT 'Inputs',
    navigations Int64 COMMENT 'Navigations',
    consoles Int64 COMMENT 'Console lines',
    requests Int64 COMMENT 'Requests',
    errors Int64 COMMENT 'Errors',
    crashes Int64 COMMENT 'Crashes',
    customs Int64 COMMENT 'Signals of the site itself',
    gaps Int64 COMMENT 'Stretches of which the recorder told that something is missing: see session_events, kind gap',
    uploads Int64 COMMENT 'Uploads that were accepted',
    duplicates Int64 COMMENT 'Uploads that came again and were left out',
    rejected Int64 COMMENT 'Uploads that could not be read in full',
    bytes Int64 COMMENT 'Bytes of the uploads as received',
    stored_bytes Int64 COMMENT 'Bytes of the blocks',
    blocks Int64 COMMENT 'Blocks: pieces of the replay in the block store',
    windows Int64 COMMENT 'Distinct windows: tabs, webviews, app instances',
    first_url String COMMENT 'First page; empty when none is known',
    pages Array(String) COMMENT 'The first 100 distinct pages in order of first appearance',
    facts Map(String, String) COMMENT 'Device and page facts; the latest value of each'
  ) AS
  SELECT
    project_id, session_id,
    if(start_user = '', facts['userId'], start_user) AS user_id,
    source,
    ${UTC('began_ms')} AS started_at,
    ${UTC('activity_ms')} AS last_activity_at,
    ${UTC('ended_ms')} AS ended_at,
    if(ended_ms IS NULL, NULL, ended_reason) AS end_reason,
    CAST(ended_ms IS NULL, 'Bool') AS is_live,
    ifNull(last_frame_ms - first_frame_ms, greatest(0, coalesce(ended_ms, activity_ms, 0) - began_ms)) AS duration_ms,
    frames, images, keyframes, clicks, inputs, navigations, consoles, requests, errors, crashes, customs, gaps,
    uploads, duplicates, rejected, bytes, stored_bytes, blocks, windows,
    all_pages[1] AS first_url,
    arraySlice(arrayFilter((page, nth) -> nth = 1, all_pages, arrayEnumerateUniq(all_pages)), 1, 100) AS pages,
    mapFromArrays(
      arrayFilter((name, nth) -> nth = 1, fact_names, arrayEnumerateUniq(fact_names)),
      arrayFilter((value, nth) -> nth = 1, fact_values, arrayEnumerateUniq(fact_names))
    ) AS facts
  FROM (
    SELECT
      * EXCEPT (facts_by_flush, started_facts),
      coalesce(started_ms, first_frame_ms, first_received_ms, ended_ms, 0) AS began_ms,
      if(started_ms IS NULL AND first_received_ms IS NULL, ended_ms, greatest(ifNull(started_ms, 0), block_activity_ms)) AS activity_ms,
      arrayPushBack(arrayReverseSort(entry -> entry.1, facts_by_flush).2, started_facts) AS newest_facts,
      arrayFlatten(arrayMap(entry -> mapKeys(entry), newest_facts)) AS fact_names,
      arrayFlatten(arrayMap(entry -> mapValues(entry), newest_facts)) AS fact_values
    FROM (
      SELECT
        project_id,
        session_id,
        argMinIf(row_user, row_order, row_kind = 'started') AS start_user,
        argMinIf(row_source, row_order, row_kind = 'started') AS source,
        argMinOrNullIf(at_ms, row_order, row_kind = 'started') AS started_ms,
        argMinIf(row_facts, row_order, row_kind = 'started') AS started_facts,
        argMinOrNullIf(at_ms, row_order, row_kind = 'ended') AS ended_ms,
        argMinIf(row_reason, row_order, row_kind = 'ended') AS ended_reason,
        minOrNullIf(row_first_frame, row_frames > 0) AS first_frame_ms,
        maxOrNullIf(row_last_frame, row_frames > 0) AS last_frame_ms,
        minOrNullIf(row_first_received, row_kind = 'block') AS first_received_ms,
        max(row_activity) AS block_activity_ms,
        sum(row_frames) AS frames,
        sum(row_images) AS images,
        sum(row_keyframes) AS keyframes,
        sum(row_clicks) AS clicks,
        sum(row_inputs) AS inputs,
        sum(row_navigations) AS navigations,
        sum(row_consoles) AS consoles,
        sum(row_requests) AS requests,
        sum(row_errors) AS errors,
        sum(row_crashes) AS crashes,
        sum(row_customs) AS customs,
        sum(row_gaps) AS gaps,
        sum(row_uploads) AS uploads,
        sum(row_duplicates) AS duplicates,
        sum(row_rejected) AS rejected,
        sum(row_bytes) AS bytes,
        sum(row_stored) AS stored_bytes,
        countIf(row_stored > 0) AS blocks,
        uniqExactArray(row_windows) AS windows,
        arrayFlatten(arraySort(entry -> entry.1, groupArrayIf((row_order, row_pages), row_kind = 'block')).2) AS all_pages,
        groupArrayIf((row_order, row_facts), row_kind = 'block') AS facts_by_flush
      FROM (
        SELECT
          project_id, session_id, 'block' AS row_kind, flush_last_offset AS row_order,
          0::Int64 AS at_ms, '' AS row_user, '' AS row_source, '' AS row_reason, facts AS row_facts,
          first_timestamp_ms AS row_first_frame, last_timestamp_ms AS row_last_frame,
          first_received_at_ms AS row_first_received,
          if(frames > 0, greatest(last_timestamp_ms, last_received_at_ms), last_received_at_ms) AS row_activity,
          frames AS row_frames, images AS row_images, keyframes AS row_keyframes, clicks AS row_clicks, inputs AS row_inputs,
          navigations AS row_navigations, consoles AS row_consoles, requests AS row_requests, errors AS row_errors,
          crashes AS row_crashes, customs AS row_customs, gaps AS row_gaps, uploads AS row_uploads,
          duplicates AS row_duplicates, rejected AS row_rejected, bytes_received AS row_bytes, block_length AS row_stored,
          windows AS row_windows, pages AS row_pages
        FROM ${at.database}.stored_blocks FINAL
        UNION ALL
        SELECT
          project_id, session_id, kind::String, fact_offset,
          at_ms, user_id, source, reason::String, facts,
          0, 0, 0, 0,
          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
          [], []
        FROM ${at.database}.stored_facts FINAL
      )
      GROUP BY project_id, session_id
    )
  )
  COMMENT 'One row for each session'`;

const SESSION_EVENTS = (at: Placement): string => `CREATE OR REPLACE VIEW ${at.database}.session_events${onCluster(at)} (
    project_id String COMMENT 'Project',
    session_id String COMMENT 'Session',
    window_id String COMMENT 'Window: tab, webview or app instance',
    position String COMMENT 'Place in the replay: offset of the upload, index of the frame',
    upload_offset Int64 COMMENT 'Offset of the upload in the log; with frame_index the order in a session',
    frame_index UInt32 COMMENT 'Index of the frame in its upload',
    timestamp DateTime64(3, 'UTC') COMMENT 'When, by the clock of the recorder',
    kind String COMMENT 'click, tap, input, navigation, console, request, error, crash, custom or gap',
    selector Nullable(String) COMMENT 'CSS selector of the element',
    text Nullable(String) COMMENT 'What a person would read: the label of a button, the message of an error',
    url Nullable(String) COMMENT 'URL of the page or of the request',
    value Nullable(String) COMMENT 'Value, by kind; never what was typed',
    x Nullable(Float64) COMMENT 'Place in the viewport, CSS px from the left',
    y Nullable(Float64) COMMENT 'Place in the viewport, CSS px from the top',
    reason Nullable(String) COMMENT 'Why there is a gap: background, buffer_full, refused, session_over, too_large, keyframe_lost, page_left, too_many_signals, fault, or what a newer recorder says',
    missing_from Nullable(DateTime64(3, 'UTC')) COMMENT 'Where the gap begins, by the clock of the recorder',
    missing_to Nullable(DateTime64(3, 'UTC')) COMMENT 'Where the gap ends, by the clock of the recorder',
    missing_frames Nullable(Int64) COMMENT 'Frames that are missing; NULL where nobody knows',
    missing_bytes Nullable(Int64) COMMENT 'Their bytes before compression; NULL where nobody knows',
    missing_track Nullable(String) COMMENT 'Track of all that is missing: dom, image, hierarchy or signal; NULL when of several'
  ) AS
  SELECT
    project_id, session_id, window_id,
    concat(toString(upload_offset), '.', toString(frame_index)) AS position,
    upload_offset, frame_index,
    ${UTC('timestamp_ms')} AS timestamp,
    kind, selector, text, url, value, x, y, reason,
    ${UTC('missing_from_ms')} AS missing_from, ${UTC('missing_to_ms')} AS missing_to,
    missing_frames, missing_bytes, missing_track
  FROM ${at.database}.stored_events FINAL
  COMMENT 'One row for each signal: what the user and the page did'`;

export const GAPS: Migration = {
  id: 3,
  name: 'gaps',
  statements: (at) => [...COLUMNS(at), SESSIONS(at), SESSION_EVENTS(at)],
};
