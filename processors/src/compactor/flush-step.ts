import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { BlockStore, EventLog } from '@playhead/ports';
import type { Chain, Flush, FlushBlock, Offset, Rejected } from '@playhead/schemas';
import { blockParts, extendsChain, nextOffset } from '@playhead/schemas';
import { compressPiece } from '@playhead/uploads';
import { heldBytes } from '../core/held-bytes.ts';
import { objectKeyOf } from '../core/object-key.ts';
import { hashObject } from '../runtime/hash-object.ts';
import { readUpTo } from '../runtime/read-up-to.ts';
import type { Runtime } from '../runtime/retry.ts';
import { untilDone } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import type { PendingFlush } from './core/pending-flush.ts';
import type { SpoiledUpload } from './core/session-block.ts';
import { encodeSession } from './core/session-block.ts';

/** Rejected uploads that are appended at the same time, so that many of them do not hold up the partition: the log commits them together. */
const APPENDS_AT_ONCE = 64;

export interface FlushDeps extends Runtime {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly writer: string;
  readonly settings: ProcessorSettings;
}

/** A flush before it is written: the object's parts, and the records. */
export interface BuiltFlush {
  readonly flush: Flush;
  /** Pictures and moved bodies are what was read, not copies. Empty when nothing had a frame. */
  readonly object: readonly Uint8Array[];
  readonly rejected: readonly Rejected[];
  /** What all of it holds in memory, besides the record. */
  readonly bytes: number;
}

/** Encodes what is pending as one object and its flush record. Between sessions others get their turn. */
export async function buildFlush(pending: PendingFlush, chain: Chain, writer: string, nowMs: number): Promise<BuiltFlush> {
  const { partition, gap } = pending;
  const parts: Uint8Array[] = [];
  const blocks: FlushBlock[] = [];
  const rejected: Rejected[] = [...pending.rejected];
  let objectBytes = 0;
  for (const session of pending.sessions) {
    await setImmediate();
    const { summary, block, spoiled } = encodeSession(session, (uploads) => blockParts(uploads, compressPiece, crc32));
    const { projectId, sessionId } = session;
    for (const upload of spoiled) rejected.push(rejectedOf(upload, { projectId, sessionId, partition, rejectedAtMs: nowMs }));
    const length = block?.length ?? 0;
    const place = { blockOffset: length === 0 ? 0 : objectBytes, blockLength: length };
    blocks.push({ ...summary, ...place, frameIndex: block?.frameIndex ?? new Uint8Array() });
    if (block === null) continue;
    for (const part of block.parts) parts.push(part);
    objectBytes += length;
  }
  const { firstOffset, lastOffset } = pending.range();
  const objectKey = objectBytes === 0 ? '' : objectKeyOf(partition, firstOffset, lastOffset, await hashObject(parts));
  const head = { partition, prevLastOffset: chain.end, firstOffset, lastOffset };
  const bytes = rejected.reduce((sum, { body }) => sum + body.length, heldBytes(parts));
  return { object: parts, rejected, bytes, flush: { ...head, objectKey, objectBytes, createdAtMs: nowMs, writer, gap, blocks } };
}

/** How the race for the chain's end went. `flushesNext`: where to read on. */
export type FlushOutcome =
  | { readonly kind: 'won'; readonly offset: Offset; readonly flushesNext: Offset; readonly invalid: number }
  | { readonly kind: 'lost'; readonly invalid: number };

/**
 * Object, rejected uploads, flush record, and then reads back what became of the chain. Each step is repeated until it
 * succeeds: a second put finds the same bytes, a second flush record does not extend the chain.
 *
 * @throws {GivenUp} when the signal aborts
 */
export async function writeFlush(
  deps: FlushDeps,
  built: BuiltFlush,
  chain: Chain,
  flushesNext: Offset,
  signal: AbortSignal,
): Promise<FlushOutcome> {
  const { log, blocks, settings } = deps;
  const { flush, object } = built;
  const { partition } = flush;
  const until = <T>(what: string, attempt: () => Promise<T>): Promise<T> =>
    untilDone(deps, `${what} of partition ${partition}`, attempt, { ...settings, signal });

  if (flush.objectKey !== '') await until('put the object', () => blocks.put(flush.objectKey, object));
  for (let at = 0; at < built.rejected.length; at += APPENDS_AT_ONCE) {
    const some = built.rejected.slice(at, at + APPENDS_AT_ONCE);
    const append = (rejected: Rejected): Promise<unknown> =>
      until('append a rejected upload', () => log.append('playhead.rejected', partition, rejected.sessionId, rejected));
    await Promise.all(some.map(append));
  }
  const offset = await until('append the flush', () => log.append('playhead.flushes', partition, '', flush));
  return until('read back the flush', () => readBack(deps, flush, chain, { flushesNext, offset }, signal));
}

/** Follows the chain over what was appended since. Ours won when it is what the chain now ends with. */
async function readBack(
  deps: FlushDeps,
  ours: Flush,
  before: Chain,
  { flushesNext, offset }: { readonly flushesNext: Offset; readonly offset: Offset },
  signal: AbortSignal,
): Promise<FlushOutcome> {
  const to = nextOffset(offset);
  const stretch = { topic: 'playhead.flushes', partition: ours.partition, from: flushesNext, to } as const;
  let chain = before;
  let wonAt: Offset | null = null;
  let invalid = 0;
  let readTo = flushesNext;
  for await (const read of readUpTo(deps.log, deps, stretch, { signal, holeWaitMs: deps.settings.holeWaitMs })) {
    readTo = nextOffset(read.offset);
    if (read.record === null || !extendsChain(chain, read.record)) {
      invalid++;
      continue;
    }
    chain = { end: read.record.lastOffset };
    wonAt = isSame(read.record, ours) ? read.offset : null;
  }
  if (readTo < to) throw new Error(`read up to ${readTo} only, the flush is at ${offset}`);
  return wonAt === null ? { kind: 'lost', invalid } : { kind: 'won', offset: wonAt, flushesNext: to, invalid };
}

function isSame(read: Flush, ours: Flush): boolean {
  return (
    read.writer === ours.writer &&
    read.createdAtMs === ours.createdAtMs &&
    read.prevLastOffset === ours.prevLastOffset &&
    read.firstOffset === ours.firstOffset &&
    read.lastOffset === ours.lastOffset &&
    read.objectKey === ours.objectKey
  );
}

function rejectedOf(
  { offset, windowId, uploadId, message }: SpoiledUpload,
  common: Pick<Rejected, 'projectId' | 'sessionId' | 'partition' | 'rejectedAtMs'>,
): Rejected {
  return { ...common, windowId, uploadId, offset, code: 'internal', message, framesKept: 0, byteOffset: 0, body: new Uint8Array() };
}
