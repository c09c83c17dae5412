import { BytesFault } from './bytes.ts';
import type { Checksum } from './crc32.ts';
import { crc32 } from './crc32.ts';
import type { BlockIndex, FrameEntry, PieceEntry } from './formats/frame-index.ts';
import { BLOCK_HEADER_BYTES, decodeFrameIndex, FrameIndexWriter, frameKind } from './formats/frame-index.ts';
import type { Outline } from './formats/outline.ts';
import { stamped, stampedLength, unstamped } from './formats/stamp.ts';
import type { PositionedFrame, Track } from './frame.ts';
import { flagsOf } from './frame.ts';
import type { Offset } from './ids.ts';
import type { ImageSize } from './image-info.ts';
import { imageSize } from './image-info.ts';

/**
 * A block: the frames of one session in one flush, or in a stretch of flushes that were merged; decodable alone.
 *
 *     bytes v1 (big-endian):
 *     ┌───────┬────────┬──────────────────┬─────────────┬───────────────┬───────────────┬───────────────────────────┐
 *     │ "PHB" │ u8 = 1 │ u32 index length │ frame index │ pieces        │ pictures      │ u32 CRC-32 of all before  │
 *     └───────┴────────┴──────────────────┴─────────────┴───────────────┴───────────────┴───────────────────────────┘
 *
 * - frame index: `formats/frame-index.ts`; the same bytes are in the flush record.
 * - pieces: one behind the other. A piece is a body as it came (gzip; its frames are of one window), or text frames of one window and
 *   one track in order of position, compressed. There a DOM keyframe begins a piece (the first part of one does), and a piece ends
 *   before it passes a size (one larger frame has a piece alone): PIECE_RAW_BYTES in a flush, MERGED_PIECE_RAW_BYTES in a merge,
 *   which keeps no bodies. Most events are stamped (`formats/stamp.ts`). A merge puts pictures into pieces as well:
 *   PICTURE_PIECE_RAW_BYTES.
 * - First bytes tell how a piece is compressed: gzip 1f 8b, zstd 28 b5 2f fd (in a flush, and pictures), else brotli (text in a merge), whose window
 *   is 2^20, so that it never begins like the others. Merges wrote zstd before version 4 of the frame index.
 * - pictures: those of a flush, as they came, one behind the other. Byte-identical ones lie in a block once.
 *
 * So one picture is one range of the block or of a small piece, and the way from a keyframe is a run of whole pieces.
 */
const MAGIC = Uint8Array.of(0x50, 0x48, 0x42, 1);
const CHECKSUM_BYTES = 4;

/** Where a piece is cut, before compression. Larger ones gain little (zstd's window at level 3 is of this order) and cost a seek more. */
export const PIECE_RAW_BYTES = 256 * 1024;

/** The same of a merged block: docs/decisions/0008-merged-pieces.md. */
export const MERGED_PIECE_RAW_BYTES = 1024 * 1024;

/** Where a piece of pictures is cut in a merged block: docs/decisions/0016-pieces-of-pictures.md. */
export const PICTURE_PIECE_RAW_BYTES = 256 * 1024;

const NO_SIZE: ImageSize = { width: 0, height: 0 };

/** The pictures that another one may be like: the last so many. Who reads pieces keeps those that hold them. */
const TWINS_MAX = 64;

/** Compresses one piece, so that its first bytes tell how. A zstd frame tells its content size (the one-shot functions of every library write such). */
export type Compress = (raw: Uint8Array) => Uint8Array;

/** Inflates one piece, as its first bytes tell. `rawLength`: the bytes that come out; an implementation must not allocate much more for a lie. */
export type Decompress = (compressed: Uint8Array, rawLength: number) => Uint8Array;

/** What is wrong with a block, and where. */
export class BlockFault extends Error {
  override readonly name = 'BlockFault';
  readonly code: 'magic' | 'version' | 'length' | 'checksum' | 'index' | 'piece';

