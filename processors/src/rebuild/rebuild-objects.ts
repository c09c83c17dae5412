import { createHash } from 'node:crypto';
import type { BlockStore, EventLog } from '@playhead/ports';
import type { Flush, FlushBlock, Partition } from '@playhead/schemas';
import { decodeBlock, nextOffset, PlayheadError } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import { objectKeyOf } from '../compactor/core/object-key.ts';
import { PendingFlush } from '../compactor/core/pending-flush.ts';
import { buildFlush } from '../compactor/flush-step.ts';
import { takeRecord } from '../compactor/take-record.ts';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { untilDone } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import { AcceptedInFlush } from './core/accepted-in-flush.ts';
import type { ValidFlush } from './valid-flushes.ts';
import { validFlushes } from './valid-flushes.ts';

export interface RebuildObjectsDeps extends Runtime {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly settings: ProcessorSettings;
}

/** What is wrong with an object, and which of its blocks cannot be read for it. */
export interface FaultyObject {
  readonly fault: 'missing' | 'damaged';
  /** Empty where something is wrong between or behind the blocks only. */
  readonly unreadable: readonly FlushBlock[];
}

/** What became of the object of a valid flush. */
export type ObjectOutcome =
  /** The flush had no frame. */
  | { readonly kind: 'none' }
  | { readonly kind: 'whole' }
  /** Only looked at. */
  | ({ readonly kind: 'faulty' } & FaultyObject)
  /** It was made again, byte for byte. */
  | ({ readonly kind: 'rebuilt' } & FaultyObject)
  /** The log does not hold all of its uploads any more. */
  | ({ readonly kind: 'trimmed' } & FaultyObject)
  /** The uploads are there, and give other bytes: another version of the code or of its compression wrote it. */
  | ({ readonly kind: 'different' } & FaultyObject);

/** A valid flush, and what became of its object. */
export interface CheckedFlush extends ValidFlush {
  readonly outcome: ObjectOutcome;
}

export interface RebuildObjectsOptions {
  /** False: only look. */
  readonly repair: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads the objects of all valid flushes of a partition, one after the other, and makes those that are missing or damaged
 * again from the uploads that the log still holds. Safe beside processors that work: what a flush names does not change.
 *
 * A key ends in a hash of the bytes: an object is whole when its bytes have that hash, and nothing else is ever written
 * under the key. Memory: one object, or one flush that is being made again. Log and store are waited for.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function* rebuildObjects(
  deps: RebuildObjectsDeps,
  partition: Partition,
  { repair, signal }: RebuildObjectsOptions,
): AsyncGenerator<CheckedFlush> {
  for await (const valid of validFlushes(deps, partition, signal)) {
    const { flush } = valid;
    if (flush.objectKey === '') {
      yield { ...valid, outcome: { kind: 'none' } };
      continue;
    }
    const until = <T>(what: string, attempt: () => Promise<T>): Promise<T> =>
      untilDone(deps, `${what} ${flush.objectKey}`, attempt, { ...deps.settings, signal, isFinal });
    const faulty = await until('read the object', () => faultOf(deps.blocks, flush));
    if (faulty === null) yield { ...valid, outcome: { kind: 'whole' } };
    else if (!repair) yield { ...valid, outcome: { kind: 'faulty', ...faulty } };
    else {
      const kind = await until('make again the object', () => rebuild(deps, flush, signal));
      yield { ...valid, outcome: { kind, ...faulty } };
    }
  }
}

/** Only what log and store say of themselves is waited for. That the log was trimmed meanwhile is seen at the next attempt. */
function isFinal(error: unknown): boolean {
  return !(error instanceof PlayheadError) || !(error.retryable || error.code === 'position_gone');
}

/** Null for a whole object. */
async function faultOf(blocks: BlockStore, flush: Flush): Promise<FaultyObject | null> {
  const { objectKey, partition, firstOffset, lastOffset } = flush;
  const withBytes = flush.blocks.filter(({ blockLength }) => blockLength > 0);
  let object: Uint8Array;
  try {
    object = await blocks.get(objectKey);
  } catch (error) {
    if (error instanceof PlayheadError && error.code === 'not_found') return { fault: 'missing', unreadable: withBytes };
    throw error;
  }
  const sha256Hex = createHash('sha256').update(object).digest('hex');
  if (objectKeyOf(partition, firstOffset, lastOffset, sha256Hex) === objectKey) return null;
  return { fault: 'damaged', unreadable: withBytes.filter((block) => !isReadable(block, object)) };
}

/** True for a block that is whole by its own checksum. */
function isReadable({ blockOffset, blockLength }: FlushBlock, object: Uint8Array): boolean {
  try {
    decodeBlock(object.subarray(blockOffset, blockOffset + blockLength), decompressPiece);
    return true;
  } catch {
    return false;
  }
}

async function rebuild(deps: RebuildObjectsDeps, flush: Flush, signal: AbortSignal): Promise<'rebuilt' | 'trimmed' | 'different'> {
  const { log, blocks, settings } = deps;
  const { partition, gap, lastOffset, objectKey, createdAtMs } = flush;
  const begin = gap === null ? flush.firstOffset : nextOffset(gap.lastOffset);
  const { first } = await log.bounds('playhead.uploads', partition);
  if (first > lastOffset) return 'trimmed';

  const pending = new PendingFlush(partition);
  if (gap !== null) pending.lose(gap, createdAtMs);
  const accepted = new AcceptedInFlush(flush);
  const stretch = { topic: 'playhead.uploads', partition, from: first > begin ? first : begin, to: nextOffset(lastOffset) } as const;
  for await (const record of readUpTo(log, deps, stretch, { signal, holeWaitMs: settings.holeWaitMs })) {
    await takeRecord(pending, record, (upload) => accepted.accept(upload), createdAtMs);
  }
  const object = pending.isEmpty ? null : await buildFlush(pending, { end: flush.prevLastOffset }, flush.writer, createdAtMs);
  if (object?.flush.objectKey !== objectKey) return first > begin ? 'trimmed' : 'different';
  // An object is written once: a damaged one has to go first. Until the next one is there its uploads are in the log.
  await blocks.delete(objectKey);
  await blocks.put(objectKey, object.object);
  return 'rebuilt';
}
