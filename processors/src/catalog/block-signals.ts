import { setImmediate } from 'node:timers/promises';
import type { BlockStore, SignalRow } from '@playhead/ports';
import { isLost } from '@playhead/ports';
import type { BlockIndex, Flush, FlushBlock } from '@playhead/schemas';
import { BytesFault, decodeFrameIndex, decodeWholeBlockIndex, framesOfBlock, PlayheadError } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import { signalsCounted } from '../compactor/core/session-summary.ts';
import { parseSignal } from '../core/parse-signal.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields } from '../runtime/retry.ts';

/** Up to here an object is fetched whole, one request for all of its sessions, or else a block, whose checksum then counts. */
const WHOLE_BYTES_MAX = 8 * 1024 * 1024;

/** Ranges of one larger object that are fetched at the same time. */
const RANGES_AT_ONCE = 4;

/** An object and what it holds: a flush or a merge. */
export type WithBlocks = Pick<Flush, 'partition' | 'objectKey' | 'objectBytes'> & { readonly blocks: readonly FlushBlock[] };

export interface FoundSignals {
  /** In the order of the blocks and of positions. */
  readonly rows: readonly SignalRow[];
  /** There is no such object. */
  readonly isGone: boolean;
}

/**
 * The signals of all blocks of a flush or a merge. Blocks whose counts know no signal are not fetched. A block that is
 * damaged, or that the decoder breaks on, has no signals: that is logged and holds up nobody. Of an object that is gone nothing
 * is logged here.
 *
 * @throws {PlayheadError} what else the block store throws
 */
export async function signalsOf(blocks: BlockStore, record: WithBlocks, { logger }: Pick<Runtime, 'logger'>): Promise<FoundSignals> {
  const wanted = record.blocks.filter((block) => block.blockLength > 0 && signalsCounted(block.counts) > 0);
  if (wanted.length === 0) return { rows: [], isGone: false };
  const fetch = await fetcherOf(blocks, record, wanted.length);
  const rows: SignalRow[] = [];
  let isGone = false;
  for (let at = 0; at < wanted.length; at += RANGES_AT_ONCE) {
    const some = wanted.slice(at, at + RANGES_AT_ONCE);
    const found = await Promise.all(
      some.map(async (block) => {
        let isFetched = false;
        try {
          const read = await fetch(block);
          isFetched = true;
          return signalsOfBlock(block, read);
        } catch (error) {
          if (!isFetched && !isLost(error) && !(error instanceof BytesFault)) throw error;
          if (isGoneObject(error)) {
            isGone = true;
            return [];
          }
          const { objectKey, partition } = record;
          logger.error({ ...errorFields(error), partition, objectKey, sessionId: block.sessionId }, 'a block has no signals to give');
          return [];
        }
      }),
    );
    if (isGone) return { rows, isGone };
    for (const one of found) rows.push(...one);
    await setImmediate();
  }
  return { rows, isGone };
}

/** A block, or what of it holds its signals. */
interface ReadBlock {
  /** From the beginning of the block. */
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
}

type Fetch = (block: FlushBlock) => Promise<ReadBlock>;

async function fetcherOf(blocks: BlockStore, { objectKey, objectBytes }: WithBlocks, wanted: number): Promise<Fetch> {
  const range: Fetch = async ({ blockOffset, blockLength, frameIndex }) => {
    const isWhole = blockLength <= WHOLE_BYTES_MAX;
    // Behind the block are other sessions.
    const length = isWhole ? blockLength : Math.min(blockLength, endOfSignals(decodeFrameIndex(frameIndex)));
    return { bytes: await blocks.get(objectKey, { offset: blockOffset, length }), isWhole };
  };
  if (wanted === 1 || objectBytes > WHOLE_BYTES_MAX) return range;
  try {
    const object = await blocks.get(objectKey);
    return async ({ blockOffset, blockLength }) => ({ bytes: object.subarray(blockOffset, blockOffset + blockLength), isWhole: true });
  } catch (error) {
    if (isLost(error)) return range;
    throw error;
  }
}

/** Where in the block the last piece with a signal ends. Pictures lie behind all pieces: an hour of them is not read for a few clicks. */
function endOfSignals({ pieces, frames }: BlockIndex): number {
  let end = 0;
  for (const { track, piece: number } of frames) {
    const piece = track === 'signal' ? pieces[number] : undefined;
    if (piece !== undefined) end = Math.max(end, piece.offset + piece.length);
  }
  return end;
}

/** Of the block only the pieces with signals are inflated: its DOM may be a hundred times as large. */
function signalsOfBlock({ projectId, sessionId, frameIndex }: FlushBlock, { bytes, isWhole }: ReadBlock): SignalRow[] {
  const index = isWhole ? decodeWholeBlockIndex(bytes) : decodeFrameIndex(frameIndex);
  const signals = index.frames.filter(({ track }) => track === 'signal');
  return framesOfBlock(index, bytes, signals, decompressPiece).map(({ windowId, position, timestampMs, payload }) => ({
    projectId,
    sessionId,
    windowId,
    position,
    timestampMs,
    signal: parseSignal(payload),
  }));
}

function isGoneObject(error: unknown): boolean {
  return error instanceof PlayheadError && error.code === 'not_found';
}
