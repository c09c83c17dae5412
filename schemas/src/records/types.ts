import type { Track } from '../frame.ts';
import type { Offset, Partition } from '../ids.ts';

/**
 * The records of every topic, as code sees them. Their bytes are the `.avsc` files beside this one
 * (BACKWARD evolution: fields are added with defaults, never renamed or retyped).
 */

/** How the inflated body of an upload is laid out; see `../formats/`. */
export const BODY_FORMATS = ['frames', 'frame-bundle', 'frame-bundle-le', 'frame-tar'] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];

/** How the body is compressed on the wire and in the log (bytes as received). */
export const BODY_CODECS = ['identity', 'gzip'] as const;
export type BodyCodec = (typeof BODY_CODECS)[number];

/** `playhead.uploads`, key = session id: one accepted body. */
export interface Upload {
  readonly projectId: string;
  readonly sessionId: string;
  readonly windowId: string;
  /** What a retry repeats: the recorder's own id of this upload. With `counter` null it is the identity. */
  readonly uploadId: string;
  /** The recorder's counter in this window, from 0; null where it has none. */
  readonly counter: number | null;
  /** The track of a format that holds one only (`image` for bundles); null for `frames`, where each frame tells. */
  readonly track: Track | null;
  readonly format: BodyFormat;
  readonly codec: BodyCodec;
  /** Unix ms by the recorder's clock; 0 when it did not say. */
  readonly sentAtMs: number;
  /** Unix ms by ingest's clock. */
  readonly receivedAtMs: number;
  /** What the offsets in a bundle count from, Unix ms; 0 for formats with absolute times. */
  readonly epochMs: number;
  /** The window's last words: after this it is being closed or left. */
  readonly goodbye: boolean;
  /** Device and page facts (`url`, `title`, `viewport`, `userAgent`, ...). Bounds: LIMITS.factsMax, LIMITS.factCharsMax. */
  readonly facts: Readonly<Record<string, string>>;
  /** Bytes as received. Bound: LIMITS.uploadBytesMax. */
  readonly body: Uint8Array;
  /** The body's frames without their payloads (`../formats/outline.ts`), where a block can keep the body as it came; else empty. Bound: OUTLINE_BYTES_MAX. */
  readonly outline: Uint8Array;
}

/** Why a session is over. */
export const END_REASONS = ['told', 'closed', 'silence'] as const;
export type EndReason = (typeof END_REASONS)[number];

export interface SessionStarted {
  readonly kind: 'started';
  readonly projectId: string;
  readonly sessionId: string;
  readonly startedAtMs: number;
  /** `web`, `phone`, `import`, ... */
  readonly source: string;
  /** The recorder's user, where the site told it; '' otherwise. */
  readonly userId: string;
  readonly facts: Readonly<Record<string, string>>;
}

export interface SessionEnded {
  readonly kind: 'ended';
  readonly projectId: string;
  readonly sessionId: string;
  readonly endedAtMs: number;
  readonly reason: EndReason;
}

/** `playhead.sessions`, key = session id. Facts may repeat; the first of a kind counts. */
export type SessionFact = SessionStarted | SessionEnded;

/** `playhead.watches`, key = session id: somebody watches until `expiresAtMs`. */
export interface Watch {
  readonly projectId: string;
  readonly sessionId: string;
  /** The gateway's watch. A recorder sends one keyframe per watch id. */
  readonly watchId: string;
  readonly expiresAtMs: number;
}

/** `playhead.rejected`, key = session id: what could not be shown of an upload, and why. */
export interface Rejected {
  readonly projectId: string;
  readonly sessionId: string;
  readonly windowId: string;
  readonly uploadId: string;
  readonly partition: Partition;
  /** Of the upload in `playhead.uploads`. */
  readonly offset: Offset;
  /** An {@link ErrorCode}. */
  readonly code: string;
  readonly message: string;
  /** Whole frames before the fault: these were kept. */
  readonly framesKept: number;
  /** Where in the inflated body the fault is. */
  readonly byteOffset: number;
  readonly rejectedAtMs: number;
  /** The upload's body, cut to LIMITS.rejectedBodyBytesMax. */
  readonly body: Uint8Array;
}

/** Counts that a flush adds to a session. Plain sums, so that any grouping of flushes gives the same totals. */
export interface SessionCounts {
  readonly frames: number;
  readonly images: number;
  readonly keyframes: number;
  readonly clicks: number;
  readonly inputs: number;
  readonly navigations: number;
  readonly consoles: number;
  readonly requests: number;
  readonly errors: number;
  readonly crashes: number;
  readonly customs: number;
  /** Gaps that the recorder told. What the log lost is not among them: see {@link FlushGap}. */
  readonly gaps: number;
}

