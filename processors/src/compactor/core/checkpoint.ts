import type { Flush, Offset, Partition } from '@playhead/schemas';
import { ByteReader, BytesFault, ByteWriter, crc32, Marks, toOffset } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';
import type { EndedSession, Lifecycle, OpenSession, WindowLife } from '../../lifecycle/core/lifecycle.ts';
import type { KnownSession, KnownSessions } from './known-sessions.ts';

/**
 * A checkpoint: what a compactor knows at one end of the flush chain, so that the next start reads only what came after it.
 * It is a shortcut and never the truth: it counts only while the flush that it names is in the log as it says.
 *
 *     bytes v1 (big-endian; v = varint, t = varint length and UTF-8):
 *     ┌────────────────┬──────────────────┬───────────────────────────────────────────────────────────────┐
 *     │ "PHC" u8 = 1   │ u32 CRC-32       │ body, checked by the CRC                                        │
 *     └────────────────┴──────────────────┴───────────────────────────────────────────────────────────────┘
 *     body:
 *     ┌ the flush that ends the chain ────────────────────────────────────────────────────────────────────┐
 *     │ v partition │ v offset of its record │ v prevLastOffset + 1 │ v firstOffset │ v lastOffset │ t objectKey │
 *     ├ readers ───────────────────────────────────────────────────────────────────────────────────────────┤
 *     │ v sessionsNext │ v newestMs (the partition's time)                                                    │
 *     ├ sessions ── v count, per session ──────────────────────────────────────────────────────────────────┤
 *     │ t projectId │ t sessionId │ u8 flags (1 marks, 2 open, 4 ended)                                       │
 *     │ marks:  v seenAtMs │ v length, bytes of Marks                                                         │
 *     │ open:   v lastReceivedAtMs │ v windows, per window:                                                   │
 *     │         t windowId │ v lastSeenMs │ u8 goodbye │ v goodbyeCounter + 1 (0: none)                       │
 *     │ ended:  v endedAtMs                                                                                  │
 *     └─────────────────────────────────────────────────────────────────────────────────────────────────────┘
 */
export interface Checkpoint {
  readonly partition: Partition;
  /** The flush that ends the chain, and where its record is in `playhead.flushes`. */
  readonly flushesOffset: Offset;
  readonly flush: CheckpointedFlush;
  /** Where to read `playhead.sessions` on. */
  readonly sessionsNext: Offset;
  readonly newestMs: number;
  readonly known: readonly KnownSession[];
  readonly open: readonly OpenSession[];
  readonly ended: readonly EndedSession[];
}

/** What a checkpoint says of the flush that it stands on: enough to tell it from any other. */
export type CheckpointedFlush = Pick<Flush, 'prevLastOffset' | 'firstOffset' | 'lastOffset' | 'objectKey'>;

const MAGIC = Uint8Array.of(0x50, 0x48, 0x43, 1);
const HEADER_BYTES = 8;
const FLAG_MARKS = 1;
const FLAG_OPEN = 2;
const FLAG_ENDED = 4;

/** What a compactor knows when nothing is pending. */
export interface Knowledge {
  readonly partition: Partition;
  readonly tip: { readonly flush: CheckpointedFlush; readonly offset: Offset };
  readonly sessionsNext: Offset;
  readonly known: KnownSessions;
  readonly lifecycle: Lifecycle;
}

/** The checkpoint of what is known; what is older than the horizon is forgotten first. */
export function checkpointOf({ partition, tip, sessionsNext, known, lifecycle }: Knowledge, dedupeHorizonMs: number): Checkpoint {
  known.forget(dedupeHorizonMs);
  lifecycle.forget(known.newestMs - dedupeHorizonMs, (projectId, sessionId) => known.get(projectId, sessionId) !== undefined);
  return {
    partition,
    flushesOffset: tip.offset,
    flush: tip.flush,
    sessionsNext,
    newestMs: known.newestMs,
    known: [...known.values()],
    open: [...lifecycle.open()],
    ended: [...lifecycle.ended()],
  };
}

/** True when the log holds the flush that the checkpoint stands on. */
export function agrees(checkpoint: Checkpoint, flush: Flush | null): boolean {
  if (flush === null) return false;
  const { prevLastOffset, firstOffset, lastOffset, objectKey } = checkpoint.flush;
  return (
    flush.partition === checkpoint.partition &&
    flush.prevLastOffset === prevLastOffset &&
    flush.firstOffset === firstOffset &&
    flush.lastOffset === lastOffset &&
    flush.objectKey === objectKey
  );
}

