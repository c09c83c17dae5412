import { ByteReader, BytesFault, ByteWriter } from '../bytes.ts';
import type { FramePart, Track } from '../frame.ts';
import { flagsOf, readFlags, TRACK_CODE, trackOf } from '../frame.ts';
import type { Offset } from '../ids.ts';
import { NO_OFFSET, toOffset } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { Position } from '../position.ts';
import { comparePositions } from '../position.ts';
import { FRAME_HEADER_BYTES, FRAMES_HEADER_BYTES } from './frames.ts';

/**
 * The frame index: where each frame of a block is, small enough for a catalog row.
 *
 * Kept in the block and, byte for byte the same, in the flush record and the catalog.
 *
 *     bytes (u = unsigned LEB128 varint, z = zigzag varint; a column is one number per frame, in order of position):
 *     ┌────────┬──────────────┬──────────────┬──────────────┐
 *     │ u8 ver │ u windows    │ u pieces     │ u frames     │
 *     ├────────┴──────────────┴──────────────┴──────────────┴──────────────────────────────────────────────────┐
 *     │ per window:  u length, UTF-8 id                                                                         │
 *     │ per piece:   u length, u rawLength (v3: u rawLength × 2 + body)                                         │
 *     ├─────────────────────────────────────────────────────────────────────────────────────────────────────────┤
 *     │ column 1:    u offset - offset of the frame before (the first: offset + 1)                              │
 *     │ column 2:    u index, where column 1 is not 0; else index - index of the frame before - 1               │
 *     │ column 3:    v1: u window number × 16 + track code × 2 + keyframe                                       │
 *     │              v2, v3: u window number × 2048 + flags × 8 + track code                                    │
 *     │ column 4:    z timestampMs - that of the frame before (the first: timestampMs)                          │
 *     │ column 5:    u length                                                                                   │
 *     │ column 6:    text frames: u piece number                                                                │
 *     │              pictures:    z place - end of the picture before (the first: 0)                            │
 *     │                           z width - that of the picture before, z height likewise                       │
 *     └─────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Version 3 is written where a piece is a body, version 2 where a frame is a part (flags as in `flagsOf`), version 1 for all
 * else: so what can be read by readers of before is read by them.
 *
 * Places are not stored but follow: the block's data begins right behind the index (at BLOCK_HEADER_BYTES + the index's own
 * bytes); there lie the pieces in their order without holes, then the pictures. In a piece lie its frames in order of
 * position without holes; in one that is a body (`frames.ts`) each behind its header, and the first of them behind the body's.
 * A picture whose bytes were there before points back to them.
 */
export interface BlockIndex {
  readonly windows: readonly string[];
  readonly pieces: readonly PieceEntry[];
  /** In order of position. */
  readonly frames: readonly FrameEntry[];
}

/** A compressed run of text frames of one window that is decoded alone. */
export interface PieceEntry {
  /** Place of the compressed bytes in the block. */
  readonly offset: number;
  readonly length: number;
  /** Bytes after decompression. */
  readonly rawLength: number;
  /** True: it is a native body (`frames.ts`) as it came. False: payloads of one track, one behind the other. */
  readonly body: boolean;
}

export interface FrameEntry {
  readonly position: Position;
  readonly windowId: string;
  readonly track: Track;
  readonly keyframe: boolean;
  readonly timestampMs: number;
  /** Absent: the frame is whole. */
  readonly part?: FramePart | undefined;
  /** Index of the piece that holds the frame; -1 for pictures, which lie uncompressed in the block. */
  readonly piece: number;
  /** Place of the payload: in the inflated piece, or in the block when `piece` is -1. */
  readonly offset: number;
  /** Bytes of the payload. */
  readonly length: number;
  /** Picture size in px, 0 when not an image or not readable. */
  readonly width: number;
  readonly height: number;
}

/** What lies in a block before its frame index: magic, version, index length. */
export const BLOCK_HEADER_BYTES = 8;

/** Of an index without parts, of one with, and of one with bodies. */
const VERSION_WHOLE = 1;
const VERSION_PARTS = 2;
const VERSION_BODIES = 3;
/** Fewest bytes of a frame (six columns) and of a piece (two numbers): bounds what a count may claim. */
const FRAME_BYTES_MIN = 6;
const PIECE_BYTES_MIN = 2;

/**
 * The bytes drawn above.
 *
 * Only distances are stored, so `index` may count its places in the block from any base; the decoder gives them from the
 * block's beginning.
 *
 * @throws {RangeError} for an index that is not laid out as drawn (pieces or text frames with holes, frames out of order)
 */
