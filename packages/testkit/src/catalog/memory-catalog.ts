import type {
  Catalog,
  CatalogProgress,
  MergeableQuery,
  MergeableSession,
  PositionedFact,
  SessionBlocks,
  SessionsQuery,
  SessionView,
  SignalRow,
} from '@playhead/ports';
import type { Flush, FlushBlock, Merge, Offset, Partition, SessionInfo } from '@playhead/schemas';
import { comparePositions, formatPosition, LIMITS, NO_OFFSET, PlayheadError, toOffset } from '@playhead/schemas';
import type { PartitionBlock, ReplacingBlock } from './merged-blocks.ts';
import { inPlaceOfReplaced, isReplacedBy } from './merged-blocks.ts';
import type { KnownGap, KnownSession } from './session-summary.ts';
import { gapsOfLife, summarise } from './session-summary.ts';

/** What is known of a session, and what of it must not be taken twice. */
interface MemorySession {
  readonly projectId: string;
  readonly sessionId: string;
  /** By `partition/flushLastOffset`. */
  readonly blocks: Map<string, PartitionBlock>;
  /** By `partition/lastFlush`. */
  readonly merged: Map<string, ReplacingBlock>;
  readonly facts: Map<'started' | 'ended', PositionedFact>;
  /** By position. */
  readonly signals: Map<string, SignalRow>;
}

interface MemoryPartition {
  progress: CatalogProgress;
  /** Latest receipt in the flush that ends the chain, Unix ms; 0 when it had no block. */
  lastReceivedAtMs: number;
  readonly gaps: KnownGap[];
  /** By the key of a flush's object: its sessions. */
  readonly sessionsOfObject: Map<string, readonly MemorySession[]>;
  readonly mergedObjects: Set<string>;
}

