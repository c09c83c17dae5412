import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One way to break a promise: a text of a source and what stands there instead. Types need not hold; nothing checks them here. */
export interface Mutation {
  readonly name: string;
  /** What is broken, in words. */
  readonly broken: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly before: string;
  readonly after: string;
  /** The test files that run against it. */
  readonly tests: readonly string[];
  /** False where the simulation has a fake in the place of the file. */
  readonly simulated: boolean;
}

type Broken = Omit<Mutation, 'simulated' | 'tests'>;

// The narrowest tests that own a rule: others fail as well, and take longer to say so.
const CHAIN = ['schemas/test/flush-chain.test.ts'];
const RACES = ['processors/test/flush-chain.property.test.ts'];
const STARTS = ['processors/test/checkpoint.test.ts', 'processors/test/compactor.test.ts'];
const MARKS = ['schemas/test/marks.test.ts'];
const HANDOVER = ['live-gateway/test/handover.test.ts'];
const WINDOW = ['live-gateway/test/window.test.ts'];
const PLAYER = ['player/src/stream/live-stream.test.ts'];
const SPLICE = ['player/src/core/splice.test.ts'];
const INGEST = ['ingest/test/acknowledging.test.ts'];
const LMDB = ['packages/log-lmdb/test/commit-queue.test.ts'];
const LIFECYCLE = ['processors/test/lifecycle.test.ts', 'processors/test/lifecycle-driver.test.ts'];
const TAIL = ['processors/test/tail.test.ts'];
const PROJECTION = ['processors/test/projection.test.ts'];
const MERGER = ['processors/test/merger.test.ts', 'processors/test/merger-core.test.ts'];
const MERGED_READ = ['processors/test/merger.test.ts'];
const SWEEP = ['processors/test/sweep.test.ts'];
const CLICKHOUSE = ['packages/catalog-clickhouse/test/progress-last.test.ts'];
const LISTS = ['packages/catalog-clickhouse/test/lists-together.test.ts'];
const MERGES = ['packages/catalog-clickhouse/test/merges.test.ts'];
const SALVAGE = ['packages/uploads/test/read-upload.test.ts', 'processors/test/compactor.test.ts'];

