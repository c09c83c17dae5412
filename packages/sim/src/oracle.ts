import type { BlockStore, Catalog, EventLog, LogRecord } from '@playhead/ports';
import type { Flush, FlushBlock, Merge, Offset, Partition, Rejected, SessionCounts, Topic, Upload } from '@playhead/schemas';
import { decodeBlock, formatPosition, isContinuation, NO_COUNTS, NO_OFFSET, partitionOf, toOffset } from '@playhead/schemas';
import { decompressPiece, positionFrames, readUploadAsync } from '@playhead/uploads';
import type { SeenFrame, Viewer } from './actors/viewer.ts';
import { printOf } from './actors/viewer.ts';
import { PROJECT } from './plan.ts';
import { turn } from './world/virtual-time.ts';

/** What must be true of one session, computed from the log alone. */
export interface Expected {
  readonly sessionId: string;
  readonly partition: Partition;
  /** Of every upload that counts, in order of position. What lies in a recorded gap does not. */
  readonly frames: readonly SeenFrame[];
  /** Of uploads that the log trimmed before they were compacted, and that never came again: viewers may have seen them live. */
  readonly lost: readonly SeenFrame[];
  /** Some upload lies in a gap: a later copy of it may count instead. */
  readonly hasGaps: boolean;
  readonly signals: readonly string[];
  readonly counts: SessionCounts;
  readonly uploads: number;
  readonly duplicates: number;
  /** Offsets of uploads that count and have a fault. */
  readonly faulty: readonly Offset[];
  /** Offsets of duplicates with a fault. */
  readonly faultyCopies: readonly Offset[];
}

/** What the log holds, read as plainly as possible, and without the code whose rules it judges. */
export interface LogContent {
  /** With those that were trimmed since. */
  readonly uploads: readonly (readonly LogRecord<'playhead.uploads'>[])[];
  /** Where the log begins, by partition. */
  readonly uploadsFirst: readonly Offset[];
  /** The valid chain of each partition, by the one rule. */
  readonly flushes: readonly (readonly Flush[])[];
  readonly invalidFlushes: number;
  /** The valid merges of each partition, by the one rule. */
  readonly merges: readonly (readonly Merge[])[];
  readonly invalidMerges: number;
  readonly factsNext: readonly Offset[];
  readonly rejected: readonly Rejected[];
}

/** @param trimmed uploads that the log held before, by partition */
export async function readLog(log: EventLog, trimmed: LogContent['uploads'] = []): Promise<LogContent> {
  const uploadsFirst: Offset[] = [];
  const uploads: (readonly LogRecord<'playhead.uploads'>[])[] = [];
  const flushes: (readonly Flush[])[] = [];
  const factsNext: Offset[] = [];
  const rejected: Rejected[] = [];
  const merges: (readonly Merge[])[] = [];
  let [invalidFlushes, invalidMerges] = [0, 0];
  for (let partition = 0; partition < log.partitions; partition++) {
    const { first } = await log.bounds('playhead.uploads', partition);
    uploadsFirst.push(first);
    const before = (trimmed[partition] ?? []).filter(({ offset }) => offset < first);
    uploads.push([...before, ...(await recordsOf(log, 'playhead.uploads', partition))]);
    let chainEnd: number = NO_OFFSET;
    const valid: Flush[] = [];
    for (const { record } of await recordsOf(log, 'playhead.flushes', partition)) {
      if (record === null || record.prevLastOffset !== chainEnd || record.firstOffset <= chainEnd) {
        invalidFlushes++;
        continue;
      }
      valid.push(record);
      chainEnd = record.lastOffset;
    }
    flushes.push(valid);
    const counted: Merge[] = [];
    for (const { record } of await recordsOf(log, 'playhead.merges', partition)) {
      if (record?.number === counted.length + 1) counted.push(record);
      else invalidMerges++;
    }
    merges.push(counted);
    factsNext.push(toOffset(((await recordsOf(log, 'playhead.sessions', partition)).at(-1)?.offset ?? -1) + 1));
    for (const { record } of await recordsOf(log, 'playhead.rejected', partition)) if (record !== null) rejected.push(record);
  }
  return { uploads, uploadsFirst, flushes, invalidFlushes, merges, invalidMerges, factsNext, rejected };
}

async function recordsOf<T extends Topic>(log: EventLog, topic: T, partition: Partition): Promise<LogRecord<T>[]> {
  const stop = new AbortController();
  const { first } = await log.bounds(topic, partition);
  const batches = log.read(topic, partition, first, { signal: stop.signal })[Symbol.asyncIterator]();
  const records: LogRecord<T>[] = [];
  for (;;) {
    const batch = batches.next();
    // The log answers at once or waits for appends: there may be a hole at its end.
    const next = await Promise.race([batch, turn().then(() => null)]);
    if (next === null || next.done === true) break;
    records.push(...next.value.records);
  }
  stop.abort();
  return records;
}