/** A catalog that lives as long as the process: for tests and simulations. Passes `catalogContract`. */
export function memoryCatalog(): Catalog {
  const sessions = new Map<string, MemorySession>();
  const partitions = new Map<Partition, MemoryPartition>();
  const views = new Map<string, SessionView>();
  let closed = false;

  // Ids have no blank, so the joined key is unambiguous.
  const sessionOf = (projectId: string, sessionId: string): MemorySession => {
    const key = `${projectId} ${sessionId}`;
    let session = sessions.get(key);
    if (!session) {
      session = { projectId, sessionId, blocks: new Map(), merged: new Map(), facts: new Map(), signals: new Map() };
      sessions.set(key, session);
    }
    return session;
  };
  const partitionOf = (partition: Partition): MemoryPartition => {
    let state = partitions.get(partition);
    if (!state) {
      state = {
        progress: {
          chainEnd: NO_OFFSET,
          flushesNext: toOffset(0),
          sessionsNext: toOffset(0),
          mergeNumber: 0,
          mergesNext: toOffset(0),
        },
        lastReceivedAtMs: 0,
        gaps: [],
        sessionsOfObject: new Map(),
        mergedObjects: new Set(),
      };
      partitions.set(partition, state);
    }
    return state;
  };
  const takeSignals = (signals: readonly SignalRow[]): void => {
    for (const row of signals) {
      const rows = sessionOf(row.projectId, row.sessionId).signals;
      const key = formatPosition(row.position);
      if (!rows.has(key)) rows.set(key, row);
    }
  };
  const assertOpen = (): void => {
    if (closed) throw new PlayheadError('unavailable', 'The catalog is closed.');
  };

  return {
    async migrate() {
      assertOpen();
    },

    async progress(partition) {
      assertOpen();
      return partitionOf(partition).progress;
    },

    async applyFlush(flush: Flush, flushesNext: Offset, signals: readonly SignalRow[]) {
      assertOpen();
      const state = partitionOf(flush.partition);
      const { progress } = state;
      if (flush.lastOffset > progress.chainEnd) {
        const received = flush.blocks.map((block) => block.firstReceivedAtMs);
        if (flush.gap) {
          const receivedBeforeMs = received.length > 0 ? Math.min(...received) : flush.createdAtMs;
          state.gaps.push({ ...flush.gap, receivedAfterMs: state.lastReceivedAtMs, receivedBeforeMs });
        }
        state.lastReceivedAtMs = Math.max(0, ...flush.blocks.map((block) => block.lastReceivedAtMs));
      }
      for (const block of flush.blocks) {
        const { blocks } = sessionOf(block.projectId, block.sessionId);
        const key = `${flush.partition}/${flush.lastOffset}`;
        if (blocks.has(key)) continue;
        const { objectKey, partition, lastOffset: flushLastOffset } = flush;
        blocks.set(key, { ...copyOf(block), objectKey, flushLastOffset, merged: false, partition });
      }
      state.sessionsOfObject.set(
        flush.objectKey,
        flush.blocks.map((block) => sessionOf(block.projectId, block.sessionId)),
      );
      takeSignals(signals);
      state.progress = {
        ...progress,
        chainEnd: max(progress.chainEnd, flush.lastOffset),
        flushesNext: max(progress.flushesNext, flushesNext),
      };
    },

    async applyMerge(merge: Merge, mergesNext: Offset, signals: readonly SignalRow[]) {
      assertOpen();
      const { partition, objectKey, createdAtMs: mergedAtMs } = merge;
      for (const { firstFlush, lastFlush, ...block } of merge.blocks) {
        const { merged } = sessionOf(block.projectId, block.sessionId);
        const key = `${partition}/${lastFlush}`;
        if (merged.has(key)) continue;
        merged.set(key, { ...copyOf(block), objectKey, flushLastOffset: lastFlush, merged: true, partition, firstFlush, mergedAtMs });
      }
      takeSignals(signals);
      const state = partitionOf(partition);
      state.mergedObjects.add(objectKey);
      state.progress = {
        ...state.progress,
        mergeNumber: Math.max(state.progress.mergeNumber, merge.number),
        mergesNext: max(state.progress.mergesNext, mergesNext),
      };
    },

    async applyFacts(partition, facts, sessionsNext) {
      assertOpen();
      for (const positioned of facts) {
        const { fact, offset } = positioned;
        const known = sessionOf(fact.projectId, fact.sessionId).facts;
        const first = known.get(fact.kind);
        if (!first || offset < first.offset) known.set(fact.kind, positioned);
      }
      const state = partitionOf(partition);
      state.progress = { ...state.progress, sessionsNext: max(state.progress.sessionsNext, sessionsNext) };
    },

    async sessions(query: SessionsQuery) {
      assertOpen();
      if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > 500) throw new RangeError(`limit ${query.limit}`);
      const { startedBeforeMs = Number.POSITIVE_INFINITY, live } = query;
      const found = [...sessions.values()]
        .filter((session) => session.projectId === query.projectId)
        .map(infoOf)
        .filter((info) => info !== null)
        .filter((info) => info.startedAtMs < startedBeforeMs && (live === undefined || info.live === live))
        .toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.sessionId < b.sessionId ? -1 : 1));
      const last = found[Math.min(query.limit, found.length) - 1];
      // The cursor is a time, so a page never ends between two sessions of the same millisecond.
      return last === undefined ? [] : found.filter((info) => info.startedAtMs >= last.startedAtMs);
    },

    async session(projectId, sessionId) {
      assertOpen();
      const session = sessions.get(`${projectId} ${sessionId}`);
      return session ? infoOf(session) : null;
    },

    async blocks(projectId, sessionId, partition): Promise<SessionBlocks> {
      assertOpen();
      const { progress, gaps } = partitionOf(partition);
      const session = sessions.get(`${projectId} ${sessionId}`);
      const blocks = session ? inPlaceOfReplaced(session.blocks.values(), session.merged.values(), partition, progress.chainEnd) : [];
      return { chainEnd: progress.chainEnd, blocks, gaps: gapsOfLife(gaps, session ? infoOf(session) : null, blocks) };
    },

    async mergeable({ partition, endedFromMs, endedBeforeMs, limit }: MergeableQuery) {
      assertOpen();
      if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw new RangeError(`limit ${limit}`);
      const { chainEnd } = partitionOf(partition).progress;
      const found: MergeableSession[] = [];
      for (const session of sessions.values()) {
        const ended = session.facts.get('ended')?.fact;
        if (ended?.kind !== 'ended' || ended.endedAtMs < endedFromMs || ended.endedAtMs >= endedBeforeMs) continue;
        const left = [...session.blocks.values()]
          .filter((block) => block.partition === partition && block.flushLastOffset <= chainEnd)
          .filter((block) => ![...session.merged.values()].some((by) => isReplacedBy(block, by)));
        if (left.length === 0) continue;
        const { projectId, sessionId } = session;
        const bytes = left.reduce((sum, block) => sum + block.blockLength, 0);
        found.push({ projectId, sessionId, endedAtMs: ended.endedAtMs, bytes });
      }
      // Of sessions that ended at the same time any order will do, as long as it is always the same.
      const name = ({ projectId, sessionId }: MergeableSession): string => `${projectId} ${sessionId}`;
      return found.toSorted((a, b) => a.endedAtMs - b.endedAtMs || (name(a) < name(b) ? -1 : 1)).slice(0, limit);
    },

    async objectsInUse(partition, keys, replacedBeforeMs) {
      assertOpen();
      if (keys.length > LIMITS.objectsAskedMax) throw new RangeError(`${keys.length} keys`);
      const { mergedObjects, sessionsOfObject, progress } = partitionOf(partition);
      const isRead = (session: MemorySession, objectKey: string): boolean => {
        const by = [...session.merged.values()].filter(
          (merged) => merged.flushLastOffset <= progress.chainEnd && merged.mergedAtMs < replacedBeforeMs,
        );
        const blocks = [...session.blocks.values()].filter((block) => block.objectKey === objectKey);
        return blocks.some((block) => !by.some((merged) => isReplacedBy(block, merged)));
      };
      const used = (key: string): boolean =>
        mergedObjects.has(key) || (sessionsOfObject.get(key) ?? []).some((session) => isRead(session, key));
      return new Set(keys.filter(used));
    },

    async signals(projectId, sessionId) {
      assertOpen();
      const rows = sessions.get(`${projectId} ${sessionId}`)?.signals.values() ?? [];
      return [...rows].toSorted((a, b) => comparePositions(a.position, b.position));
    },

    async recordView(view) {
      assertOpen();
      if (!views.has(view.watchId)) views.set(view.watchId, view);
    },

    async close() {
      closed = true;
    },
  };
}

function infoOf(session: MemorySession): SessionInfo | null {
  const started = session.facts.get('started')?.fact;
  const ended = session.facts.get('ended')?.fact;
  const known: KnownSession = {
    projectId: session.projectId,
    sessionId: session.sessionId,
    started: started?.kind === 'started' ? started : null,
    ended: ended?.kind === 'ended' ? ended : null,
    blocks: [...session.blocks.values()].toSorted((a, b) => a.flushLastOffset - b.flushLastOffset),
  };
  return summarise(known);
}

/** A caller's bytes may be views into a buffer that it uses again. */
function copyOf<B extends FlushBlock>(block: B): B {
  return { ...block, marks: block.marks.slice(), frameIndex: block.frameIndex.slice() };
}

function max(a: Offset, b: Offset): Offset {
  return a > b ? a : b;
}
