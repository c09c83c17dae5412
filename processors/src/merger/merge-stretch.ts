import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { BlockStore } from '@playhead/ports';
import { isLost } from '@playhead/ports';
import type { PositionedFrame, RawPiece } from '@playhead/schemas';
import { BLOCK_HEADER_BYTES, BlockFault, cutMergedBlock, decodeBlock, layOutBlock } from '@playhead/schemas';
import { compressPieceWell, decompressPiece } from '@playhead/uploads';
import type { Runtime } from '../runtime/retry.ts';
import { orGivenUp, untilDone } from '../runtime/retry.ts';
import type { ProcessorSettings } from '../settings.ts';
import type { StretchSummary } from './core/stretch-summary.ts';
import { summariseStretch } from './core/stretch-summary.ts';
import type { KnownBlock, Stretch } from './core/stretches.ts';

/** Blocks that are fetched at the same time. */
const FETCHES_AT_ONCE = 4;

export interface MergeStretchDeps extends Runtime {
  readonly blocks: BlockStore;
  readonly settings: ProcessorSettings;
  /** Compresses one piece, elsewhere than here. Default: `compressPieceWell` of uploads. */
  readonly compress?: (piece: RawPiece) => Promise<Uint8Array>;
}

/** A merged block before it has its place in an object. */
export interface BuiltBlock {
  readonly summary: StretchSummary;
  /** One behind the other they are the block. Empty when none of the stretch had a frame. */
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly frameIndex: Uint8Array;
}

/**
 * Lays the blocks of a stretch out anew as one. Others get their turn between blocks and pieces; pieces are compressed on other
 * threads, one at a time. While the store does not answer it is waited for.
 *
 * @throws {GivenUp} when the signal aborts
 * @throws {PlayheadError} `not_found`, `range_not_satisfiable` for a block that is gone; {BlockFault | BytesFault} for one that is damaged
 */
export async function mergeStretch(deps: MergeStretchDeps, stretch: Stretch, signal: AbortSignal): Promise<BuiltBlock> {
  const { compress = compressPieceWell } = deps;
  const summary = summariseStretch(stretch);
  const frames: PositionedFrame[] = [];
  const stored = stretch.filter(({ blockLength }) => blockLength > 0);
  for (let at = 0; at < stored.length; at += FETCHES_AT_ONCE) {
    const some = stored.slice(at, at + FETCHES_AT_ONCE);
    const fetched = await Promise.all(some.map((block) => fetchBlock(deps, block, signal)));
    for (const [i, block] of some.entries()) {
      await orGivenUp(setImmediate(), signal);
      for (const frame of framesOf(block, fetched[i] ?? new Uint8Array())) frames.push(frame);
    }
  }
  if (frames.length === 0) return { summary, parts: [], length: 0, frameIndex: new Uint8Array() };
  const cut = cutMergedBlock(frames);
  const compressed: Uint8Array[] = [];
  for (const piece of cut.pieces) compressed.push(await orGivenUp(compress(piece), signal));
  return { summary, ...layOutBlock(cut, compressed, crc32) };
}

function fetchBlock(deps: MergeStretchDeps, block: KnownBlock, signal: AbortSignal): Promise<Uint8Array> {
  const { objectKey, blockOffset, blockLength } = block;
  const get = (): Promise<Uint8Array> => deps.blocks.get(objectKey, { offset: blockOffset, length: blockLength });
  return untilDone(deps, `read a block of ${objectKey}`, get, { ...deps.settings, signal, isFinal: isLost });
}

/** @throws {BlockFault} also for a whole block that is not the one that the catalog means */
function framesOf(block: KnownBlock, bytes: Uint8Array): PositionedFrame[] {
  const frames = decodeBlock(bytes, decompressPiece);
  const index = bytes.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + block.frameIndex.length);
  if (Buffer.compare(index, block.frameIndex) !== 0) throw new BlockFault('index', 'the block has another frame index than its flush');
  return frames;
}