/** True when nothing is left to do: the chain covers the uploads, and the catalog has the chain, the merges and the facts. */
export async function isCaughtUp({ uploads, flushes, merges, factsNext }: LogContent, catalogs: readonly Catalog[]): Promise<boolean> {
  for (const [partition, records] of uploads.entries()) {
    const lastOffset = records.at(-1)?.offset ?? NO_OFFSET;
    const chainEnd = flushes[partition]?.at(-1)?.lastOffset ?? NO_OFFSET;
    if (chainEnd < lastOffset) return false;
    for (const catalog of catalogs) {
      const progress = await catalog.progress(partition);
      if (progress.mergeNumber < (merges[partition]?.length ?? 0)) return false;
      if (progress.chainEnd < chainEnd || progress.sessionsNext < (factsNext[partition] ?? 0)) return false;
    }
  }
  return true;
}

/** True when some session of the installation can be merged, sooner or later. */
export async function hasMergeable(catalog: Catalog, partitions: number): Promise<boolean> {
  for (let partition = 0; partition < partitions; partition++) {
    const query = { partition, endedFromMs: 0, endedBeforeMs: Number.MAX_SAFE_INTEGER, limit: 1 };
    if ((await catalog.mergeable(query)).length > 0) return true;
  }
  return false;
}

/** What every session has to be. */
export async function expectedOf({ uploads, flushes }: LogContent, sessionIds: readonly string[]): Promise<readonly Expected[]> {
  const all: Expected[] = [];
  for (const sessionId of sessionIds) {
    const partition = partitionOf(sessionId, uploads.length);
    const accepted = new Set<string>();
    const isNew = (upload: Upload): boolean => accepted.size < accepted.add(nameOf(upload)).size;
    const frames: SeenFrame[] = [];
    const signals: string[] = [];
    const faulty: Offset[] = [];
    const faultyCopies: Offset[] = [];
    const inGaps: LogRecord<'playhead.uploads'>[] = [];
    const counts = { ...NO_COUNTS };
    let duplicates = 0;
    for (const held of uploads[partition] ?? []) {
      const { offset, record } = held;
      if (record?.sessionId !== sessionId) continue;
      if (flushes[partition]?.some(({ gap }) => isWithin(gap, offset))) {
        inGaps.push(held);
        continue;
      }
      if (!isNew(record)) {
        duplicates++;
        if ((await readUploadAsync(record)).fault !== null) faultyCopies.push(offset);
        continue;
      }
      const decoded = await readUploadAsync(record);
      if (decoded.fault !== null) faulty.push(offset);
      for (const frame of positionFrames(record, offset, decoded.frames)) {
        frames.push(printOf(frame));
        if (!isContinuation(frame)) counts.frames++;
        if (frame.keyframe) counts.keyframes++;
        if (frame.track !== 'signal') continue;
        signals.push(formatPosition(frame.position));
        const { kind } = JSON.parse(new TextDecoder().decode(frame.payload)) as { kind: string };
        if (kind === 'click') counts.clicks++;
        else counts.customs++;
      }
    }
    const counted = accepted.size;
    const lost: SeenFrame[] = [];
    for (const { offset, record } of inGaps) {
      if (record === null || !isNew(record)) continue;
      for (const frame of positionFrames(record, offset, (await readUploadAsync(record)).frames)) lost.push(printOf(frame));
    }
    all.push({
      sessionId,
      partition,
      frames,
      lost,
      hasGaps: inGaps.length > 0,
      signals,
      counts,
      uploads: counted,
      duplicates,
      faulty,
      faultyCopies,
    });
  }
  return all;
}

function isWithin(gap: { readonly firstOffset: number; readonly lastOffset: number } | null, offset: number): boolean {
  return gap !== null && gap.firstOffset <= offset && offset <= gap.lastOffset;
}

/** What is recorded as lost was trimmed. */
export function checkGaps({ flushes, uploadsFirst }: LogContent): string[] {
  return flushes.flatMap((chain, partition) =>
    chain.flatMap(({ gap }) =>
      gap !== null && gap.lastOffset >= (uploadsFirst[partition] ?? 0)
        ? [`a gap of partition ${partition} is not one: ${JSON.stringify(gap)}`]
        : [],
    ),
  );
}

/** Everything acknowledged is in the log, byte for byte. */
export function checkAcknowledged({ uploads }: LogContent, acknowledged: readonly Upload[]): string[] {
  const held = new Map<string, Uint8Array>();
  for (const records of uploads) for (const { record } of records) if (record !== null) held.set(nameOf(record), record.body);
  return acknowledged.flatMap((upload) => {
    const body = held.get(nameOf(upload));
    if (body === undefined) return [`acknowledged and not in the log: ${nameOf(upload)}`];
    return Buffer.compare(body, upload.body) === 0 ? [] : [`acknowledged with other bytes: ${nameOf(upload)}`];
  });
}

