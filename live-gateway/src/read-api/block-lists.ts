import type { SessionBlocks, StoredBlock } from '@playhead/ports';
import type { BlockIndex, FrameEntry, Position } from '@playhead/schemas';
import { comparePositions, decodeFrameIndex, partitionOf } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';

/** A frame and the block that holds it. */
export interface PlacedFrame {
  readonly block: StoredBlock;
  readonly index: BlockIndex;
  readonly entry: FrameEntry;
}

/** What a block is called in its session. A merged one is not called as one that it replaces: the bytes of an id never change. */
export function blockIdOf({ flushLastOffset, merged }: Pick<StoredBlock, 'flushLastOffset' | 'merged'>): string {
  return `${merged ? 'm' : ''}${flushLastOffset}`;
}

interface KnownList {
  readonly list: SessionBlocks;
  readonly bytes: number;
  readonly indexes: Map<StoredBlock, BlockIndex>;
}

/**
 * The block lists of sessions that are being read: a player asks for many frames of one session, and blocks do not change
 * once they are known. What is not found in a kept list is looked up anew. Bounded in bytes, the least used goes first.
 */
export class BlockLists {
  readonly #gateway: Gateway;
  readonly #known = new Map<string, KnownList>();
  #bytes = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** The list as the catalog has it now. */
  async fresh(projectId: string, sessionId: string): Promise<SessionBlocks> {
    const partition = partitionOf(sessionId, this.#gateway.log.partitions);
    const list = await this.#gateway.catalog.blocks(projectId, sessionId, partition);
    this.#keep(`${sessionId} ${projectId}`, list);
    return list;
  }

  /** The block with this id ({@link blockIdOf}), or undefined. */
  async block(projectId: string, sessionId: string, id: string): Promise<StoredBlock | undefined> {
    const find = (list: SessionBlocks): StoredBlock | undefined =>
      list.blocks.find((block) => blockIdOf(block) === id && block.blockLength > 0);
    return this.#find(projectId, sessionId, (known) => find(known.list));
  }

  /** The frame at a position, or undefined when no block has it. */
  async frame(projectId: string, sessionId: string, position: Position): Promise<PlacedFrame | undefined> {
    return this.#find(projectId, sessionId, (known) => {
      const block = known.list.blocks.find(
        ({ firstOffset, lastOffset, blockLength }) => blockLength > 0 && firstOffset <= position.offset && position.offset <= lastOffset,
      );
      if (block === undefined) return undefined;
      let index = known.indexes.get(block);
      if (index === undefined) {
        index = decodeFrameIndex(block.frameIndex);
        known.indexes.set(block, index);
      }
      const entry = entryAt(index.frames, position);
      return entry === undefined ? undefined : { block, index, entry };
    });
  }

  /** What was kept of a session may be outdated (its blocks were merged). */
  forget(projectId: string, sessionId: string): void {
    const key = `${sessionId} ${projectId}`;
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#bytes -= known.bytes;
  }

  async #find<T>(projectId: string, sessionId: string, find: (known: KnownList) => T | undefined): Promise<T | undefined> {
    const key = `${sessionId} ${projectId}`;
    const kept = this.#known.get(key);
    const found = kept === undefined ? undefined : find(kept);
    if (found !== undefined && kept !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, kept);
      return found;
    }
    const list = await this.fresh(projectId, sessionId);
    return find(this.#known.get(key) ?? { list, bytes: 0, indexes: new Map() });
  }

  #keep(key: string, list: SessionBlocks): void {
    const before = this.#known.get(key);
    if (before !== undefined) this.#bytes -= before.bytes;
    this.#known.delete(key);
    // A decoded index costs up to 65 times its encoded bytes.
    const bytes = list.blocks.reduce((sum, block) => sum + 512 + block.marks.length + block.frameIndex.length * 66, 0);
    if (bytes > this.#gateway.settings.blockListBytesMax) return;
    this.#known.set(key, { list, bytes, indexes: new Map() });
    this.#bytes += bytes;
    for (const [oldest, known] of this.#known) {
      if (this.#bytes <= this.#gateway.settings.blockListBytesMax) break;
      this.#known.delete(oldest);
      this.#bytes -= known.bytes;
    }
  }
}

function entryAt(frames: readonly FrameEntry[], position: Position): FrameEntry | undefined {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const frame = frames[middle];
    if (frame !== undefined && comparePositions(frame.position, position) < 0) low = middle + 1;
    else high = middle;
  }
  const found = frames[low];
  return found !== undefined && comparePositions(found.position, position) === 0 ? found : undefined;
}
