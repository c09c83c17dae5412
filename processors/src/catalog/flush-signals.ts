import { setImmediate } from 'node:timers/promises';
import type { BlockStore, SignalRow } from '@playhead/ports';
import type { Flush, FlushBlock } from '@playhead/schemas';
import { BlockFault, BytesFault, decodeBlock, PlayheadError } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import { signalsCounted } from '../compactor/core/session-summary.ts';
import { parseSignal } from '../core/parse-signal.ts';
import type { Runtime } from '../runtime/retry.ts';
import { errorFields } from '../runtime/retry.ts';

/** Up to here an object is fetched whole: one request for all of its sessions. */
const WHOLE_OBJECT_BYTES_MAX = 8 * 1024 * 1024;

/** Ranges of one larger object that are fetched at the same time. */
const RANGES_AT_ONCE = 4;

/**
 * The signals of all blocks of a flush, in the order of its blocks and of positions. Blocks whose counts know no signal are
 * not fetched. A block that is gone (its session was deleted) or damaged has no signals: that is logged and holds up nobody.
 *
 * @throws {PlayheadError} what else the block store throws
 */
export async function signalsOfFlush(blocks: BlockStore, flush: Flush, { logger }: Pick<Runtime, 'logger'>): Promise<SignalRow[]> {
  const wanted = flush.blocks.filter((block) => block.blockLength > 0 && signalsCounted(block.counts) > 0);
  if (wanted.length === 0) return [];
  const fetch = await fetcherOf(blocks, flush, wanted.length);
  const rows: SignalRow[] = [];
  for (let at = 0; at < wanted.length; at += RANGES_AT_ONCE) {
    const some = wanted.slice(at, at + RANGES_AT_ONCE);
    const found = await Promise.all(
      some.map(async (block) => {
        try {
          return signalsOfBlock(block, await fetch(block));
        } catch (error) {
          if (!isLost(error)) throw error;
          const { objectKey, partition } = flush;
          logger.error({ ...errorFields(error), partition, objectKey, sessionId: block.sessionId }, 'a block has no signals to give');
          return [];
        }
      }),
    );
    for (const one of found) rows.push(...one);
    await setImmediate();
  }
  return rows;
}

type Fetch = (block: FlushBlock) => Promise<Uint8Array>;

async function fetcherOf(blocks: BlockStore, { objectKey, objectBytes }: Flush, wanted: number): Promise<Fetch> {
  const range: Fetch = ({ blockOffset, blockLength }) => blocks.get(objectKey, { offset: blockOffset, length: blockLength });
  if (wanted === 1 || objectBytes > WHOLE_OBJECT_BYTES_MAX) return range;
  try {
    const object = await blocks.get(objectKey);
    return async ({ blockOffset, blockLength }) => object.subarray(blockOffset, blockOffset + blockLength);
  } catch (error) {
    if (isLost(error)) return range;
    throw error;
  }
}

function signalsOfBlock({ projectId, sessionId }: FlushBlock, bytes: Uint8Array): SignalRow[] {
  const rows: SignalRow[] = [];
  for (const { track, windowId, position, timestampMs, payload } of decodeBlock(bytes, decompressPiece)) {
    if (track === 'signal') rows.push({ projectId, sessionId, windowId, position, timestampMs, signal: parseSignal(payload) });
  }
  return rows;
}

/** True for what repeating does not cure: the bytes are gone or are not a block. */
function isLost(error: unknown): boolean {
  if (error instanceof PlayheadError) return error.code === 'not_found' || error.code === 'range_not_satisfiable';
  return error instanceof BlockFault || error instanceof BytesFault;
}
