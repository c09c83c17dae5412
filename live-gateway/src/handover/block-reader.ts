import type { BlockStore, ByteRange } from '@playhead/ports';
import type { BlockIndex, FrameEntry, Offset, PieceEntry, PositionedFrame } from '@playhead/schemas';
import { BlockFault, comparePositions, decodeFrameIndex, frameOfEntry, framePayload, inflatePiece } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import { isAboveFloor } from './core/floors.ts';
import type { Ask, BlockRef } from './core/handover.ts';

/** Pictures, or pieces, that lie closer than this are read as one range: a request costs more than the bytes between. */
const RANGE_HOLE_BYTES = 32 * 1024;

/**
 * Reads the wanted frames of one block in order of position, some at a time, by ranges of the object: never the object,
 * and of the block only the pieces and pictures that are wanted. Memory: one run of frames, the inflated pieces that are
 * not used up (whoever wrote the block decided how large they are), and the decoded frame index.
 *
 * Errors pass through: `PlayheadError` of the store, `BlockFault` and `BytesFault` for damaged bytes.
 */
export class BlockReader {
  readonly block: BlockRef;
  readonly through: Offset;
  readonly #blocks: BlockStore;
  readonly #index: BlockIndex;
  readonly #wanted: readonly FrameEntry[];
  readonly #runBytesMax: number;
  readonly #pieces = new Map<number, Uint8Array>();
  readonly #lastUse = new Map<number, number>();
  #at = 0;

  /** @param runBytesMax payload bytes of what `next` gives, unless one frame has more */
  constructor(blocks: BlockStore, ask: Extract<Ask, { kind: 'read-block' }>, runBytesMax: number) {
    const { block, after, through, floors } = ask;
    this.block = block;
    this.through = through;
    this.#blocks = blocks;
    this.#runBytesMax = runBytesMax;
    this.#index = decodeFrameIndex(block.frameIndex);
    this.#wanted = this.#index.frames.filter(
      (frame) => comparePositions(frame.position, after) > 0 && frame.position.offset <= through && isAboveFloor(floors, frame),
    );
    for (const [i, frame] of this.#wanted.entries()) if (frame.piece >= 0) this.#lastUse.set(frame.piece, i);
  }

  /** The next run of frames; null when there are no more. */
  async next(): Promise<readonly PositionedFrame[] | null> {
    const from = this.#at;
    let to = from;
    let bytes = 0;
    for (let frame = this.#wanted[to]; frame !== undefined && (bytes === 0 || bytes + frame.length <= this.#runBytesMax); ) {
      bytes += frame.length;
      frame = this.#wanted[++to];
    }
    if (to === from) return null;
    const run = this.#wanted.slice(from, to);
    await this.#readPieces(run);
    const pictures = await this.#readRanges(run.filter((frame) => frame.piece < 0));
    const frames = run.map((entry) =>
      frameOfEntry(entry, entry.piece < 0 ? pictures(entry) : framePayload(entry, this.#piece(entry.piece))),
    );
    this.#at = to;
    for (const number of this.#pieces.keys()) if ((this.#lastUse.get(number) ?? 0) < to) this.#pieces.delete(number);
    return frames;
  }

  #piece(number: number): Uint8Array {
    const known = this.#pieces.get(number);
    if (known === undefined) throw new BlockFault('piece', `there is no piece ${number}`);
    return known;
  }

  /** Inflates the pieces of a run that are not at hand. */
  async #readPieces(run: readonly FrameEntry[]): Promise<void> {
    const missing = new Map<number, PieceEntry>();
    for (const { piece: number } of run) {
      const piece = this.#index.pieces[number];
      if (piece !== undefined && !this.#pieces.has(number)) missing.set(number, piece);
    }
    const bytesOf = await this.#readRanges([...missing.values()]);
    for (const [number, piece] of missing) this.#pieces.set(number, inflatePiece(piece, bytesOf(piece), decompressPiece));
  }

  /** Reads places of the block, neighbours together. */
  async #readRanges(places: readonly ByteRange[]): Promise<(place: ByteRange) => Uint8Array> {
    const ranges: ByteRange[] = [];
    for (const { offset, length } of places.toSorted((a, b) => a.offset - b.offset)) {
      const last = ranges.at(-1);
      const end = last === undefined ? 0 : last.offset + last.length;
      if (last === undefined || offset > end + RANGE_HOLE_BYTES) ranges.push({ offset, length });
      else ranges[ranges.length - 1] = { offset: last.offset, length: Math.max(end, offset + length) - last.offset };
    }
    const read: { readonly range: ByteRange; readonly bytes: Uint8Array }[] = [];
    for (const range of ranges) read.push({ range, bytes: await this.#read(range.offset, range.length) });
    return ({ offset, length }) => {
      const source = read.find(({ range }) => range.offset <= offset && offset + length <= range.offset + range.length);
      if (source === undefined) throw new BlockFault('length', 'a place of the block was not read');
      return source.bytes.subarray(offset - source.range.offset, offset - source.range.offset + length);
    };
  }

  /** @throws {BlockFault} for a range outside of the block: its neighbours in the object are other sessions */
  async #read(offset: number, length: number): Promise<Uint8Array> {
    const { objectKey, blockOffset, blockLength } = this.block;
    if (offset + length > blockLength) throw new BlockFault('length', 'the index points behind the end of the block');
    if (length === 0) return new Uint8Array();
    return this.#blocks.get(objectKey, { offset: blockOffset + offset, length });
  }
}