  constructor(code: BlockFault['code'], message: string, options?: { cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A block before its parts are put together. */
export interface BlockParts {
  /** One behind the other they are the block. Pictures are the payloads that came, not copies. */
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly frameIndex: Uint8Array;
}

/** A native body, to be kept as it came: it has no picture. */
export interface MovableBody {
  readonly compressed: Uint8Array;
  readonly outline: Outline;
}

/** What a block has of an upload. */
export interface BlockUpload {
  readonly offset: Offset;
  readonly windowId: string;
  /** None where there is a body. */
  readonly frames: readonly PositionedFrame[];
  readonly body: MovableBody | null;
}

/** The frames laid out as a block, put together. */
export function encodeBlock(frames: readonly PositionedFrame[], compress: Compress): { bytes: Uint8Array; frameIndex: Uint8Array } {
  const cut = cutBlock(frames, PIECE_RAW_BYTES);
  const { parts, length, frameIndex } = layOutBlock(cut, compressedPieces(cut, compress), crc32);
  return { bytes: joinBytes(parts, length), frameIndex };
}

/**
 * Lays the uploads of one session out as a block.
 *
 * @param uploads in ascending order of offset
 * @throws {RangeError} for frames out of order
 */
export function blockParts(uploads: readonly BlockUpload[], compress: Compress, checksum: Checksum): BlockParts {
  const cutter = new BlockCutter(PIECE_RAW_BYTES);
  for (const { offset, windowId, frames, body } of uploads) {
    if (body !== null) cutter.takeBody(offset, windowId, body);
    for (const frame of frames) cutter.take(frame);
  }
  const cut = cutter.cut();
  return layOutBlock(cut, compressedPieces(cut, compress), checksum);
}

/** A block whose pieces are still to be compressed. */
export interface CutBlock {
  readonly pieces: readonly RawPiece[];
  /** One behind the other, as they lie behind the pieces. */
  readonly pictures: readonly Uint8Array[];
  readonly index: FrameIndexWriter;
}

/** A piece before compression. */
export interface RawPiece {
  readonly payloads: readonly Uint8Array[];
  readonly rawLength: number;
  readonly pictures: boolean;
  /** Its bytes, where it is a body: they are not compressed again. */
  readonly moved?: Uint8Array | undefined;
}

/** The bytes of a piece: a copy, but where it holds a single frame. */
export function rawBytesOf({ payloads, rawLength }: RawPiece): Uint8Array {
  return joinBytes(payloads, rawLength);
}

function compressedPieces({ pieces }: CutBlock, compress: Compress): Uint8Array[] {
  return pieces.map((piece) => piece.moved ?? compress(rawBytesOf(piece)));
}

/**
 * The first step of a block: which frame goes to which piece. Compression is the caller's, wherever it happens;
 * {@link layOutBlock} is the second step.
 *
 * @param frames in ascending order of position
 * @param pieceRawBytes where a piece is cut. Bounds: 1 .. LIMITS.frameBytesMax
 * @param picturePieceRawBytes the same for pictures; 0: they lie as they came, each alone
 * @throws {RangeError} for frames out of order
 */
export function cutBlock(frames: readonly PositionedFrame[], pieceRawBytes: number, picturePieceRawBytes = 0): CutBlock {
  const cutter = new BlockCutter(pieceRawBytes, picturePieceRawBytes);
  for (const frame of frames) cutter.take(frame);
  return cutter.cut();
}

/** The same of a merged block. */
export function cutMergedBlock(frames: readonly PositionedFrame[]): CutBlock {
  return cutBlock(frames, MERGED_PIECE_RAW_BYTES, PICTURE_PIECE_RAW_BYTES);
}

interface OpenPiece {
  readonly number: number;
  readonly payloads: Uint8Array[];
  rawLength: number;
  readonly pictures: boolean;
}

/** A picture whose bytes are its own. */
interface OwnPicture {
  readonly payload: Uint8Array;
  readonly sample: number;
  /** The how many-th picture it is. */
  readonly number: number;
  readonly piece: number;
}

/** Takes frames, and bodies, in order of position. */
class BlockCutter {
  readonly #pieceRawBytes: number;
  readonly #picturePieceRawBytes: number;
  readonly #index = new FrameIndexWriter();
  readonly #pieces: RawPiece[] = [];
  readonly #alone: Uint8Array[] = [];
  /** By track and window: the last piece. */
  readonly #open = new Map<string, OpenPiece>();
  /** The last TWINS_MAX at most. */
  readonly #own: OwnPicture[] = [];
  #pictures = 0;

  constructor(pieceRawBytes: number, picturePieceRawBytes = 0) {
    this.#pieceRawBytes = pieceRawBytes;
    this.#picturePieceRawBytes = picturePieceRawBytes;
  }

  takeBody(offset: Offset, windowId: string, { compressed, outline }: MovableBody): void {
    const piece = this.#pieces.push({ payloads: [], rawLength: outline.rawLength, pictures: false, moved: compressed }) - 1;
    this.#index.body(offset, this.#index.window(windowId), outline, piece);
  }

  take(frame: PositionedFrame): void {
    const { position, track, payload, timestampMs, windowId, keyframe } = frame;
    const window = this.#index.window(windowId);
    const flags = flagsOf(frame);
    if (track === 'image') {
      const { width, height } = imageSize(payload) ?? NO_SIZE;
      const picture = { ...this.#placePicture(windowId, payload), length: payload.length, width, height };
      this.#index.picture(position.offset, position.index, window, frameKind(flags, track), timestampMs, picture);
      return;
    }
    const left = stamped(payload, timestampMs);
    const piece = this.#placeInPiece(track, windowId, left ?? payload, this.#pieceRawBytes, track === 'dom' && keyframe);
    const kind = frameKind(flags, track, left !== null);
    this.#index.text(position.offset, position.index, window, kind, timestampMs, payload.length, piece);
  }

  cut(): CutBlock {
    return { pieces: this.#pieces, pictures: this.#alone, index: this.#index };
  }

  /** The number of the piece that the bytes go to. */
  #placeInPiece(track: Track, windowId: string, held: Uint8Array, rawBytesMax: number, begins: boolean): number {
    const run = `${track} ${windowId}`;
    let piece = this.#open.get(run);
    if (piece === undefined || begins || piece.rawLength + held.length > rawBytesMax) {
      piece = { number: this.#pieces.length, payloads: [], rawLength: 0, pictures: track === 'image' };
      this.#pieces.push(piece);
      this.#open.set(run, piece);
    }
    piece.payloads.push(held);
    piece.rawLength += held.length;
    return piece.number;
  }

  /** With an earlier one that is like it, or alone, or in a piece. */
  #placePicture(windowId: string, payload: Uint8Array): { readonly piece: number; readonly twin: number } {
    const number = this.#pictures++;
    const sample = sampleOf(payload);
    const like = this.#own.find((own) => own.sample === sample && equalBytes(own.payload, payload));
    if (like) return { piece: like.piece, twin: number - like.number };
    let piece = -1;
    if (this.#picturePieceRawBytes > 0) piece = this.#placeInPiece('image', windowId, payload, this.#picturePieceRawBytes, false);
    else this.#alone.push(payload);
    this.#own.push({ payload, sample, number, piece });
    if (this.#own.length > TWINS_MAX) this.#own.shift();
    return { piece, twin: 0 };
  }
}

/**
 * The second step of a block: frame index, compressed pieces, pictures and checksum.
 *
 * @param compressed the bytes of each piece, by number
 * @throws {RangeError} for another number of pieces
 */
export function layOutBlock({ pieces, pictures, index }: CutBlock, compressed: readonly Uint8Array[], checksum: Checksum): BlockParts {
  if (compressed.length !== pieces.length) throw new RangeError(`${compressed.length} of ${pieces.length} pieces`);
  const frameIndex = index.bytes(
    pieces.map(({ rawLength, moved }, number) => ({ length: compressed[number]?.length ?? 0, rawLength, body: moved !== undefined })),
  );
  const header = new Uint8Array(BLOCK_HEADER_BYTES + CHECKSUM_BYTES);
  header.set(MAGIC);
  const view = new DataView(header.buffer);
  view.setUint32(4, frameIndex.length);
  const parts = [header.subarray(0, BLOCK_HEADER_BYTES), frameIndex, ...compressed, ...pictures];
  let length = 0;
  let sum = 0;
  for (const part of parts) {
    length += part.length;
    sum = checksum(part, sum);
  }
  view.setUint32(BLOCK_HEADER_BYTES, sum);
  parts.push(header.subarray(BLOCK_HEADER_BYTES));
  return { parts, length: length + CHECKSUM_BYTES, frameIndex };
}

/**
 * All frames of a block, in order of position. Magic, version, checksum and every length are verified. Payloads are views
 * into the block and its inflated pieces. Memory: what its pieces inflate to, LIMITS.blockInflatedBytesMax at most.
 *
 * @throws {BlockFault} for anything but the whole bytes of a block
 */
export function decodeBlock(bytes: Uint8Array, decompress: Decompress): PositionedFrame[] {
  const index = decodeWholeBlockIndex(bytes);
  return framesOfBlock(index, bytes, index.frames, decompress);
}

/**
 * The frame index of a whole block, whose length and checksum are verified: for who needs some of its frames.
 *
 * @throws {BlockFault} for anything but the whole bytes of a block
 */
export function decodeWholeBlockIndex(bytes: Uint8Array): BlockIndex {
  const index = decodeBlockIndex(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - CHECKSUM_BYTES;
  const dataEnd = endOfData(index, BLOCK_HEADER_BYTES + view.getUint32(4));
  if (dataEnd !== end) throw new BlockFault('length', `the index describes ${dataEnd} bytes, the block has ${end} before its checksum`);
  const checksum = crc32(bytes.subarray(0, end));
  if (view.getUint32(end) !== checksum) throw new BlockFault('checksum', 'the checksum does not match');
  return index;
}

/**
 * The frame index of a block, from the block's bytes or from a beginning of them that holds the index.
 * The checksum is not verified: it covers the whole block.
 *
 * @throws {BlockFault}
 */
export function decodeBlockIndex(bytes: Uint8Array): BlockIndex {
  if (bytes.length < BLOCK_HEADER_BYTES + CHECKSUM_BYTES) throw new BlockFault('length', `${bytes.length} bytes are no block`);
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1] || bytes[2] !== MAGIC[2]) throw new BlockFault('magic', 'does not begin with "PHB"');
  if (bytes[3] !== MAGIC[3]) throw new BlockFault('version', `block of version ${bytes[3]}`);
  const indexLength = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4);
  if (indexLength > bytes.length - BLOCK_HEADER_BYTES) throw new BlockFault('length', `a frame index of ${indexLength} bytes does not fit`);
  try {
    return decodeFrameIndex(bytes.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + indexLength));
  } catch (error) {
    if (!(error instanceof BytesFault)) throw error;
    throw new BlockFault('index', `frame index: ${error.message} (at byte ${error.at})`, { cause: error });
  }
}

/**
 * The frames of some entries of a block, inflating only the pieces that hold them, each once.
 *
 * @param index of the block: its own, or that of the flush record (they are the same bytes)
 * @param bytes the block; only the pieces and pictures of `entries` are read
 * @throws {BlockFault} `length`, `piece`
 */
export function framesOfBlock(
  index: BlockIndex,
  bytes: Uint8Array,
  entries: readonly FrameEntry[],
  decompress: Decompress,
): PositionedFrame[] {
  const inflated = new Map<number, Uint8Array>();
  return entries.map((entry) => {
    const number = entry.piece;
    let source = number < 0 ? bytes : inflated.get(number);
    if (source === undefined) {
      const piece = index.pieces[number];
      if (piece === undefined) throw new BlockFault('piece', `there is no piece ${number}`);
      if (piece.offset + piece.length > bytes.length) throw new BlockFault('length', `piece ${number} lies behind the end of the block`);
      source = inflatePiece(piece, bytes.subarray(piece.offset, piece.offset + piece.length), decompress);
      inflated.set(number, source);
    }
    return frameOfEntry(entry, framePayload(entry, source));
  });
}

/**
 * Inflates the bytes of one piece, which may have been read as a range.
 *
 * @throws {BlockFault} `piece` when they are damaged or not of the length that the index tells
 */
export function inflatePiece(piece: PieceEntry, compressed: Uint8Array, decompress: Decompress): Uint8Array {
  if (compressed.length !== piece.length) throw new BlockFault('piece', `a piece of ${piece.length} bytes, ${compressed.length} read`);
  let raw: Uint8Array;
  try {
    raw = decompress(compressed, piece.rawLength);
  } catch (error) {
    throw new BlockFault('piece', 'a piece cannot be inflated', { cause: error });
  }
  if (raw.length !== piece.rawLength) throw new BlockFault('piece', `a piece of ${piece.rawLength} bytes gave ${raw.length}`);
  return raw;
}

/**
 * One frame's payload: a view, but where it lies in its piece without its time.
 *
 * @param source the inflated piece that holds the frame; where it is in none (`piece` -1) the block
 * @throws {BlockFault} `length`; `piece` for a stamped frame without its mark
 */
export function framePayload(entry: FrameEntry, source: Uint8Array): Uint8Array {
  const { offset, length, timestampMs } = entry;
  const end = offset + (entry.stamped ? stampedLength(length, timestampMs) : length);
  if (end > source.length) throw new BlockFault('length', `a frame ends at byte ${end} of ${source.length}`);
  const held = source.subarray(offset, end);
  const payload = entry.stamped ? unstamped(held, timestampMs) : held;
  if (payload === null) throw new BlockFault('piece', 'a stamped frame has no mark');
  return payload;
}

/** The frame that an entry of the index describes. */
export function frameOfEntry(entry: FrameEntry, payload: Uint8Array): PositionedFrame {
  const { position, windowId, track, keyframe, timestampMs, part } = entry;
  return { position, windowId, track, keyframe, timestampMs, payload, ...(part && { part }) };
}

/** Bytes of a picture that its sample is of. */
const SAMPLED = 64;

/** A hash (FNV-1a) of bytes at even distances: what differs there need not be compared, and nothing is read as a whole to find that out. */
function sampleOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < SAMPLED; i++) hash = Math.imul(hash ^ (bytes[Math.floor((i * bytes.length) / SAMPLED)] ?? 0), 0x01000193);
  return hash;
}

function endOfData(index: BlockIndex, begin: number): number {
  let end = begin;
  for (const piece of index.pieces) end = piece.offset + piece.length;
  for (const frame of index.frames) if (frame.piece < 0) end = Math.max(end, frame.offset + frame.length);
  return end;
}

/**
 * Bytes one behind the other: a copy, but where there is a single part.
 *
 * @param length of all parts together
 */
export function joinBytes(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
