import type { MergeableSession, PositionedFact, SignalRow, StoredBlock } from '@playhead/ports';
import type { EndReason, Flush, FlushBlock, Merge, MergedBlock, SessionCounts, SessionInfo, Signal, SignalKind } from '@playhead/schemas';
import { END_REASONS, SIGNAL_KINDS, toOffset } from '@playhead/schemas';
import type { SqlRow } from './sql-client.ts';

/** Records to rows and back. Bytes travel as base64, because rows travel as JSON. */

const COUNT_NAMES = [
  'frames',
  'images',
  'keyframes',
  'clicks',
  'inputs',
  'navigations',
  'consoles',
  'requests',
  'errors',
  'crashes',
  'customs',
  'gaps',
] as const satisfies readonly (keyof SessionCounts)[];

/** Columns of `stored_blocks` and `stored_merged_blocks` that are numbers: in one array, because a row's names are longer than its values. */
const NUMBER_COLUMNS = [
  'block_offset',
  'block_length',
  'first_offset',
  'last_offset',
  'first_timestamp_ms',
  'last_timestamp_ms',
  'first_received_at_ms',
  'last_received_at_ms',
  'uploads',
  'duplicates',
  'rejected',
  'bytes_received',
  ...COUNT_NAMES,
] as const;

/** Columns of `stored_blocks` and `stored_merged_blocks` that `blockOfRow` reads, but for those that only one of them has. */
const SHARED_COLUMNS = `project_id, session_id, partition, object_key, [${NUMBER_COLUMNS.join(', ')}] AS numbers, windows, pages, facts, marks, frame_index`;

export const BLOCK_COLUMNS = `${SHARED_COLUMNS}, flush_last_offset, false AS merged`;
export const MERGED_BLOCK_COLUMNS = `${SHARED_COLUMNS}, first_flush, last_flush AS flush_last_offset, true AS merged`;

export function rowOfBlock({ partition, lastOffset, objectKey }: Flush, block: FlushBlock): SqlRow {
  return { ...sharedRowOf(block), partition, flush_last_offset: lastOffset, object_key: objectKey };
}

export function rowOfMergedBlock(merge: Merge, block: MergedBlock): SqlRow {
  return {
    ...sharedRowOf(block),
    partition: merge.partition,
    last_flush: block.lastFlush,
    first_flush: block.firstFlush,
    merge_number: merge.number,
    merged_at_ms: merge.createdAtMs,
    object_key: merge.objectKey,
  };
}

function sharedRowOf(block: FlushBlock): SqlRow {
  return {
    project_id: block.projectId,
    session_id: block.sessionId,
    block_offset: block.blockOffset,
    block_length: block.blockLength,
    first_offset: block.firstOffset,
    last_offset: block.lastOffset,
    first_timestamp_ms: block.firstTimestampMs,
    last_timestamp_ms: block.lastTimestampMs,
    first_received_at_ms: block.firstReceivedAtMs,
    last_received_at_ms: block.lastReceivedAtMs,
    windows: block.windows,
    ...block.counts,
    uploads: block.uploads,
    duplicates: block.duplicates,
    rejected: block.rejected,
    bytes_received: block.bytesReceived,
    pages: block.pages,
    facts: block.facts,
    marks: toBase64(block.marks),
    frame_index: toBase64(block.frameIndex),
  };
}

export function blockOfRow(row: SqlRow): StoredBlock {
  const numbers = toNamed(NUMBER_COLUMNS, row.numbers);
  return {
    projectId: toText(row.project_id),
    sessionId: toText(row.session_id),
    blockOffset: toNumber(numbers.block_offset),
    blockLength: toNumber(numbers.block_length),
    firstOffset: toOffset(toNumber(numbers.first_offset)),
    lastOffset: toOffset(toNumber(numbers.last_offset)),
    firstTimestampMs: toNumber(numbers.first_timestamp_ms),
    lastTimestampMs: toNumber(numbers.last_timestamp_ms),
    firstReceivedAtMs: toNumber(numbers.first_received_at_ms),
    lastReceivedAtMs: toNumber(numbers.last_received_at_ms),
    windows: toTexts(row.windows),
    counts: toCounts(numbers),
    uploads: toNumber(numbers.uploads),
    duplicates: toNumber(numbers.duplicates),
    rejected: toNumber(numbers.rejected),
    bytesReceived: toNumber(numbers.bytes_received),
    pages: toTexts(row.pages),
    facts: toFacts(row.facts),
    marks: fromBase64(row.marks),
    frameIndex: fromBase64(row.frame_index),
    objectKey: toText(row.object_key),
    flushLastOffset: toOffset(toNumber(row.flush_last_offset)),
    merged: row.merged === true,
  };
}

export function mergeableOfRow(row: SqlRow): MergeableSession {
  return {
    projectId: toText(row.project_id),
    sessionId: toText(row.session_id),
    endedAtMs: toNumber(row.ended_ms),
    bytes: toNumber(row.bytes),
  };
}

