import type { Flush, FlushBlock, Merge, Offset, Partition, Position, SessionFact, SessionInfo, Signal } from '@playhead/schemas';

/**
 * What is known of sessions, for lists, players and analysts. A projection of the log: everything in it can be rebuilt, but
 * for who watched what (`recordView`). Rules: SPEC.md (CA...).
 *
 * Writers call in log order per partition and only with valid flushes and merges (which are valid is the caller's part);
 * repeating a call, also from two processes at once, changes nothing.
 */
export interface Catalog {
  /** Creates or upgrades the tables. Safe to call by many processes at once. */
  migrate(): Promise<void>;

  /** How far the projection of a partition has come. All zero or NO_OFFSET in the beginning. */
  progress(partition: Partition): Promise<CatalogProgress>;

  /**
   * Takes over one valid flush: its blocks and signals become visible no later than its end in `progress` and `blocks`.
   *
   * @param flushesNext where to read `playhead.flushes` on after this flush
   * @param signals of all blocks of the flush
   */
  applyFlush(flush: Flush, flushesNext: Offset, signals: readonly SignalRow[]): Promise<void>;

  /**
   * Takes over one valid merge: `blocks` answers its blocks in the place of those that they replace, as soon as it knows the
   * flushes of all of these. Counts of sessions do not change by it.
   *
   * @param mergesNext where to read `playhead.merges` on after this merge
   * @param signals of all blocks of the merge: those of a flush whose object is gone were not to be had
   */
  applyMerge(merge: Merge, mergesNext: Offset, signals: readonly SignalRow[]): Promise<void>;

  /** Takes over lifecycle facts of one partition, in log order. `sessionsNext`: where to read `playhead.sessions` on. */
  applyFacts(partition: Partition, facts: readonly PositionedFact[], sessionsNext: Offset): Promise<void>;

  /** Newest start first. */
  sessions(query: SessionsQuery): Promise<readonly SessionInfo[]>;

  /** One session, or null. */
  session(projectId: string, sessionId: string): Promise<SessionInfo | null>;

  /**
   * The blocks of a session in order of position, and the end of the partition's valid chain that they reach to: every
   * flush up to `chainEnd` is in the answer, none behind it.
   */
  blocks(projectId: string, sessionId: string, partition: Partition): Promise<SessionBlocks>;

  /** Ended sessions of a partition with blocks that no merge replaces: the earliest end first. */
  mergeable(query: MergeableQuery): Promise<readonly MergeableSession[]>;

  /**
   * Of the objects of a partition those that a flush or a merge names and that somebody may read: not those whose blocks have
   * all been replaced for readers (CA15), by merges made before `replacedBeforeMs`.
   *
   * @param keys Bounds: 0 .. LIMITS.objectsAskedMax
   */
  objectsInUse(partition: Partition, keys: readonly string[], replacedBeforeMs: number): Promise<ReadonlySet<string>>;

  /** The signals of a session in order of position. */
  signals(projectId: string, sessionId: string): Promise<readonly SignalRow[]>;

  /** Somebody began to watch. */
  recordView(view: SessionView): Promise<void>;

  close(): Promise<void>;
}

export interface CatalogProgress {
  /** `lastOffset` of the last valid flush applied; NO_OFFSET before the first. */
  readonly chainEnd: Offset;
  readonly flushesNext: Offset;
  readonly sessionsNext: Offset;
  /** `number` of the last valid merge applied; 0 before the first. */
  readonly mergeNumber: number;
  readonly mergesNext: Offset;
}

export interface PositionedFact {
  readonly offset: Offset;
  readonly fact: SessionFact;
}

export interface SignalRow {
  readonly projectId: string;
  readonly sessionId: string;
  readonly windowId: string;
  readonly position: Position;
  readonly timestampMs: number;
  readonly signal: Signal;
}

export interface SessionsQuery {
  readonly projectId: string;
  /** Only sessions that started before this Unix ms: the cursor of the next page. */
  readonly startedBeforeMs?: number;
  readonly live?: boolean;
  /** Bounds: 1 .. 500. */
  readonly limit: number;
}

/** A block and the object that it is in. */
export interface StoredBlock extends FlushBlock {
  readonly objectKey: string;
  /** `lastOffset` of the flush: which step of the chain the block belongs to; of a merged block the last one that it replaces. */
  readonly flushLastOffset: Offset;
  /** It replaces blocks of flushes. */
  readonly merged: boolean;
}

export interface MergeableQuery {
  readonly partition: Partition;
  /**
   * Only sessions that ended at this Unix ms or later: a catalog looks through all that ended in the span, merged or not, so
   * whoever asks often asks for a short one. Blocks that come to a session when nobody asks for its end any more stay as they are.
   */
  readonly endedFromMs: number;
  /** Only sessions that ended before this Unix ms. */
  readonly endedBeforeMs: number;
  /** Bounds: 1 .. 500. */
  readonly limit: number;
}

export interface MergeableSession {
  readonly projectId: string;
  readonly sessionId: string;
  readonly endedAtMs: number;
  /** Of the blocks that no merge replaces. */
  readonly bytes: number;
}

export interface SessionBlocks {
  readonly chainEnd: Offset;
  /** Also entries without frames (`blockLength` 0): their marks count. */
  readonly blocks: readonly StoredBlock[];
  /** Trimmed ranges of the partition that lie inside of the session's life. */
  readonly gaps: readonly { readonly firstOffset: Offset; readonly lastOffset: Offset }[];
}

export interface SessionView {
  readonly projectId: string;
  readonly sessionId: string;
  readonly watchId: string;
  /** Who: the member or token name. */
  readonly viewer: string;
  readonly startedAtMs: number;
}
