import { createHash } from 'node:crypto';
import type { BlockStore, EventLog } from '@playhead/ports';
import type { Flush, FlushBlock, Partition } from '@playhead/schemas';
import { decodeBlock, nextOffset, PlayheadError } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import { PendingFlush } from '../compactor/core/pending-flush.ts';
import { buildFlush } from '../compactor/flush-step.ts';
import { takeRecord } from '../compactor/take-record.ts';
import { mergedKeyOf, objectKeyOf } from '../core/object-key.ts';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { untilDone } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import { AcceptedInFlush } from './core/accepted-in-flush.ts';
import { ReplacedBlocks } from './core/replaced-blocks.ts';
import type { ValidFlush, ValidMerge } from './valid-records.ts';
import { validFlushes, validMerges } from './valid-records.ts';

export interface RebuildObjectsDeps extends Runtime {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly settings: ProcessorSettings;
}

/** What is wrong with an object, and which of its blocks cannot be read for it. */
export interface FaultyObject {
  readonly fault: 'missing' | 'damaged';
  /** Of the blocks that no merge has replaced. Empty where something is wrong between or behind the blocks only. */
  readonly unreadable: readonly FlushBlock[];
}

/** What became of the object of a valid flush or merge. */
export type ObjectOutcome =
  /** The flush, or what was merged, had no frame. */
  | { readonly kind: 'none' }
  /** Nobody reads it any more: merges have replaced all of its blocks. It may be gone. */
  | { readonly kind: 'replaced' }
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

/** A valid merge, and what its object is like: `none`, `whole` or `faulty`. */
export interface CheckedMerge extends ValidMerge {
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
 * under the key. Objects whose blocks have all been replaced are not read: what readers get is in the merges (`checkMerges`).
 * Memory: one object, or one flush that is being made again. Log and store are waited for.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function* rebuildObjects(
  deps: RebuildObjectsDeps,
  partition: Partition,
  { repair, signal }: RebuildObjectsOptions,
): AsyncGenerator<CheckedFlush> {
  const replaced = new ReplacedBlocks();
  for await (const { merge } of validMerges(deps, partition, signal)) replaced.add(merge);
  for await (const valid of validFlushes(deps, partition, signal)) {
    const { flush } = valid;
    const left = replaced.left(flush);
    if (flush.objectKey === '' || left.length === 0) {
      yield { ...valid, outcome: { kind: flush.objectKey === '' ? 'none' : 'replaced' } };
      continue;
    }
    const until = <T>(what: string, attempt: () => Promise<T>): Promise<T> =>
      untilDone(deps, `${what} ${flush.objectKey}`, attempt, { ...deps.settings, signal, isFinal });
    const { partition: of, firstOffset, lastOffset, objectKey } = flush;
    const keyOf = (sha256Hex: string): string => objectKeyOf(of, firstOffset, lastOffset, sha256Hex);
    const faulty = await until('read the object', () => faultOf(deps.blocks, objectKey, keyOf, left));
    if (faulty === null) yield { ...valid, outcome: { kind: 'whole' } };
    else if (!repair) yield { ...valid, outcome: { kind: 'faulty', ...faulty } };
    else {
      const kind = await until('make again the object', () => rebuild(deps, flush, signal));
      yield { ...valid, outcome: { kind, ...faulty } };
    }
  }
}

/**
 * Reads the objects of all valid merges of a partition, one after the other. One that is missing or damaged cannot be made again: the
 * objects that it was made of are gone, and their uploads with them. Log and store are waited for.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function* checkMerges(deps: RebuildObjectsDeps, partition: Partition, signal: AbortSignal): AsyncGenerator<CheckedMerge> {
  for await (const valid of validMerges(deps, partition, signal)) {
    const { objectKey, number, blocks } = valid.merge;
    if (objectKey === '') {
      yield { ...valid, outcome: { kind: 'none' } };
      continue;
    }
    const attempt = (): Promise<FaultyObject | null> =>
      faultOf(deps.blocks, objectKey, (sha256Hex) => mergedKeyOf(partition, number, sha256Hex), blocks);
    const faulty = await untilDone(deps, `read the object ${objectKey}`, attempt, { ...deps.settings, signal, isFinal });
    yield { ...valid, outcome: faulty === null ? { kind: 'whole' } : { kind: 'faulty', ...faulty } };
  }
}

/** Only what log and store say of themselves is waited for. That the log was trimmed meanwhile is seen at the next attempt. */
function isFinal(error: unknown): boolean {
  return !(error instanceof PlayheadError) || !(error.retryable || error.code === 'position_gone');
}

/**
 * Null for a whole object.
 *
 * @param keyOf the key that bytes with a SHA-256 have
 * @param blocks that are read of it
 */
async function faultOf(
  store: BlockStore,
  objectKey: string,
  keyOf: (sha256Hex: string) => string,
  blocks: readonly FlushBlock[],
): Promise<FaultyObject | null> {
  const withBytes = blocks.filter(({ blockLength }) => blockLength > 0);
  let object: Uint8Array;
  try {
    object = await store.get(objectKey);
  } catch (error) {
    if (error instanceof PlayheadError && error.code === 'not_found') return { fault: 'missing', unreadable: withBytes };
    throw error;
  }
  if (keyOf(createHash('sha256').update(object).digest('hex')) === objectKey) return null;
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