export function rowOfFact({ offset, fact }: PositionedFact): SqlRow {
  const key = { project_id: fact.projectId, session_id: fact.sessionId, kind: fact.kind, fact_offset: offset };
  if (fact.kind === 'ended') return { ...key, at_ms: fact.endedAtMs, reason: fact.reason };
  return { ...key, at_ms: fact.startedAtMs, source: fact.source, user_id: fact.userId, facts: fact.facts };
}

/** Columns of the view `sessions` that `sessionOfRow` reads. */
export const SESSION_COLUMNS = [
  'project_id, session_id, user_id, source, toUnixTimestamp64Milli(started_at) AS started_at_ms',
  'toUnixTimestamp64Milli(last_activity_at) AS last_activity_ms, toUnixTimestamp64Milli(ended_at) AS ended_at_ms',
  'end_reason, is_live, duration_ms, bytes, windows, pages, facts',
  ...COUNT_NAMES,
].join(', ');

export function sessionOfRow(row: SqlRow): SessionInfo {
  const reason = END_REASONS.find((known) => known === row.end_reason) ?? null;
  return {
    projectId: toText(row.project_id),
    sessionId: toText(row.session_id),
    userId: toText(row.user_id),
    source: toText(row.source),
    startedAtMs: toNumber(row.started_at_ms),
    lastActivityMs: toNumber(row.last_activity_ms),
    endedAtMs: row.ended_at_ms === null ? null : toNumber(row.ended_at_ms),
    endReason: reason satisfies EndReason | null,
    live: row.is_live === true,
    durationMs: toNumber(row.duration_ms),
    counts: toCounts(row),
    bytes: toNumber(row.bytes),
    windows: toNumber(row.windows),
    pages: toTexts(row.pages),
    facts: toFacts(row.facts),
  };
}

/** Columns of `stored_events` that `signalOfRow` reads. */
export const EVENT_COLUMNS = [
  'project_id, session_id, window_id, upload_offset, frame_index, timestamp_ms, kind, selector, text, url, value, x, y, reason',
  'missing_from_ms, missing_to_ms, missing_frames, missing_bytes, missing_track',
].join(', ');

export function rowOfSignal(row: SignalRow): SqlRow {
  const { kind, selector, text, url, value, x, y, reason, fromMs, toMs, frames, bytes, track } = row.signal;
  return {
    project_id: row.projectId,
    session_id: row.sessionId,
    window_id: row.windowId,
    upload_offset: row.position.offset,
    frame_index: row.position.index,
    timestamp_ms: row.timestampMs,
    kind,
    selector,
    text,
    url,
    value,
    x,
    y,
    reason,
    missing_from_ms: fromMs,
    missing_to_ms: toMs,
    missing_frames: frames,
    missing_bytes: bytes,
    missing_track: track,
  };
}

/** Fields of a signal and the columns they are in. Servers may write 64-bit integers as text: those are numbers here. */
const SIGNAL_FIELDS = [
  ...(['selector', 'text', 'url', 'value', 'x', 'y', 'reason'] as const).map((name) => [name, name, (value: unknown) => value] as const),
  ['fromMs', 'missing_from_ms', toNumber],
  ['toMs', 'missing_to_ms', toNumber],
  ['frames', 'missing_frames', toNumber],
  ['bytes', 'missing_bytes', toNumber],
  ['track', 'missing_track', (value: unknown) => value],
] as const;

export function signalOfRow(row: SqlRow): SignalRow {
  const kind: SignalKind = SIGNAL_KINDS.find((known) => known === row.kind) ?? 'custom';
  const told = SIGNAL_FIELDS.filter(([, column]) => row[column] !== null);
  const signal: Signal = { kind, ...Object.fromEntries(told.map(([field, column, read]) => [field, read(row[column])])) };
  return {
    projectId: toText(row.project_id),
    sessionId: toText(row.session_id),
    windowId: toText(row.window_id),
    position: { offset: toOffset(toNumber(row.upload_offset)), index: toNumber(row.frame_index) },
    timestampMs: toNumber(row.timestamp_ms),
    signal,
  };
}

/** A number of a row. Servers may be set to write 64-bit integers as text. */
export function toNumber(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw new TypeError(`not a number: ${String(value)}`);
  return number;
}

function toText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`not a text: ${String(value)}`);
  return value;
}

export function toTexts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`not a list: ${String(value)}`);
  return value.map(toText);
}

function toNamed<Name extends string>(names: readonly Name[], values: unknown): Readonly<Record<Name, unknown>> {
  if (!Array.isArray(values) || values.length !== names.length) throw new TypeError(`not ${names.length} values: ${String(values)}`);
  return Object.fromEntries(names.map((name, at) => [name, values[at]])) as Record<Name, unknown>;
}

function toFacts(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) throw new TypeError(`not a map: ${String(value)}`);
  return Object.fromEntries(Object.entries(value).map(([name, fact]) => [name, toText(fact)]));
}

function toCounts(row: SqlRow): SessionCounts {
  return Object.fromEntries(COUNT_NAMES.map((name) => [name, toNumber(row[name])])) as Record<(typeof COUNT_NAMES)[number], number>;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function fromBase64(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(toText(value), 'base64'));
}
