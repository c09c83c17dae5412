import type { Catalog, EventLog, MergeableSession, Turns } from '@playhead/ports';
import { isLost, pause } from '@playhead/ports';
import type { Merge, MergedBlock, Partition } from '@playhead/schemas';
import { mergedKeyOf } from '../core/object-key.ts';
import { sessionKey } from '../core/session-key.ts';
import { hashObject } from '../runtime/hash-object.ts';
import { errorFields, GivenUp, orGivenUp, untilDone } from '../runtime/retry.ts';
import type { LookSpan } from './core/choose-sessions.ts';
import { chooseSessions, nextSpan, SESSIONS_MAX } from './core/choose-sessions.ts';
import { cutStretches, MergeRoom } from './core/stretches.ts';
import type { BuiltBlock, MergeStretchDeps } from './merge-stretch.ts';
import { mergeStretch } from './merge-stretch.ts';

/** How often the catalog is asked whether it has a merge that was appended. */
const APPLIED_ASK_MS = 1_000;

export interface MergerDeps extends MergeStretchDeps {
  readonly log: EventLog;
  readonly catalog: Catalog;
  readonly writer: string;
  /** Shared by all partitions of the process: one merges at a time. */
  readonly turns: Turns;
}

/** What a merger did since it was made. */
export interface MergerStats {
  /** Merges that it appended: others may have been first. */
  merges: number;
  blocksBefore: number;
  blocksAfter: number;
  bytesBefore: number;
  bytesAfter: number;
  /** Sessions with a block that is gone or damaged. */
  leftOut: number;
}

/** Of one session what a merge has room for. */
interface SessionPart {
  readonly built: readonly BuiltBlock[];
  readonly blocksBefore: number;
  readonly bytesBefore: number;
  /** The merge has no room for more. */
  readonly isFull: boolean;
}

/**
 * Merges the blocks of a partition's ended sessions. A loop of its own beside the compactor's: it learns from the catalog what
 * there is, and appends what it made to `playhead.merges`. Whether that counts is seen by everybody alike (`merge-chain.ts`).
 */
export class Merger {
  readonly partition: Partition;
  readonly stats: MergerStats = { merges: 0, blocksBefore: 0, blocksAfter: 0, bytesBefore: 0, bytesAfter: 0, leftOut: 0 };
  readonly #deps: MergerDeps;
  /** Sessions with a block that cannot be read. */
  readonly #leftOut = new Set<string>();
  #span: LookSpan | null = null;
  #waiting: readonly MergeableSession[] = [];

  constructor(deps: MergerDeps, partition: Partition) {
    this.#deps = deps;
    this.partition = partition;
  }

  /** Works until `signal` aborts; a merge that is under way is given up, its object is swept. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, turns, settings } = this.#deps;
    try {
      while (!signal.aborted) {
        // Whoever is told to stop does not wait for its turn, and does nothing when it comes.
        const turn = turns.take(async () => (signal.aborted ? null : this.#merge(signal)));
        const number = await orGivenUp(turn, signal);
        if (number === null) await pause(clock, settings.mergeTickMs, signal);
        else await this.#untilApplied(number, signal);
      }
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
    }
  }

  /** Makes one merge, if there is one to be made, and answers its number. */
  async #merge(signal: AbortSignal): Promise<number | null> {
    // Before anything else: what was chosen by an older state of things must not get a newer number.
    const last = await this.#mergeNumber(signal);
    const chosen = chooseSessions(await this.#look(signal), this.#deps.clock.now(), this.#deps.settings);
    if (chosen.length === 0) return null;
    const number = last + 1;
    const merge = await this.#build(chosen, number, signal);
    if (merge === null) return null;
    const { log, blocks } = this.#deps;
    const { objectKey } = merge.merge;
    if (objectKey !== '') await this.#until(`put the object of merge ${number}`, () => blocks.put(objectKey, merge.object), signal);
    await this.#until(`append merge ${number}`, () => log.append('playhead.merges', this.partition, '', merge.merge), signal);
    this.#count(merge);
    return number;
  }

  /** The sessions that can be merged, the earliest end first, without those that were left out. */
  async #look(signal: AbortSignal): Promise<readonly MergeableSession[]> {
    const { catalog, clock, settings } = this.#deps;
    const span = nextSpan(this.#span, this.#waiting, clock.now(), settings.mergeAfterMs);
    const ask = (endedFromMs: number): Promise<readonly MergeableSession[]> => {
      const query = { partition: this.partition, ...span, endedFromMs, limit: SESSIONS_MAX };
      return this.#until('ask for sessions that can be merged', () => catalog.mergeable(query), signal);
    };
    const isLeft = ({ projectId, sessionId }: MergeableSession): boolean => !this.#leftOut.has(sessionKey(projectId, sessionId));
    let answer = await ask(span.endedFromMs);
    this.#waiting = answer;
    this.#span = span;
    // Behind those that were left out others wait.
    for (let last = answer.at(-1); last && answer.length >= SESSIONS_MAX && !answer.some(isLeft); last = answer.at(-1))
      answer = await ask(last.endedAtMs + 1);
    return answer.filter(isLeft);
  }