function nameOf({ sessionId, windowId, uploadId, counter }: Upload): string {
  return `${sessionId} ${windowId}/${counter ?? uploadId}`;
}

/** A block that readers get of a session: of a flush, or merged. */
interface ReadBlock {
  readonly objectKey: string;
  readonly block: FlushBlock;
  readonly isMerged: boolean;
  /** The flush that it reaches to. */
  readonly reachesTo: Offset;
}

/** The blocks of a session that readers get: where a merge counts its block, none of those that it replaces. */
function blocksOf({ flushes, merges }: Pick<LogContent, 'flushes' | 'merges'>, sessionId: string, partition: Partition): ReadBlock[] {
  const merged = (merges[partition] ?? []).flatMap(({ objectKey, blocks }) =>
    blocks.filter((block) => block.sessionId === sessionId).map((block) => ({ objectKey, block })),
  );
  const left = (flushes[partition] ?? []).flatMap(({ objectKey, lastOffset, blocks }) =>
    blocks
      .filter((block) => block.sessionId === sessionId)
      .filter(() => !merged.some(({ block: { firstFlush, lastFlush } }) => firstFlush <= lastOffset && lastOffset <= lastFlush))
      .map((block): ReadBlock => ({ objectKey, block, isMerged: false, reachesTo: lastOffset })),
  );
  const inPlace = merged.map(({ objectKey, block }): ReadBlock => ({ objectKey, block, isMerged: true, reachesTo: block.lastFlush }));
  return [...left, ...inPlace].toSorted((a, b) => a.reachesTo - b.reachesTo);
}

/** What the blocks of the valid chain and of the valid merges hold is what the log says, in order, once. */
export async function checkBlocks(content: LogContent, blocks: BlockStore, all: readonly Expected[]): Promise<string[]> {
  const { flushes, rejected, uploadsFirst } = content;
  const problems: string[] = [];
  const held = new Map<string, string[]>();
  for (const { sessionId, partition } of all) {
    const prints: string[] = [];
    held.set(sessionId, prints);
    for (const { objectKey, block } of blocksOf(content, sessionId, partition)) {
      const { blockOffset, blockLength } = block;
      if (blockLength === 0) continue;
      try {
        const bytes = await blocks.get(objectKey, { offset: blockOffset, length: blockLength });
        prints.push(...decodeBlock(bytes, decompressPiece).map((frame) => printOf(frame).print));
      } catch (error) {
        problems.push(`the block of ${sessionId} in ${objectKey} cannot be read: ${String(error)}`);
      }
    }
  }
  const told = new Set(rejected.map(({ partition, offset }) => `${partition}/${offset}`));
  const faulty = new Set<string>();
  const copies = new Set<string>();
  for (const { sessionId, partition, frames, faulty: offsets, faultyCopies } of all) {
    problems.push(
      ...compare(
        `blocks of ${sessionId}`,
        held.get(sessionId) ?? [],
        frames.map(({ print }) => print),
      ),
    );
    for (const offset of offsets) faulty.add(`${partition}/${offset}`);
    for (const offset of faultyCopies) copies.add(`${partition}/${offset}`);
  }
  for (const place of faulty) if (!told.has(place)) problems.push(`the fault of upload ${place} was not told`);
  for (const { partition, offset } of rejected) {
    // Who told it may have died before its flush; then retention took the upload.
    const isFaulty = faulty.has(`${partition}/${offset}`) || flushes[partition]?.some(({ gap }) => isWithin(gap, offset));
    // Or it began behind a trim, took a copy for the first, and lost to who had read the first.
    const isCopy = (uploadsFirst[partition] ?? 0) > 0 && copies.has(`${partition}/${offset}`);
    if (!isFaulty && !isCopy) problems.push(`upload ${partition}/${offset} was told to be faulty and is not`);
  }
  return problems;
}