export function encodeFrameIndex(index: BlockIndex): Uint8Array<ArrayBuffer> {
  const { windows, pieces, frames } = index;
  const windowNumber = new Map(windows.map((windowId, number) => [windowId, number]));
  const writer = new ByteWriter(64 + windows.length * 40 + pieces.length * 6 + frames.length * 12);
  const version = versionFor(index);
  writer.u8(version);
  writer.varint(windows.length);
  writer.varint(pieces.length);
  writer.varint(frames.length);
  for (const windowId of windows) writer.text(windowId);
  let pieceEnd = pieces[0]?.offset ?? 0;
  let inflatedBytes = 0;
  for (const piece of pieces) {
    assertLayout(piece.offset === pieceEnd, 'pieces lie one behind the other');
    writer.varint(piece.length);
    assertLayout(piece.rawLength <= LIMITS.frameBytesMax, 'a piece is within LIMITS.frameBytesMax');
    writer.varint(version === VERSION_BODIES ? piece.rawLength * 2 + Number(piece.body) : piece.rawLength);
    inflatedBytes += piece.rawLength;
    assertLayout(inflatedBytes <= LIMITS.blockInflatedBytesMax, 'all pieces are within LIMITS.blockInflatedBytesMax');
    pieceEnd = piece.offset + piece.length;
  }

  let before: Position = { offset: NO_OFFSET, index: -1 };
  for (const { position } of frames) {
    assertLayout(comparePositions(before, position) < 0, 'frames are in order of position');
    writer.varint(position.offset - before.offset);
    before = position;
  }
  before = { offset: NO_OFFSET, index: -1 };
  for (const { position } of frames) {
    writer.varint(position.offset === before.offset ? position.index - before.index - 1 : position.index);
    before = position;
  }
  for (const frame of frames) {
    const number = windowNumber.get(frame.windowId);
    assertLayout(number !== undefined, 'every window of a frame is listed');
    const track = TRACK_CODE[frame.track];
    writer.varint(version === VERSION_WHOLE ? number * 16 + track * 2 + flagsOf(frame) : number * 2048 + flagsOf(frame) * 8 + track);
  }
  let timestampMs = 0;
  for (const frame of frames) {
    writer.zigzag(frame.timestampMs - timestampMs);
    timestampMs = frame.timestampMs;
  }
  for (const frame of frames) writer.varint(frame.length);

  const filled: number[] = pieces.map(beforeFrames);
  let picture = { end: pieces.length > 0 ? pieceEnd : (frames.find(({ piece }) => piece < 0)?.offset ?? 0), width: 0, height: 0 };
  for (const frame of frames) {
    assertLayout(frame.piece < 0 === (frame.track === 'image'), 'pictures lie alone, all else in pieces');
    if (frame.piece >= 0) {
      const offset = (filled[frame.piece] ?? 0) + beforeFrame(pieces[frame.piece]);
      assertLayout(frame.offset === offset, 'the frames of a piece lie one behind the other');
      filled[frame.piece] = frame.offset + frame.length;
      writer.varint(frame.piece);
    } else {
      writer.zigzag(frame.offset - picture.end);
      writer.zigzag(frame.width - picture.width);
      writer.zigzag(frame.height - picture.height);
      picture = { end: frame.offset + frame.length, width: frame.width, height: frame.height };
    }
  }
  pieces.forEach((piece, i) => assertLayout(piece.rawLength === filled[i], 'a piece holds its frames and nothing else'));
  return writer.bytes().slice();
}

/**
 * The reverse. What it answers is consistent: positions ascend, text frames fill their pieces exactly, every place is
 * within the data, pieces claim LIMITS.blockInflatedBytesMax together at most. Memory: 64 bytes for each byte given, whatever
 * they claim.
 *
 * @throws {BytesFault} for bytes that `encodeFrameIndex` did not write
 */