  async #build(chosen: readonly MergeableSession[], number: number, signal: AbortSignal): Promise<BuiltMerge | null> {
    const { partition } = this;
    const { clock, writer, settings } = this.#deps;
    const room = new MergeRoom(settings);
    const object: Uint8Array[] = [];
    const blocks: MergedBlock[] = [];
    let [objectBytes, blocksBefore, bytesBefore] = [0, 0, 0];
    for (const session of chosen) {
      const part = await this.#buildSession(session, room, number, signal);
      if (part === null) continue;
      blocksBefore += part.blocksBefore;
      bytesBefore += part.bytesBefore;
      for (const { summary, parts, length, frameIndex } of part.built) {
        blocks.push({ ...summary, blockOffset: length === 0 ? 0 : objectBytes, blockLength: length, frameIndex });
        for (const one of parts) object.push(one);
        objectBytes += length;
      }
      if (part.isFull) break;
    }
    if (blocks.length === 0) return null;
    const objectKey = objectBytes === 0 ? '' : mergedKeyOf(partition, number, await hashObject(object));
    const merge: Merge = { partition, number, objectKey, objectBytes, createdAtMs: clock.now(), writer, blocks };
    return { merge, object, blocksBefore, bytesBefore };
  }

  /** Null for a session with a block that cannot be read: it is left as it is. */
  async #buildSession(
    { projectId, sessionId }: MergeableSession,
    room: MergeRoom,
    number: number,
    signal: AbortSignal,
  ): Promise<SessionPart | null> {
    const { catalog, logger } = this.#deps;
    const { partition } = this;
    const ask = (): ReturnType<Catalog['blocks']> => catalog.blocks(projectId, sessionId, partition);
    const { blocks } = await this.#until(`ask for the blocks of session ${sessionId}`, ask, signal);
    try {
      const { stretches, isFull } = cutStretches(blocks, room);
      const built: BuiltBlock[] = [];
      for (const stretch of stretches) built.push(await mergeStretch(this.#deps, stretch, signal));
      const before = stretches.flat();
      const bytesBefore = before.reduce((sum, { blockLength }) => sum + blockLength, 0);
      return { built, blocksBefore: before.length, bytesBefore, isFull };
    } catch (error) {
      if (error instanceof GivenUp) throw error;
      // Somebody else has merged meanwhile, and what that replaced was swept: this merge has lost.
      if (isLost(error) && (await this.#mergeNumber(signal)) >= number) return null;
      this.#leftOut.add(sessionKey(projectId, sessionId));
      this.stats.leftOut++;
      logger.error({ ...errorFields(error), partition, projectId, sessionId }, 'a session is not merged: a block of it cannot be read');
      return null;
    }
  }

  #count({ merge, blocksBefore, bytesBefore }: BuiltMerge): void {
    const { number, objectBytes, blocks } = merge;
    this.stats.merges++;
    this.stats.blocksBefore += blocksBefore;
    this.stats.blocksAfter += blocks.length;
    this.stats.bytesBefore += bytesBefore;
    this.stats.bytesAfter += objectBytes;
    this.#deps.logger.debug(
      { partition: this.partition, number, blocksBefore, blocksAfter: blocks.length, bytesBefore, bytesAfter: objectBytes },
      'merged',
    );
  }

  /** The next look must see what this merge has replaced, or what the merge that was before it has. */
  async #untilApplied(number: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.#mergeNumber(signal)) < number) await pause(this.#deps.clock, APPLIED_ASK_MS, signal);
  }

  async #mergeNumber(signal: AbortSignal): Promise<number> {
    const { catalog } = this.#deps;
    return (await this.#until(`read the catalog's progress`, () => catalog.progress(this.partition), signal)).mergeNumber;
  }

  #until<T>(what: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return untilDone(this.#deps, `${what} (partition ${this.partition})`, attempt, { ...this.#deps.settings, signal });
  }
}

/** A merge before it is written, and what it takes the place of. */
interface BuiltMerge {
  readonly merge: Merge;
  /** Its parts. Empty when nothing had a frame. */
  readonly object: readonly Uint8Array[];
  readonly blocksBefore: number;
  readonly bytesBefore: number;
}