/** The counts of a session in which nothing was counted. */
export const NO_COUNTS: SessionCounts = {
  frames: 0,
  images: 0,
  keyframes: 0,
  clicks: 0,
  inputs: 0,
  navigations: 0,
  consoles: 0,
  requests: 0,
  errors: 0,
  crashes: 0,
  customs: 0,
  gaps: 0,
};

/** What one flush holds of one session: where the block is, and what the catalog needs to know of it. */
export interface FlushBlock {
  readonly projectId: string;
  readonly sessionId: string;
  /** Range of the block in the object. `length` is 0 when the uploads had no frame (heartbeats, rejected bodies): there is no block then. */
  readonly blockOffset: number;
  readonly blockLength: number;
  /** Offsets of the first and the last upload of the session in this flush (duplicates included). */
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  /** Earliest and latest frame, recorder's clock, Unix ms; 0 and 0 when there is no frame. */
  readonly firstTimestampMs: number;
  readonly lastTimestampMs: number;
  /** Earliest and latest receipt, ingest's clock, Unix ms. */
  readonly firstReceivedAtMs: number;
  readonly lastReceivedAtMs: number;
  readonly windows: readonly string[];
  readonly counts: SessionCounts;
  readonly uploads: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** Bytes as received. */
  readonly bytesReceived: number;
  /** Distinct page URLs in order of first appearance. Bound: LIMITS.pagesMax. */
  readonly pages: readonly string[];
  /** The latest value of each fact. */
  readonly facts: Readonly<Record<string, string>>;
  /** The identities accepted in this flush: encoded {@link Marks}. */
  readonly marks: Uint8Array;
  /** The block's frame index as encoded in the block: see `../formats/frame-index.ts`. */
  readonly frameIndex: Uint8Array;
}

/** Uploads that the log had trimmed before they were compacted: lost, known and shown. */
export interface FlushGap {
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
}

/** `playhead.flushes`, in the partition that it covers: one compaction step. */
export interface Flush {
  readonly partition: Partition;
  /** `lastOffset` of the flush before it; NO_OFFSET for the first. */
  readonly prevLastOffset: Offset;
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  /** '' when nothing had a frame: there is no object then. */
  readonly objectKey: string;
  readonly objectBytes: number;
  readonly createdAtMs: number;
  /** Who wrote it: for people who look at logs; no rule reads it. */
  readonly writer: string;
  readonly gap: FlushGap | null;
  readonly blocks: readonly FlushBlock[];
}

/** A stretch of a session's blocks, laid out anew as one. Its counts are their sums, its marks all of theirs. */
export interface MergedBlock extends FlushBlock {
  /** It replaces the blocks that the session has in the flushes from this one (its `lastOffset`) ... */
  readonly firstFlush: Offset;
  /** ... to this one. */
  readonly lastFlush: Offset;
}

/** `playhead.merges`, in the partition of its sessions: blocks of ended sessions, laid out anew in one object. */
export interface Merge {
  readonly partition: Partition;
  /** 1 for the first valid merge of the partition, then one more each: see `../merge-chain.ts`. */
  readonly number: number;
  /** '' when nothing had a frame: there is no object then. */
  readonly objectKey: string;
  readonly objectBytes: number;
  readonly createdAtMs: number;
  /** Who wrote it: for people who look at logs; no rule reads it. */
  readonly writer: string;
  /** In the order in which they lie in the object; the blocks of one session are neighbours, in order of position. */
  readonly blocks: readonly MergedBlock[];
}

/** Topic names, the record each holds, and how it is kept. */
export interface TopicRecords {
  readonly 'playhead.uploads': Upload;
  readonly 'playhead.flushes': Flush;
  readonly 'playhead.merges': Merge;
  readonly 'playhead.sessions': SessionFact;
  readonly 'playhead.watches': Watch;
  readonly 'playhead.rejected': Rejected;
}
export type Topic = keyof TopicRecords;

export interface TopicSettings {
  /** Records older than this may go; null: for ever. */
  readonly retentionMs: number | null;
  /** Only the newest record of a key has to stay. */
  readonly compacted: boolean;
}

const HOUR_MS = 60 * 60 * 1000;

export const TOPICS: Readonly<Record<Topic, TopicSettings>> = {
  'playhead.uploads': { retentionMs: 72 * HOUR_MS, compacted: false },
  'playhead.flushes': { retentionMs: null, compacted: false },
  'playhead.merges': { retentionMs: null, compacted: false },
  'playhead.sessions': { retentionMs: null, compacted: false },
  'playhead.watches': { retentionMs: HOUR_MS, compacted: true },
  'playhead.rejected': { retentionMs: 7 * 24 * HOUR_MS, compacted: false },
};

export const TOPIC_NAMES = Object.keys(TOPICS) as readonly Topic[];