export function decodeFrameIndex(bytes: Uint8Array): BlockIndex {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version < VERSION_WHOLE || version > VERSION_BODIES) throw new BytesFault(`frame index of version ${version}`, 0);
  const windowCount = readCount(reader, 1, 'windows');
  const pieceCount = readCount(reader, PIECE_BYTES_MIN, 'pieces');
  const frameCount = readCount(reader, FRAME_BYTES_MIN, 'frames');
  const windows: string[] = [];
  for (let i = 0; i < windowCount; i++) windows.push(reader.text());
  const pieces: PieceEntry[] = [];
  let dataEnd = BLOCK_HEADER_BYTES + bytes.length;
  let inflatedBytes = 0;
  for (let i = 0; i < pieceCount; i++) {
    const length = reader.varint();
    const claim = reader.varint();
    const body = version === VERSION_BODIES && claim % 2 === 1;
    const rawLength = version === VERSION_BODIES ? Math.floor(claim / 2) : claim;
    if (rawLength > LIMITS.frameBytesMax) throw new BytesFault(`piece ${i} claims ${rawLength} bytes`, reader.at);
    inflatedBytes += rawLength;
    if (inflatedBytes > LIMITS.blockInflatedBytesMax) throw new BytesFault(`${i + 1} pieces claim ${inflatedBytes} bytes`, reader.at);
    pieces.push({ offset: dataEnd, length, rawLength, body });
    dataEnd = checked(reader, dataEnd + length);
  }

  const positions = readPositions(reader, frameCount);
  const kinds = readColumn(frameCount, () => reader.varint());
  let timestampMs = 0;
  const timestamps = readColumn(frameCount, () => (timestampMs = checked(reader, timestampMs + reader.zigzag())));
  const lengths = readColumn(frameCount, () => reader.varint());

  const frames: FrameEntry[] = [];
  const filled = pieces.map(beforeFrames);
  const pictures = dataEnd;
  let picture = { end: dataEnd, width: 0, height: 0 };
  for (let i = 0; i < frameCount; i++) {
    const kind = kinds[i] ?? 0;
    const length = lengths[i] ?? 0;
    const parted = version !== VERSION_WHOLE;
    const windowId = windows[Math.floor(kind / (parted ? 2048 : 16))];
    const track = trackOf(parted ? kind % 8 : (kind % 16) >> 1);
    if (windowId === undefined || track === undefined) throw new BytesFault(`frame ${i} names an unknown window or track`, reader.at);
    const common = {
      position: positions[i] as Position,
      windowId,
      track,
      ...readFlags(parted ? (kind % 2048) >> 3 : kind % 2),
      timestampMs: timestamps[i] ?? 0,
      length,
    };
    if (track === 'image') {
      const offset = checked(reader, picture.end + reader.zigzag());
      const width = checked(reader, picture.width + reader.zigzag());
      const height = checked(reader, picture.height + reader.zigzag());
      // A picture lies right behind those before it, or where an earlier one lies.
      if (offset < pictures || offset > dataEnd || width < 0 || height < 0) {
        throw new BytesFault(`frame ${i} lies outside of the pictures`, reader.at);
      }
      picture = { end: checked(reader, offset + length), width, height };
      dataEnd = Math.max(dataEnd, picture.end);
      frames.push({ ...common, piece: -1, offset, width, height });
    } else {
      const piece = reader.varint();
      const offset = (filled[piece] ?? 0) + beforeFrame(pieces[piece]);
      const holds = pieces[piece]?.rawLength;
      if (holds === undefined || length > holds - offset) throw new BytesFault(`frame ${i} lies outside of its piece`, reader.at);
      filled[piece] = offset + length;
      frames.push({ ...common, piece, offset, width: 0, height: 0 });
    }
  }
  for (const [i, piece] of pieces.entries()) {
    if (piece.rawLength !== filled[i])
      throw new BytesFault(`piece ${i} holds ${piece.rawLength} bytes, its frames ${filled[i]}`, reader.at);
  }
  if (reader.remaining !== 0) throw new BytesFault('bytes behind the frame index', reader.at);
  return { windows, pieces, frames };
}

function versionFor({ pieces, frames }: BlockIndex): number {
  if (pieces.some(({ body }) => body)) return VERSION_BODIES;
  return frames.some(({ part }) => part !== undefined) ? VERSION_PARTS : VERSION_WHOLE;
}

/** Bytes of an inflated piece before its first frame, and before each frame. */
function beforeFrames(piece: PieceEntry): number {
  return piece.body ? FRAMES_HEADER_BYTES : 0;
}
function beforeFrame(piece: PieceEntry | undefined): number {
  return piece?.body ? FRAME_HEADER_BYTES : 0;
}

/** Columns 1 and 2. */
function readPositions(reader: ByteReader, count: number): Position[] {
  const steps = readColumn(count, () => reader.varint());
  const positions: Position[] = [];
  let offset: number = NO_OFFSET;
  let index = -1;
  for (const step of steps) {
    offset = checked(reader, offset + step);
    if (offset < 0) throw new BytesFault('an offset before the first', reader.at);
    const value = reader.varint();
    index = checked(reader, step === 0 ? index + 1 + value : value);
    positions.push({ offset: toOffset(offset) satisfies Offset, index });
  }
  return positions;
}

function readColumn(count: number, read: () => number): number[] {
  const column: number[] = [];
  for (let i = 0; i < count; i++) column.push(read());
  return column;
}

function readCount(reader: ByteReader, bytesMin: number, what: string): number {
  const at = reader.at;
  const count = reader.varint();
  if (count * bytesMin > reader.remaining) throw new BytesFault(`${count} ${what} do not fit into ${reader.remaining} bytes`, at);
  return count;
}

function checked(reader: ByteReader, value: number): number {
  if (!Number.isSafeInteger(value)) throw new BytesFault('a sum is beyond 2^53', reader.at);
  return value;
}

function assertLayout(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new RangeError(`frame index: ${rule}`);
}