interface SessionParts {
  readonly projectId: string;
  readonly sessionId: string;
  known?: KnownSession;
  open?: OpenSession;
  ended?: EndedSession;
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const body = new ByteWriter(64 * 1024);
  body.varint(checkpoint.partition);
  body.varint(checkpoint.flushesOffset);
  body.varint(checkpoint.flush.prevLastOffset + 1);
  body.varint(checkpoint.flush.firstOffset);
  body.varint(checkpoint.flush.lastOffset);
  body.text(checkpoint.flush.objectKey);
  body.varint(checkpoint.sessionsNext);
  body.varint(whole(checkpoint.newestMs));
  const sessions = bySession(checkpoint);
  const marks = new ByteWriter();
  body.varint(sessions.size);
  for (const { projectId, sessionId, known, open, ended } of sessions.values()) {
    body.text(projectId);
    body.text(sessionId);
    body.u8((known ? FLAG_MARKS : 0) | (open ? FLAG_OPEN : 0) | (ended ? FLAG_ENDED : 0));
    if (known) {
      marks.clear();
      known.marks.write(marks);
      body.varint(whole(known.seenAtMs));
      body.varint(marks.length);
      body.raw(marks.bytes());
    }
    if (open) writeOpen(body, open);
    if (ended) body.varint(whole(ended.endedAtMs));
  }
  const writer = new ByteWriter(HEADER_BYTES + body.length);
  writer.raw(MAGIC);
  writer.u32(crc32(body.bytes()));
  writer.raw(body.bytes());
  return writer.bytes();
}

/** @throws {BytesFault} for bytes that are not a whole checkpoint of this version */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const header = new ByteReader(bytes);
  for (const expected of MAGIC) if (header.u8() !== expected) throw new BytesFault('not a checkpoint of this version', 0);
  const checksum = header.u32();
  if (crc32(bytes.subarray(HEADER_BYTES)) !== checksum) throw new BytesFault('a checkpoint is damaged', HEADER_BYTES);

  const body = new ByteReader(bytes, HEADER_BYTES);
  const partition = body.varint();
  const flushesOffset = toOffset(body.varint());
  const flush = {
    prevLastOffset: toOffset(body.varint() - 1),
    firstOffset: toOffset(body.varint()),
    lastOffset: toOffset(body.varint()),
    objectKey: body.text(),
  };
  const sessionsNext = toOffset(body.varint());
  const newestMs = body.varint();
  const known: KnownSession[] = [];
  const open: OpenSession[] = [];
  const ended: EndedSession[] = [];
  for (let sessions = body.varint(); sessions > 0; sessions--) {
    const projectId = body.text();
    const sessionId = body.text();
    const flags = body.u8();
    if (flags & FLAG_MARKS) {
      const seenAtMs = body.varint();
      known.push({ projectId, sessionId, seenAtMs, marks: Marks.decode(body.raw(body.varint())) });
    }
    if (flags & FLAG_OPEN) open.push(readOpen(body, projectId, sessionId));
    if (flags & FLAG_ENDED) ended.push({ projectId, sessionId, endedAtMs: body.varint() });
  }
  if (body.remaining !== 0) throw new BytesFault('bytes behind the last session', body.at);
  return { partition, flushesOffset, flush, sessionsNext, newestMs, known, open, ended };
}

function bySession({ known, open, ended }: Checkpoint): Map<string, SessionParts> {
  const sessions = new Map<string, SessionParts>();
  const partsOf = ({ projectId, sessionId }: Pick<EndedSession, 'projectId' | 'sessionId'>): SessionParts => {
    const key = sessionKey(projectId, sessionId);
    const parts = sessions.get(key) ?? { projectId, sessionId };
    sessions.set(key, parts);
    return parts;
  };
  for (const session of known) partsOf(session).known = session;
  for (const session of open) partsOf(session).open = session;
  for (const session of ended) partsOf(session).ended = session;
  return sessions;
}

function writeOpen(body: ByteWriter, session: OpenSession): void {
  body.varint(whole(session.lastReceivedAtMs));
  body.varint(session.windows.size);
  for (const window of session.windows.values()) {
    body.text(window.windowId);
    body.varint(whole(window.lastSeenMs));
    body.u8(window.goodbye ? 1 : 0);
    body.varint(window.goodbyeCounter === null ? 0 : window.goodbyeCounter + 1);
  }
}

function readOpen(body: ByteReader, projectId: string, sessionId: string): OpenSession {
  const lastReceivedAtMs = body.varint();
  const windows = new Map<string, WindowLife>();
  for (let count = body.varint(); count > 0; count--) {
    const windowId = body.text();
    const lastSeenMs = body.varint();
    const goodbye = body.u8() === 1;
    const counter = body.varint();
    windows.set(windowId, { windowId, lastSeenMs, goodbye, goodbyeCounter: counter === 0 ? null : counter - 1 });
  }
  return { projectId, sessionId, lastReceivedAtMs, windows };
}

/** Times come from records, which may hold anything a number can be; a varint holds whole ones from 0 on. */
function whole(ms: number): number {
  return Number.isFinite(ms) ? Math.min(Math.max(0, Math.trunc(ms)), Number.MAX_SAFE_INTEGER) : 0;
}
