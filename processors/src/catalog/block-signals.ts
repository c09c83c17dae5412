import { setImmediate } from 'node:timers/promises';
import type { BlockStore, SignalRow } from '@playhead/ports';
import { isLost } from '@playhead/ports';
import type { Flush, FlushBlock, FrameEntry, PieceEntry, PositionedFrame } from '@playhead/schemas';
import {
  BytesFault,
  decodeFrameIndex,
  decodeWholeBlockIndex,
  frameOfEntry,
  framePayload,
  framesOfBlock,
  inflatePiece,
  PlayheadError,
} from '@playhead/schemas';
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
          const decode = await fetch(block);
          isFetched = true;
          return decode().map((frame) => rowOf(block, frame));
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

/** Reads of a block what is needed, and answers what decodes its signals. */
type Fetch = (block: FlushBlock) => Promise<() => PositionedFrame[]>;

async function fetcherOf(blocks: BlockStore, { objectKey, objectBytes }: WithBlocks, wanted: number): Promise<Fetch> {
  const range: Fetch = async (block) => {
    const { blockOffset, blockLength } = block;
    const get = (offset: number, length: number): Promise<Uint8Array> => blocks.get(objectKey, { offset: blockOffset + offset, length });
    if (blockLength > WHOLE_BYTES_MAX) return fetchPieces(block, get);
    const bytes = await get(0, blockLength);
    return () => signalsOfBlock(bytes);
  };
  if (wanted === 1 || objectBytes > WHOLE_BYTES_MAX) return range;
  try {
    const object = await blocks.get(objectKey);
    return async ({ blockOffset, blockLength }) =>
      () =>
        signalsOfBlock(object.subarray(blockOffset, blockOffset + blockLength));
  } catch (error) {
    if (isLost(error)) return range;
    throw error;
  }
}

/**
 * Fetches only the pieces with signals: an hour of pictures is not read for a few clicks.
 *
 * @throws {BytesFault} for a damaged frame index
 */
async function fetchPieces(
  { blockLength, frameIndex }: FlushBlock,
  get: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<() => PositionedFrame[]> {
  const { pieces, frames } = decodeFrameIndex(frameIndex);
  const signals = frames.filter(isSignal);
  const fetched = new Map<number, { readonly piece: PieceEntry; readonly compressed: Uint8Array }>();
  for (const number of new Set(signals.map((entry) => entry.piece))) {
    const piece = pieces[number];
    // Behind the block are other sessions.
    if (piece === undefined || piece.offset + piece.length > blockLength) throw new BytesFault(`piece ${number} is not in the block`, 0);
    fetched.set(number, { piece, compressed: await get(piece.offset, piece.length) });
  }
  return () => {
    const inflated = new Map(
      [...fetched].map(([number, { piece, compressed }]) => [number, inflatePiece(piece, compressed, decompressPiece)]),
    );
    return signals.map((entry) => frameOfEntry(entry, framePayload(entry, inflated.get(entry.piece) ?? new Uint8Array())));
  };
}

/** Of the block only the pieces with signals are inflated: its DOM may be a hundred times as large. */
function signalsOfBlock(bytes: Uint8Array): PositionedFrame[] {
  const index = decodeWholeBlockIndex(bytes);
  return framesOfBlock(index, bytes, index.frames.filter(isSignal), decompressPiece);
}

function isSignal({ track }: FrameEntry): boolean {
  return track === 'signal';
}

function rowOf({ projectId, sessionId }: FlushBlock, { windowId, position, timestampMs, payload }: PositionedFrame): SignalRow {
  return { projectId, sessionId, windowId, position, timestampMs, signal: parseSignal(payload) };
}

function isGoneObject(error: unknown): boolean {
  return error instanceof PlayheadError && error.code === 'not_found';
}
