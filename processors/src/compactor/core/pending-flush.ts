import type { BlockUpload, BodyFault, FlushGap, Offset, Partition, Rejected, Upload } from '@playhead/schemas';
import { LIMITS, Marks } from '@playhead/schemas';
import { sessionKey } from '../../core/session-key.ts';

/** What an upload weighs in memory besides its payloads, so that heartbeats and duplicates are bounded too. */
const UPLOAD_OVERHEAD_BYTES = 512;
const FRAME_OVERHEAD_BYTES = 128;

/** One upload of a session, as far as a flush needs it. */
export interface PendingUpload extends BlockUpload {
  readonly uploadId: string;
  readonly receivedAtMs: number;
  readonly facts: Readonly<Record<string, string>>;
  /** Bytes as received. */
  readonly bytesReceived: number;
  readonly duplicate: boolean;
  readonly rejected: boolean;
}

export interface PendingSession {
  readonly projectId: string;
  readonly sessionId: string;
  /** In order of offset, duplicates included. Never empty. */
  readonly uploads: PendingUpload[];
  /** Identities accepted in this flush. */
  readonly marks: Marks;
}

/** What was read of an upload: its frames, or its body where a block can keep it as it came; and where reading ended too soon. */
export interface UploadContent extends Pick<PendingUpload, 'frames' | 'body'> {
  readonly fault: BodyFault | null;
}

type Outcome = Pick<PendingUpload, 'frames' | 'body' | 'duplicate' | 'rejected'>;

/** How long a flush waits: for more uploads, and for more when a session in it has ended. */
export interface FlushTimes {
  readonly flushAgeMs: number;
  readonly flushEndedMs: number;
}

/** What was read and is not in a flush yet: the content of the next flush of one partition. */
export class PendingFlush {
  readonly partition: Partition;
  readonly #sessions = new Map<string, PendingSession>();
  readonly #rejected: Rejected[] = [];
  #gap: FlushGap | null = null;
  #firstOffset: Offset | null = null;
  #lastOffset: Offset | null = null;
  #bytes = 0;
  #oldestAtMs = 0;
  #endedAtMs: number | null = null;
  #unreadable = 0;

  constructor(partition: Partition) {
    this.partition = partition;
  }

  /** Nothing was read: there is nothing to flush. */
  get isEmpty(): boolean {
    return this.#firstOffset === null;
  }

  get sessions(): Iterable<PendingSession> {
    return this.#sessions.values();
  }

  get rejected(): readonly Rejected[] {
    return this.#rejected;
  }

  get gap(): FlushGap | null {
    return this.#gap;
  }

  /** Inflated bytes and overhead: what the flush holds in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the flush is to be made, Unix ms. Only where it is not empty. */
  dueMs({ flushAgeMs, flushEndedMs }: FlushTimes): number {
    const agedMs = this.#oldestAtMs + flushAgeMs;
    return this.#endedAtMs === null ? agedMs : Math.min(agedMs, this.#endedAtMs + flushEndedMs);
  }

  /** A session has ended, or has ended before: if uploads of it wait here that count, they are its last and shall not wait long. */
  noteEnded(projectId: string, sessionId: string, nowMs: number): void {
    if (this.#endedAtMs !== null) return;
    const session = this.#sessions.get(sessionKey(projectId, sessionId));
    if (session?.uploads.some((upload) => !upload.duplicate)) this.#endedAtMs = nowMs;
  }

  /** First and last offset that the flush covers. Only where it is not empty. */
  range(): { readonly firstOffset: Offset; readonly lastOffset: Offset } {
    if (this.#firstOffset === null || this.#lastOffset === null) throw new Error('an empty flush has no range');
    return { firstOffset: this.#firstOffset, lastOffset: this.#lastOffset };
  }

  /** The log had trimmed these offsets before they were read. Only before anything else: a flush has one gap, in front. */
  lose(gap: FlushGap, nowMs: number): void {
    if (!this.isEmpty) throw new Error('a gap inside of a flush');
    this.#gap = gap;
    this.#cover(gap.firstOffset, nowMs);
    this.#cover(gap.lastOffset, nowMs);
  }

  /** An upload that was seen before. */
  addDuplicate(offset: Offset, upload: Upload, nowMs: number): void {
    this.#add(offset, upload, { frames: [], body: null, duplicate: true, rejected: false }, nowMs);
  }

  /** An upload that counts. */
  addUpload(offset: Offset, upload: Upload, { frames, body, fault }: UploadContent, nowMs: number): void {
    const session = this.#add(offset, upload, { frames, body, duplicate: false, rejected: fault !== null }, nowMs);
    session.marks.accept(upload);
    if (fault === null) return;
    // A copy: a view would keep the whole body in memory.
    const beginning = upload.body.slice(0, LIMITS.rejectedBodyBytesMax);
    const { projectId, sessionId, windowId, uploadId } = upload;
    this.#reject({
      projectId,
      sessionId,
      windowId,
      uploadId,
      partition: this.partition,
      offset,
      code: fault.code,
      message: fault.message,
      framesKept: frames.length,
      byteOffset: fault.byteOffset,
      rejectedAtMs: nowMs,
      body: beginning,
    });
  }

  /** A record whose bytes are no upload: nothing is known of it but its place and its key. */
  addUnreadable(offset: Offset, key: string, fault: string, nowMs: number): void {
    this.#cover(offset, nowMs);
    this.#unreadable++;
    this.#reject({
      projectId: '',
      sessionId: key,
      windowId: '',
      uploadId: '',
      partition: this.partition,
      offset,
      code: 'unreadable_record',
      message: fault,
      framesKept: 0,
      byteOffset: 0,
      rejectedAtMs: nowMs,
      body: new Uint8Array(),
    });
  }

  /** Records that were no uploads. */
  get unreadable(): number {
    return this.#unreadable;
  }

  #reject(rejected: Rejected): void {
    this.#rejected.push(rejected);
    this.#bytes += UPLOAD_OVERHEAD_BYTES + rejected.body.length;
  }

  #add(offset: Offset, upload: Upload, outcome: Outcome, nowMs: number): PendingSession {
    this.#cover(offset, nowMs);
    const { projectId, sessionId, windowId, uploadId, receivedAtMs, facts } = upload;
    const key = sessionKey(projectId, sessionId);
    let session = this.#sessions.get(key);
    if (!session) {
      session = { projectId, sessionId, uploads: [], marks: new Marks() };
      this.#sessions.set(key, session);
    }
    session.uploads.push({ offset, windowId, uploadId, receivedAtMs, facts, bytesReceived: upload.body.length, ...outcome });
    this.#bytes += UPLOAD_OVERHEAD_BYTES;
    // A body counts with what it inflates to, though it is not inflated here: a block is bounded by that.
    if (outcome.body !== null) this.#bytes += outcome.body.compressed.length + outcome.body.outline.rawLength;
    for (const { payload } of outcome.frames) this.#bytes += FRAME_OVERHEAD_BYTES + payload.length;
    return session;
  }

  #cover(offset: Offset, nowMs: number): void {
    if (this.#lastOffset !== null && offset < this.#lastOffset) throw new Error(`offset ${offset} behind ${this.#lastOffset}`);
    if (this.#firstOffset === null) {
      this.#firstOffset = offset;
      this.#oldestAtMs = nowMs;
    }
    this.#lastOffset = offset;
  }
}