/** By the promise that they break. */
export const MUTATIONS: readonly Mutation[] = [
  ...simulated(CHAIN, [
    {
      name: 'chain-any-end',
      broken: 'a flush counts whatever end of the chain it names',
      file: 'schemas/src/flush-chain.ts',
      before: 'return flush.prevLastOffset === chain.end && flush.firstOffset > chain.end &&',
      after: 'return flush.firstOffset > chain.end &&',
    },
    {
      name: 'chain-overlap',
      broken: 'a flush counts that begins before the end of the chain',
      file: 'schemas/src/flush-chain.ts',
      before: 'flush.prevLastOffset === chain.end && flush.firstOffset > chain.end &&',
      after: 'flush.prevLastOffset === chain.end &&',
    },
  ]),
  ...simulated(RACES, [
    {
      name: 'flush-not-read-back',
      broken: 'a compactor believes that the flush it appended counts',
      file: 'processors/src/compactor/flush-step.ts',
      before: "return wonAt === null ? { kind: 'lost', invalid } : { kind: 'won', offset: wonAt, flushesNext: to, invalid };",
      after: "return { kind: 'won', offset: wonAt ?? offset, flushesNext: to, invalid };",
    },
    {
      name: 'silence-believed',
      broken: 'a start believes that nothing is behind what it read of the chain',
      file: 'processors/src/compactor/chain-start.ts',
      before: 'let flushesNext = from;',
      after: 'let flushesNext = bounds.next;',
    },
  ]),
  ...simulated(STARTS, [
    {
      name: 'checkpoint-unconfirmed',
      broken: 'a start trusts a checkpoint that the log does not confirm',
      file: 'processors/src/compactor/chain-start.ts',
      before: 'if (flush !== null && agrees(checkpoint, flush)) {',
      after: 'if (flush !== null) {',
    },
    {
      name: 'start-behind-chain',
      broken: 'a compactor begins one upload behind the end of the chain',
      file: 'processors/src/compactor/compactor-driver.ts',
      before: "topic: 'playhead.uploads', from: nextOffset(start.chain.end) }",
      after: "topic: 'playhead.uploads', from: nextOffset(nextOffset(start.chain.end)) }",
    },
    {
      name: 'marks-not-learned',
      broken: 'a start does not learn the marks of the flushes that it reads',
      file: 'processors/src/compactor/chain-start.ts',
      before: 'known.learn(block, Math.min(nowMs, record.createdAtMs));',
      after: '',
    },
    {
      name: 'marks-not-in-checkpoint',
      broken: 'a checkpoint leaves out the marks',
      file: 'processors/src/compactor/core/checkpoint.ts',
      before: 'known: [...known.values()],',
      after: 'known: [],',
    },
  ]),
  ...simulated(MARKS, [
    {
      name: 'counters-not-known',
      broken: 'no counter is ever known already',
      file: 'schemas/src/marks.ts',
      before: 'return range !== undefined && range.first <= counter;',
      after: 'return false;',
    },
    {
      name: 'ids-not-known',
      broken: 'no upload id is ever known already',
      file: 'schemas/src/marks.ts',
      before: 'return window.uploadIds.has(identity.uploadId);',
      after: 'return false;',
    },
  ]),
  ...simulated(HANDOVER, [
    {
      name: 'viewer-marks-nothing',
      broken: 'a viewer takes every upload of the log, repeated or not',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: 'if (upload.offset <= handover.covered || !marks.accept(upload)) continue;',
      after: 'if (upload.offset <= handover.covered) continue;',
    },
    {
      name: 'viewer-marks-with-frames-only',
      broken: 'a viewer does not learn the marks of blocks without frames',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: 'for (const block of input.blocks) mergeMarks(marks, block.marks);',
      after: 'for (const block of input.blocks) if (block.blockLength > 0) mergeMarks(marks, block.marks);',
    },
    {
      name: 'cut-too-late',
      broken: 'after the blocks, a viewer goes on one upload behind the end of the chain',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: "stage: 'backlog', replay: null, covered: replay.chainEnd,",
      after: "stage: 'backlog', replay: null, covered: replay.chainEnd + 1,",
    },
    {
      name: 'cut-too-early',
      broken: 'after the blocks, a viewer goes on with the last upload of the chain',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: "stage: 'backlog', replay: null, covered: replay.chainEnd,",
      after: "stage: 'backlog', replay: null, covered: replay.chainEnd - 1,",
    },
    {
      name: 'replay-counts-at-once',
      broken: 'history counts as sent when its replay begins',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: "return replayOn({ ...handover, stage: 'replaying', replay, attempts: 0, goneBefore: null });",
      after: "return replayOn({ ...handover, stage: 'replaying', replay, attempts: 0, goneBefore: null, covered: input.chainEnd, marks });",
    },
    {
      name: 'resume-repeats',
      broken: 'a resume sends the frame at its position again',
      file: 'live-gateway/src/handover/core/handover.ts',
      before: 'return comparePositions(frame.position, handover.cursor) > 0 &&',
      after: 'return comparePositions(frame.position, handover.cursor) >= 0 &&',
    },
    {
      name: 'resume-skips-upload',
      broken: 'a resume inside of an upload leaves out the rest of it',
      file: 'live-gateway/src/handover/core/handover.ts',
      before: 'return comparePositions(frame.position, handover.cursor) > 0 &&',
      after: 'return frame.position.offset > handover.cursor.offset &&',
    },
    {
      name: 'end-too-early',
      broken: 'the end is said before the uploads that came before it',
      file: 'live-gateway/src/handover/core/transitions.ts',
      before: 'if (ending === null || handover.covered < ending.through) return tell(',
      after: 'if (ending === null) return tell(',
    },
  ]),
  ...simulated(WINDOW, [
    {
      name: 'window-reaches-too-far',
      broken: 'the shared window takes a viewer that misses the upload it has just dropped',
      file: 'live-gateway/src/window/partition-window.ts',
      before: 'return opened.lostTo <= after;',
      after: 'return opened.lostTo <= after + 1;',
    },
    {
      name: 'window-skips-dropped',
      broken: 'the shared window goes on behind an upload that it has dropped, without a word',
      file: 'live-gateway/src/window/partition-window.ts',
      before: "if (channel.lostTo > after) return { kind: 'fallen' };",
      after: "if (channel.lostTo > after + 1) return { kind: 'fallen' };",
    },
  ]),
  ...simulated(PLAYER, [
    {
      name: 'player-resumes-from-first',
      broken: 'the player resumes from the first position that it got',
      file: 'player/src/stream/live-stream.ts',
      before: 'this.#last = newest.position;',
      after: 'this.#last ??= newest.position;',
    },
    {
      name: 'player-filters-nothing',
      broken: 'the player takes what it has already',
      file: 'player/src/stream/live-stream.ts',
      before: 'if (last === null || comparePositions(frame.position, last) > 0) fresh.push(frame);',
      after: 'fresh.push(frame);',
    },
  ]),
  ...notSimulated(SPLICE, [
    {
      name: 'history-overlaps-edge',
      broken: 'the player takes from history what the edge has, too',
      file: 'player/src/core/splice.ts',
      before: 'if (met !== undefined && comparePositions(frame.position, met) >= 0) return [];',
      after: 'void met;',
    },
    {
      name: 'edge-repeats-history',
      broken: 'the player takes from the edge what came from history before',
      file: 'player/src/core/splice.ts',
      before: 'if (past !== undefined && comparePositions(frame.position, past) <= 0) return [];',
      after: 'void past;',
    },
    {
      name: 'history-ends-early',
      broken: 'history ends where the first window of the edge begins',
      file: 'player/src/core/splice.ts',
      before: 'if (this.#meetsAt === null || comparePositions(frame.position, this.#meetsAt) > 0) this.#meetsAt',
      after: 'if (this.#meetsAt === null) this.#meetsAt',
    },
    {
      name: 'seam-cuts-frames',
      broken: 'the rest of a frame that began before the edge is dropped',
      file: 'player/src/core/splice.ts',
      before: 'if (isContinuation(frame)) return this.#toHistory(frame);',
      after: 'if (isContinuation(frame)) return [];',
    },
  ]),
  ...simulated(INGEST, [
    {
      name: 'append-not-awaited',
      broken: 'ingest does not wait for the log',
      file: 'ingest/src/session-book.ts',
      before:
        "this.#log.append('playhead.uploads', partition, upload.sessionId, upload);\n    await this.#durable(append().finally(settled));",
      after:
        "this.#log.append('playhead.uploads', partition, upload.sessionId, upload);\n    void this.#durable(append().finally(settled)).catch(() => {});",
    },
  ]),
  ...notSimulated(INGEST, [
    {
      name: 'answer-before-append',
      broken: 'an upload is answered before its append has resolved',
      file: 'ingest/src/routes.ts',
      before: 'await book.append(upload, () => admitted.release());',
      after: 'void book.append(upload, () => admitted.release());',
    },
  ]),
  ...notSimulated(LMDB, [
    {
      name: 'append-before-sync',
      broken: 'the log of one process resolves an append before its commit is synced',
      file: 'packages/log-lmdb/src/commit-queue.ts',
      before: 'await this.#inTime(this.#commit(entries.map((entry) => entry.put)));\n        for (const entry of entries) entry.resolve();',
      after: 'for (const entry of entries) entry.resolve();\n        await this.#inTime(this.#commit(entries.map((entry) => entry.put)));',
    },
  ]),
  ...simulated(LIFECYCLE, [
    {
      name: 'end-without-reading',
      broken: 'a session ends although not everything was read',
      file: 'processors/src/lifecycle/lifecycle-driver.ts',
      before: 'if (isCurrent.includes(false)) return 0;',
      after: '',
    },
    {
      name: 'end-taken-back',
      broken: 'an upload behind the end opens its session again',
      file: 'processors/src/lifecycle/core/lifecycle.ts',
      before: 'if (this.#ended.has(key)) return undefined;',
      after: '',
    },
  ]),
  ...simulated(TAIL, [
    {
      name: 'new-record-taken-for-hole',
      broken: 'a record that has just come is taken for an offset without one',
      file: 'processors/src/runtime/tail.ts',
      before: 'return this.hasReached(end, this.#end.sinceMs, holeWaitMs);',
      after: 'return this.hasReached(end, 0, holeWaitMs);',
    },
    {
      name: 'failing-log-taken-for-hole',
      broken: 'the silence of a log that cannot be read is taken for an offset without a record',
      file: 'processors/src/runtime/tail.ts',
      before: 'this.#idleSinceMs = Number.POSITIVE_INFINITY;',
      after: '',
    },
    {
      name: 'hole-waited-for',
      broken: 'an offset without a record at the end of the log is waited for',
      file: 'processors/src/runtime/tail.ts',
      before: 'return this.hasReached(end, this.#end.sinceMs, holeWaitMs);',
      after: 'return this.#held === null && this.#next >= end;',
    },
  ]),
  ...simulated(PROJECTION, [
    {
      name: 'catalog-takes-losers',
      broken: 'the catalog is given flushes that lost',
      file: 'processors/src/catalog/projection-driver.ts',
      before: '} else if (flush.record === null || !extendsChain(chain, flush.record)) this.stats.invalid++;',
      after: '} else if (flush.record === null) this.stats.invalid++;',
    },
    {
      name: 'facts-progress-first',
      broken: 'progress over facts of sessions runs ahead of the facts',
      file: 'processors/src/catalog/projection-driver.ts',
      before: 'const next = this.#facts[FACTS_AT_ONCE]?.offset ?? end;',
      after: 'const next = end;',
    },
  ]),
  ...simulated(PROJECTION, [
    {
      name: 'merges-any-number',
      broken: 'a merge counts whatever its number is',
      file: 'schemas/src/merge-chain.ts',
      before: 'return merge.number === last + 1;',
      after: 'return merge.number > 0;',
    },
  ]),
  ...simulated(MERGER, [
    {
      name: 'merge-across-merged',
      broken: 'a merge takes blocks on both sides of one that is merged as one stretch',
      file: 'processors/src/merger/core/stretches.ts',
      before: 'if (!taken.has(block)) {\n      open = null;\n',
      after: 'if (!taken.has(block)) {\n',
    },
    {
      name: 'merged-twice',
      broken: 'a merger chooses again before the catalog has what it appended',
      file: 'processors/src/merger/merger-driver.ts',
      before: 'else await this.#untilApplied(number, signal);',
      after: 'else await pause(clock, settings.mergeTickMs, signal);',
    },
    {
      name: 'merge-forgets-marks',
      broken: 'a merged block does not know which uploads were accepted',
      file: 'processors/src/merger/core/stretch-summary.ts',
      before: 'marks.merge(Marks.decode(block.marks));',
      after: '',
    },
  ]),
  ...simulated(SWEEP, [
    {
      name: 'sweep-not-passed',
      broken: 'a sweep removes objects of flushes that the chain has not passed',
      file: 'processors/src/sweep/core/nobodys.ts',
      before: "return origin.kind === 'flush' ? origin.lastOffset <= chainEnd : origin.number <= mergeNumber;",
      after: "return origin.kind === 'flush' || origin.number <= mergeNumber;",
    },
    {
      name: 'sweep-merge-not-passed',
      broken: 'a sweep removes objects of merges that have not been applied',
      file: 'processors/src/sweep/core/nobodys.ts',
      before: "return origin.kind === 'flush' ? origin.lastOffset <= chainEnd : origin.number <= mergeNumber;",
      after: "return origin.kind === 'merge' || origin.lastOffset <= chainEnd;",
    },
    {
      name: 'sweep-without-grace',
      broken: 'a sweep removes what was replaced at once',
      file: 'processors/src/sweep/sweep-driver.ts',
      before: 'clock.now() - settings.sweepGraceMs)',
      after: 'clock.now() + 1)',
    },
  ]),
  ...simulated(MERGED_READ, [
    {
      name: 'merged-and-old',
      broken: 'the catalog of tests and simulations answers merged blocks and those that they replace',
      file: 'packages/testkit/src/catalog/merged-blocks.ts',
      before: '.filter((block) => isSeen(block) && !replacing.some((by) => isReplacedBy(block, by)));',
      after: '.filter((block) => isSeen(block));',
    },
  ]),
  ...notSimulated(LIFECYCLE, [
    {
      name: 'goodbye-found-late',
      broken: 'a session whose last window says goodbye is over when its silence would be',
      file: 'processors/src/lifecycle/core/lifecycle.ts',
      before: 'if (isNewWindow || upload.goodbye || ',
      after: 'if (isNewWindow || ',
    },
  ]),
  ...notSimulated(CLICKHOUSE, [
    {
      name: 'catalog-progress-first',
      broken: 'the catalog notes its progress before the rows',
      file: 'packages/catalog-clickhouse/src/clickhouse-catalog.ts',
      before: 'const { partition, lastOffset, gap } = flush;\n',
      after: 'const { partition, lastOffset, gap } = flush;\n      await advance(partition, { chainEnd: lastOffset, flushesNext });\n',
    },
  ]),
  ...notSimulated(LISTS, [
    {
      name: 'merge-shown-twice',
      broken: 'a merged block is answered beside the blocks that it replaces',
      file: 'packages/catalog-clickhouse/src/clickhouse-catalog.ts',
      before: '.filter((row) => !own.some((one) => replaces(one, row)))',
      after: '',
    },
    {
      name: 'blocks-behind-the-chain',
      broken: 'blocks behind the end of the chain that is named are answered',
      file: 'packages/catalog-clickhouse/src/clickhouse-catalog.ts',
      before: '(await unmergedOf(names, merged)).filter(isReached)',
      after: 'await unmergedOf(names, merged)',
    },
  ]),
  ...notSimulated(MERGES, [
    {
      name: 'holes-of-a-replica',
      broken: 'a server that lacks flushes or merges says which objects are nobody’s',
      file: 'packages/catalog-clickhouse/src/clickhouse-catalog.ts',
      before: 'if (!knows(flushes, chainEnd) || !knows(merges, mergeNumber)) {',
      after: 'if (false) {',
    },
    {
      name: 'blocks-of-a-flush-missing',
      broken: 'a flush of which blocks are not there yet is taken for one without them',
      file: 'packages/catalog-clickhouse/src/clickhouse-catalog.ts',
      before: 'return row ? toNumber(row.needed) > 0 || toNumber(row.known) < sessions : sessions > 0;',
      after: 'return row ? toNumber(row.needed) > 0 : sessions > 0;',
    },
  ]),
  ...simulated(SALVAGE, [
    {
      name: 'damage-costs-all',
      broken: 'of a damaged upload nothing is kept',
      file: 'packages/uploads/src/read-upload.ts',
      before: 'return { frames: decoded.frames, fault: earlierFault(decoded, fault) };',
      after: 'return { frames: fault === null ? decoded.frames : [], fault: earlierFault(decoded, fault) };',
    },
    {
      name: 'damage-not-told',
      broken: 'what of an upload could not be read is not kept among the rejected',
      file: 'processors/src/compactor/core/pending-flush.ts',
      before: 'if (fault === null) return;',
      after: 'return;',
    },
  ]),
];

function simulated(tests: readonly string[], broken: readonly Broken[]): Mutation[] {
  return broken.map((one) => ({ ...one, tests, simulated: true }));
}

function notSimulated(tests: readonly string[], broken: readonly Broken[]): Mutation[] {
  return broken.map((one) => ({ ...one, tests, simulated: false }));
}

/**
 * The mutated text of its file.
 *
 * @param root of the tree that the file is read from
 * @throws {Error} when the text to replace is not there, or there more than once
 */
export async function mutatedText({ name, file, before, after }: Mutation, root: string): Promise<string> {
  const parts = (await readFile(join(root, file), 'utf8')).split(before);
  if (parts.length !== 2) throw new Error(`mutation ${name} no longer applies: ${file} holds its text ${parts.length - 1} times`);
  return parts.join(after);
}