/** The catalog names what is stored and nothing else; its sums are the log's. */
export async function checkCatalog(
  name: string,
  catalog: Catalog,
  content: LogContent,
  blocks: BlockStore,
  all: readonly Expected[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const { sessionId, partition, signals, counts, uploads, duplicates } of all) {
    const wrong = (what: string): void => void problems.push(`${name}: ${what} of ${sessionId}`);
    const { blocks: rows } = await catalog.blocks(PROJECT, sessionId, partition);
    const nameOfBlock = (isMerged: boolean, reachesTo: Offset): string => `${isMerged ? 'merged ' : ''}${reachesTo}`;
    problems.push(
      ...compare(
        `${name}: blocks of ${sessionId}`,
        rows.map((row) => nameOfBlock(row.merged, row.flushLastOffset)),
        blocksOf(content, sessionId, partition).map(({ isMerged, reachesTo }) => nameOfBlock(isMerged, reachesTo)),
      ),
    );
    for (const { objectKey, blockOffset, blockLength } of rows) {
      if (blockLength === 0) continue;
      const size = await blocks.size(objectKey);
      if (size === null || size < blockOffset + blockLength) wrong(`a block outside of the objects (${objectKey})`);
    }
    if (sum(rows.map((row) => row.uploads)) !== uploads) wrong(`${sum(rows.map((row) => row.uploads))} uploads instead of ${uploads}`);
    if (sum(rows.map((row) => row.duplicates)) !== duplicates) {
      wrong(`${sum(rows.map((row) => row.duplicates))} duplicates instead of ${duplicates}`);
    }
    const found = (await catalog.signals(PROJECT, sessionId)).map(({ position }) => formatPosition(position));
    problems.push(...compare(`${name}: signals of ${sessionId}`, found, signals));
    const info = await catalog.session(PROJECT, sessionId);
    if (uploads === 0 && info === null) continue;
    if (info === null) wrong('no row');
    else if (JSON.stringify(info.counts) !== JSON.stringify({ ...info.counts, ...counts })) {
      wrong(`counts ${JSON.stringify(info.counts)} instead of ${JSON.stringify(counts)}`);
    } else if (info.live) wrong('no end');
  }
  return problems;
}

/**
 * A viewer has everything from where it began, in order, once: from the start all of it; from the last keyframes, of each track of
 * each window all that comes behind the first frame it got of them.
 */
export function checkViewer(viewer: Viewer, expected: Expected): string[] {
  const { name, planned, frames, gaps, endsHeard, connections } = viewer;
  const problems: string[] = [];
  const what = `${name} of ${planned.sessionId}`;
  if (endsHeard === 0 && expected.uploads > 0) problems.push(`${what} was not told the end`);
  if (expected.hasGaps || gaps.length > 0) return [...problems, ...checkDespiteLoss(viewer, expected)];
  const got = frames.map(({ print }) => print);
  if (planned.join === 'start')
    return [
      ...problems,
      ...compare(
        what,
        got,
        expected.frames.map(({ print }) => print),
      ),
    ];
  const firstOf = new Map<string, SeenFrame>();
  const trackOf = ({ windowId, track }: SeenFrame): string => `${windowId} ${track}`;
  for (const frame of frames) if (!firstOf.has(trackOf(frame))) firstOf.set(trackOf(frame), frame);
  // Who comes again continues behind a position, and gets what lay below the keyframes of its first connection too.
  for (const [track, first] of connections === 1 ? firstOf : []) {
    const begins = expected.frames.find((frame) => trackOf(frame) === track);
    if (first.track === 'dom' && !first.isBeginning && first.print !== begins?.print) {
      problems.push(`${what} begins ${track} with ${first.print}`);
    }
  }
  const wanted = expected.frames.filter((frame) => {
    const first = firstOf.get(trackOf(frame));
    return first !== undefined && !isBefore(frame, first);
  });
  return [
    ...problems,
    ...compare(
      what,
      got,
      wanted.map(({ print }) => print),
    ),
  ];
}

/** Where retention was faster than compaction: nothing is silent. Every frame was seen, or the viewer was told that it is missing. */
function checkDespiteLoss({ name, planned, frames, gaps }: Viewer, expected: Expected): string[] {
  if (planned.join !== 'start') return [];
  const contentOf = ({ print }: SeenFrame): string => print.slice(print.indexOf(' '));
  const seen = new Set(frames.map(contentOf));
  return [...expected.frames, ...expected.lost].flatMap((frame) => {
    if (seen.has(contentOf(frame)) || gaps.some((gap) => isWithin(gap, frame.position.offset))) return [];
    return [`${name} of ${planned.sessionId} misses ${frame.print} and was not told`];
  });
}

function isBefore(a: SeenFrame, b: SeenFrame): boolean {
  return a.position.offset < b.position.offset || (a.position.offset === b.position.offset && a.position.index < b.position.index);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** One line that says where two lists part; none when they are equal. */
function compare(what: string, is: readonly string[], shouldBe: readonly string[]): string[] {
  const at = shouldBe.findIndex((value, i) => is[i] !== value);
  if (at === -1 && is.length === shouldBe.length) return [];
  const place = at === -1 ? shouldBe.length : at;
  return [
    `${what}: ${is.length} of ${shouldBe.length}; at ${place} is ${is[place] ?? 'nothing'}, should be ${shouldBe[place] ?? 'nothing'}`,
  ];
}
