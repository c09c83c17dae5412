import { ByteReader, BytesFault, ByteWriter } from '../bytes.ts';
import type { FramePart, Track } from '../frame.ts';
import { flagsOf, readFlags, TRACK_CODE, trackOf } from '../frame.ts';
import type { Offset } from '../ids.ts';
import { NO_OFFSET, toOffset } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { Position } from '../position.ts';
import { FRAME_HEADER_BYTES, FRAMES_HEADER_BYTES } from './frames.ts';
import type { Outline } from './outline.ts';
import { OutlineCursor } from './outline.ts';
import { stampedLength } from './stamp.ts';

/**
 * The frame index: where each frame of a block is, small enough for a catalog row.
 *
 * Kept in the block and, byte for byte the same, in the flush record and the catalog.
 *
 *     bytes v4 (u = unsigned LEB128 varint, z = zigzag varint; all columns are in order of position):
 *     ┌────────┬──────────────┬──────────────┬──────────────┐
 *     │ u8 = 4 │ u windows    │ u pieces     │ u frames     │
 *     ├────────┴──────────────┴──────────────┴──────────────┴────────────────────────────────────────────────────┐
 *     │ per window:  u length, UTF-8 id                                                                          │
 *     │ per piece:   u length, u rawLength × 2 + body                                                            │
 *     ├──────────────────────────────────────────────────────────────────────────────────────────────────────────┤
 *     │ positions:   per run of frames of one upload whose indexes follow each other:                            │
 *     │                u offset - offset of the run before (the first: offset + 1)                               │
 *     │                u index of the first frame, less 1 + that of the frame before where it is of this upload  │
 *     │                u frames - 1                                                                              │
 *     │ kinds:       per run: u window number × 4096 + stamped × 2048 + flags (flagsOf) × 8 + track code         │
 *     │                u frames - 1                                                                              │
 *     │ pieces:      per run of frames: z piece number - that of the run before (the first: number), u frames - 1│
 *     │                -1: a picture that lies alone                                                             │
 *     │ times:       per frame: z timestampMs - that of the frame before (the first: timestampMs)                │
 *     │ lengths:     per frame: u n < 16: the nth of the known lengths; else length + 16, which becomes known    │
 *     │                in place of the one that has been so for longest (in the beginning all are 0)             │
 *     │ twins:       per run of pictures: u 0: its bytes are its own; n: those of the nth picture before it,     │
 *     │                in the same place; u pictures - 1                                                         │
 *     │ widths,      per run of pictures: u px, u pictures - 1                                                   │
 *     │ heights                                                                                                  │
 *     └──────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Only version 4 is written. Versions 1 to 3 are read: they had a number for each frame in every column (`readPlainColumns`).
 *
 * Places are not stored but follow: the block's data begins right behind the index (at BLOCK_HEADER_BYTES + the index's own
 * bytes); there lie the pieces in their order without holes, then the pictures that lie alone. In a piece lie its frames in order of
 * position without holes; in one that is a body (`frames.ts`) each behind its header, and the first of them behind the body's.
 * A stamped frame lies there without its time (`stamp.ts`); lengths are those of payloads, with it.
 * A picture whose bytes were there before has no place of its own.
 */
export interface BlockIndex {
  readonly windows: readonly string[];
  readonly pieces: readonly PieceEntry[];
  /** In order of position. */
  readonly frames: readonly FrameEntry[];
}

/** A compressed run of frames of one window that is decoded alone. */
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
  /** Index of the piece that holds the frame; -1 for a picture that lies as it came in the block. */
  readonly piece: number;
  /** Place of the payload: in the inflated piece, or in the block when `piece` is -1. */
  readonly offset: number;
  /** True: it lies there without its time (`stamp.ts`). */
  readonly stamped: boolean;
  /** Bytes of the payload. */
  readonly length: number;
  /** Picture size in px, 0 when not an image or not readable. */
  readonly width: number;
  readonly height: number;
}

/** What lies in a block before its frame index: magic, version, index length. */
export const BLOCK_HEADER_BYTES = 8;

/** A number for each frame in every column; of an index without parts, and of one with bodies. */
const VERSION_WHOLE = 1;
const VERSION_BODIES = 3;
/** Columns with runs. */
const VERSION_RUNS = 4;

/** Fewest bytes of a frame (before runs: six columns; with them: time and length) and of a piece (two numbers): bounds what a count may claim. */
const PLAIN_FRAME_BYTES_MIN = 6;
const FRAME_BYTES_MIN = 2;
const PIECE_BYTES_MIN = 2;

/** In the place of a piece's number: the picture is in none. */
const ALONE = -1;

/** In a kind: flags and track below, then whether it is stamped, and the window above. */
const STAMPED_UNIT = 2048;
const KINDS_OF_WINDOW = 4096;
/** Lengths that are told by a number: those of small events come again and again. */
const KNOWN_LENGTHS = 16;

/** The kind of a frame as it stands in an index, but for its window. */
export function frameKind(flags: number, track: Track, stamped = false): number {
  return (stamped ? STAMPED_UNIT : 0) + flags * 8 + TRACK_CODE[track];
}

function isStamped(kind: number): boolean {
  return kind % KINDS_OF_WINDOW >= STAMPED_UNIT;
}

/** What an index tells of a picture. */
interface IndexedPicture {
  readonly length: number;
  /** Number of the piece that it is in; -1: it lies alone, behind those before it. */
  readonly piece: number;
  /** 0: its bytes are its own. Else those of so many pictures before it, which are in the same piece. */
  readonly twin: number;
  readonly width: number;
  readonly height: number;
}

/** A piece of which is known how long it is. */
export type PieceLengths = Pick<PieceEntry, 'length' | 'rawLength' | 'body'>;

/**
 * Writes a frame index column by column, frame by frame in order of position. What the frames are is known before their pieces are
 * compressed: {@link bytes} takes these in the end.
 *
 * Every method throws a RangeError for what no index can tell: frames out of order, pieces that their frames do not fill.
 */
export class FrameIndexWriter {
  readonly #windows = new Map<string, number>();
  readonly #positions: number[] = [];
  readonly #kinds = new Runs();
  readonly #pieces = new Runs();
  readonly #times = new ByteWriter(64);
  readonly #lengths = new ByteWriter(64);
  readonly #known = new KnownLengths();
  readonly #twins = new Runs();
  readonly #widths = new Runs();
  readonly #heights = new Runs();
  #frames = 0;
  /** By piece: bytes of the payloads as they lie there, and how many there are. */
  readonly #payloadBytes: number[] = [];
  readonly #payloads: number[] = [];
  #offset: number = NO_OFFSET;
  #index = -1;
  #timestampMs = 0;

  /** The number that {@link text} and {@link picture} take for a window. */
  window(windowId: string): number {
    let number = this.#windows.get(windowId);
    if (number === undefined) {
      number = this.#windows.size;
      this.#windows.set(windowId, number);
    }
    return number;
  }

  /**
   * @param kind {@link frameKind}
   * @param piece number of the piece whose next payload this is
   */
  text(offset: number, index: number, window: number, kind: number, timestampMs: number, length: number, piece: number): void {
    this.#frame(offset, index, window, kind, timestampMs, length, piece);
    this.#fill(piece, isStamped(kind) ? stampedLength(length, timestampMs) : length);
  }

  picture(offset: number, index: number, window: number, kind: number, timestampMs: number, picture: IndexedPicture): void {
    const { length, piece, twin, width, height } = picture;
    this.#frame(offset, index, window, kind, timestampMs, length, piece);
    if (twin === 0 && piece >= 0) this.#fill(piece, length);
    this.#twins.add(twin, 1);
    this.#widths.add(width, 1);
    this.#heights.add(height, 1);
  }

  #fill(piece: number, held: number): void {
    this.#payloadBytes[piece] = (this.#payloadBytes[piece] ?? 0) + held;
    this.#payloads[piece] = (this.#payloads[piece] ?? 0) + 1;
  }

  /** All frames of an upload whose body is a piece: the same as {@link text} for each of them. */
  body(offset: number, window: number, { bytes, frames, rawLength }: Outline, piece: number): void {
    this.#place(offset, 0, frames);
    const frame = new OutlineCursor(bytes);
    let beforeMs = this.#timestampMs;
    while (frame.next()) {
      this.#kinds.add(window * KINDS_OF_WINDOW + frameKind(frame.flags, frame.track), 1);
      this.#times.zigzag(frame.timestampMs - beforeMs);
      beforeMs = frame.timestampMs;
      this.#length(frame.length);
    }
    this.#timestampMs = beforeMs;
    this.#pieces.add(piece, frames);
    this.#payloadBytes[piece] = rawLength - FRAMES_HEADER_BYTES - frames * FRAME_HEADER_BYTES;
    this.#payloads[piece] = frames;
  }

  #frame(offset: number, index: number, window: number, kind: number, timestampMs: number, length: number, piece: number): void {
    this.#place(offset, index, 1);
    this.#kinds.add(window * KINDS_OF_WINDOW + kind, 1);
    this.#pieces.add(piece, 1);
    this.#times.zigzag(timestampMs - this.#timestampMs);
    this.#timestampMs = timestampMs;
    this.#length(length);
  }

  /** Frames of an upload that follow each other. */
  #place(offset: number, index: number, count: number): void {
    const positions = this.#positions;
    const last = positions.length - 1;
    const isSame = offset === this.#offset;
    if (isSame && index === this.#index + 1 && last > 0) positions[last] = (positions[last] ?? 0) + count;
    else {
      assertLayout(isSame ? index > this.#index : offset > this.#offset, 'frames are in order of position');
      positions.push(offset - this.#offset, isSame ? index - this.#index - 1 : index, count - 1);
    }
    this.#offset = offset;
    this.#index = index + count - 1;
    this.#frames += count;
  }

  #length(length: number): void {
    const number = this.#known.numberOf(length);
    this.#lengths.varint(number >= 0 ? number : length + KNOWN_LENGTHS);
    if (number < 0) this.#known.learn(length);
  }

  /** The bytes drawn above. */
  bytes(pieces: readonly PieceLengths[]): Uint8Array<ArrayBuffer> {
    const columnBytes = this.#times.length + this.#lengths.length;
    const writer = new ByteWriter(64 + this.#windows.size * 40 + pieces.length * 16 + columnBytes);
    writer.u8(VERSION_RUNS);
    writer.varint(this.#windows.size);
    writer.varint(pieces.length);
    writer.varint(this.#frames);
    for (const windowId of this.#windows.keys()) writer.text(windowId);
    let inflatedBytes = 0;
    for (const [number, piece] of pieces.entries()) {
      const { length, rawLength, body } = piece;
      const headers = beforeFrames(piece) + beforeFrame(piece) * (this.#payloads[number] ?? 0);
      assertLayout(rawLength === headers + (this.#payloadBytes[number] ?? 0), 'a piece holds its frames and nothing else');
      assertLayout(rawLength <= LIMITS.frameBytesMax, 'a piece is within LIMITS.frameBytesMax');
      inflatedBytes += rawLength;
      writer.varint(length);
      writer.varint(rawLength * 2 + Number(body));
    }
    assertLayout(this.#payloads.length <= pieces.length, 'every piece of a frame is listed');
    assertLayout(inflatedBytes <= LIMITS.blockInflatedBytesMax, 'all pieces are within LIMITS.blockInflatedBytesMax');
    for (const number of this.#positions) writer.varint(number);
    this.#kinds.write((kind) => writer.varint(kind), writer);
    let before = 0;
    this.#pieces.write((piece) => {
      writer.zigzag(piece - before);
      before = piece;
    }, writer);
    writer.raw(this.#times.bytes());
    writer.raw(this.#lengths.bytes());
    for (const column of [this.#twins, this.#widths, this.#heights]) column.write((value) => writer.varint(value), writer);
    return writer.bytes().slice();
  }
}

/** A column that hardly changes. */
class Runs {
  readonly #values: number[] = [];
  readonly #counts: number[] = [];

  add(value: number, count: number): void {
    const last = this.#values.length - 1;
    if (last >= 0 && this.#values[last] === value) this.#counts[last] = (this.#counts[last] ?? 0) + count;
    else {
      this.#values.push(value);
      this.#counts.push(count);
    }
  }

  write(value: (value: number) => void, counts: ByteWriter): void {
    for (let i = 0; i < this.#values.length; i++) {
      value(this.#values[i] ?? 0);
      counts.varint((this.#counts[i] ?? 0) - 1);
    }
  }
}

/** The lengths of frames as the format has them: {@link KNOWN_LENGTHS}. */
class KnownLengths {
  readonly #known: number[] = Array.from({ length: KNOWN_LENGTHS }, () => 0);
  #next = 0;

  /** The number of a known length, -1 for another. */
  numberOf(length: number): number {
    return this.#known.indexOf(length);
  }

  get(number: number): number {
    return this.#known[number] ?? 0;
  }

  learn(length: number): void {
    this.#known[this.#next] = length;
    this.#next = (this.#next + 1) % KNOWN_LENGTHS;
  }
}

/** Where pictures lie, to find those that lie where an earlier one does. */
class PicturePlaces {
  readonly #numbers = new Map<string, number>();
  #next = 0;

  /** The next picture: how many pictures before it the one is that lies there and is as long; 0 for none. */
  take(piece: number, offset: number, length: number): number {
    const number = this.#next++;
    const place = `${piece} ${offset} ${length}`;
    const earlier = this.#numbers.get(place);
    if (earlier !== undefined) return number - earlier;
    this.#numbers.set(place, number);
    return 0;
  }
}

/**
 * The bytes drawn above.
 *
 * Only distances are stored, so `index` may count its places in the block from any base; the decoder gives them from the
 * block's beginning.
 *
 * @throws {RangeError} for an index that is not laid out as drawn (pieces or text frames with holes, frames out of order)
 */
export function encodeFrameIndex({ windows, pieces, frames }: BlockIndex): Uint8Array<ArrayBuffer> {
  const writer = new FrameIndexWriter();
  for (const windowId of windows) writer.window(windowId);
  let pieceEnd = pieces[0]?.offset ?? 0;
  for (const { offset, length } of pieces) {
    assertLayout(offset === pieceEnd, 'pieces lie one behind the other');
    pieceEnd = offset + length;
  }
  let end = pieces.length > 0 ? pieceEnd : (frames.find(({ piece }) => piece < 0)?.offset ?? 0);
  const filled: number[] = pieces.map(beforeFrames);
  const pictures = new PicturePlaces();
  for (const frame of frames) {
    const { position, track, timestampMs, piece, offset, stamped, length, width, height } = frame;
    assertLayout(piece >= 0 || track === 'image', 'only pictures lie alone');
    const window = writer.window(frame.windowId);
    const kind = frameKind(flagsOf(frame), track, stamped);
    const twin = track === 'image' ? pictures.take(piece, offset, length) : 0;
    if (twin === 0 && piece >= 0) {
      assertLayout(offset === (filled[piece] ?? 0) + beforeFrame(pieces[piece]), 'the frames of a piece lie one behind the other');
      filled[piece] = offset + (stamped ? stampedLength(length, timestampMs) : length);
    } else if (twin === 0) {
      assertLayout(offset === end, 'pictures lie one behind the other');
      end += length;
    }
    if (track === 'image')
      writer.picture(position.offset, position.index, window, kind, timestampMs, { length, piece, twin, width, height });
    else writer.text(position.offset, position.index, window, kind, timestampMs, length, piece);
  }
  return writer.bytes(pieces);
}

/**
 * The reverse. What it answers is consistent: positions ascend, text frames fill their pieces exactly, every place is
 * within the data, pieces claim LIMITS.blockInflatedBytesMax together at most. Memory: 128 bytes for each byte given, whatever
 * they claim.
 *
 * @throws {BytesFault} for bytes that `encodeFrameIndex` did not write
 */
export function decodeFrameIndex(bytes: Uint8Array): BlockIndex {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version < VERSION_WHOLE || version > VERSION_RUNS) throw new BytesFault(`frame index of version ${version}`, 0);
  const windowCount = readCount(reader, 1, 'windows');
  const pieceCount = readCount(reader, PIECE_BYTES_MIN, 'pieces');
  const frameCount = readCount(reader, version === VERSION_RUNS ? FRAME_BYTES_MIN : PLAIN_FRAME_BYTES_MIN, 'frames');
  const windows: string[] = [];
  for (let i = 0; i < windowCount; i++) windows.push(reader.text());
  const pieces: PieceEntry[] = [];
  let dataEnd = BLOCK_HEADER_BYTES + bytes.length;
  let inflatedBytes = 0;
  for (let i = 0; i < pieceCount; i++) {
    const length = reader.varint();
    const claim = reader.varint();
    const tellsBodies = version >= VERSION_BODIES;
    const body = tellsBodies && claim % 2 === 1;
    const rawLength = tellsBodies ? Math.floor(claim / 2) : claim;
    if (rawLength > LIMITS.frameBytesMax) throw new BytesFault(`piece ${i} claims ${rawLength} bytes`, reader.at);
    inflatedBytes += rawLength;
    if (inflatedBytes > LIMITS.blockInflatedBytesMax) throw new BytesFault(`${i + 1} pieces claim ${inflatedBytes} bytes`, reader.at);
    pieces.push({ offset: dataEnd, length, rawLength, body });
    dataEnd = checked(reader, dataEnd + length);
  }

  const columns = version === VERSION_RUNS ? readRunColumns(reader, frameCount) : readPlainColumns(reader, frameCount, version);
  const frames: FrameEntry[] = [];
  const filled = pieces.map(beforeFrames);
  const pictures: FrameEntry[] = [];
  for (let i = 0; i < frameCount; i++) {
    const kind = columns.kinds[i] ?? 0;
    const length = columns.lengths[i] ?? 0;
    const piece = columns.pieces[i] ?? ALONE;
    const windowId = windows[Math.floor(kind / KINDS_OF_WINDOW)];
    const track = trackOf(kind % 8);
    const position = columns.positions[i];
    if (windowId === undefined || track === undefined || position === undefined)
      throw new BytesFault(`frame ${i} is of kind ${kind}`, reader.at);
    const isPicture = track === 'image';
    const timestampMs = columns.timestamps[i] ?? 0;
    const stamped = isStamped(kind);
    if (stamped && isPicture) throw new BytesFault(`frame ${i} is a stamped picture`, reader.at);
    const twin = isPicture ? (columns.twins[pictures.length] ?? 0) : 0;
    let offset = dataEnd;
    if (twin > 0) {
      const first = pictures[pictures.length - twin];
      if (first?.piece !== piece || first.length !== length)
        throw new BytesFault(`picture ${i} is not like the one that it names`, reader.at);
      ({ offset } = first);
    } else if (piece === ALONE && isPicture) {
      dataEnd = checked(reader, dataEnd + length);
    } else {
      offset = (filled[piece] ?? 0) + beforeFrame(pieces[piece]);
      const holds = pieces[piece]?.rawLength;
      const held = stamped ? stampedLength(length, timestampMs) : length;
      if (stamped && held < 1) throw new BytesFault(`frame ${i} is shorter than its time`, reader.at);
      if (holds === undefined || held > holds - offset) throw new BytesFault(`frame ${i} lies outside of its piece`, reader.at);
      filled[piece] = offset + held;
    }
    const width = isPicture ? (columns.widths[pictures.length] ?? 0) : 0;
    const height = isPicture ? (columns.heights[pictures.length] ?? 0) : 0;
    const { keyframe, part } = readFlags((kind % STAMPED_UNIT) >> 3);
    const entry = { position, windowId, track, keyframe, timestampMs, part, piece, offset, stamped, length, width, height };
    frames.push(entry);
    if (isPicture) pictures.push(entry);
  }
  for (const [i, piece] of pieces.entries()) {
    if (piece.rawLength !== filled[i])
      throw new BytesFault(`piece ${i} holds ${piece.rawLength} bytes, its frames ${filled[i]}`, reader.at);
  }
  if (reader.remaining !== 0) throw new BytesFault('bytes behind the frame index', reader.at);
  return { windows, pieces, frames };
}

/** What both kinds of columns tell: of each frame, and of each picture. */
interface Columns {
  readonly positions: readonly Position[];
  /** As version 4 has them. */
  readonly kinds: readonly number[];
  readonly timestamps: readonly number[];
  readonly lengths: readonly number[];
  readonly pieces: readonly number[];
  readonly twins: readonly number[];
  readonly widths: readonly number[];
  readonly heights: readonly number[];
}

function readRunColumns(reader: ByteReader, count: number): Columns {
  const positions = readPositionRuns(reader, count);
  const kinds = readRuns(reader, count, () => reader.varint());
  let piece = 0;
  const pieces = readRuns(reader, count, () => (piece = checked(reader, piece + reader.zigzag())));
  let timestampMs = 0;
  const timestamps = readColumn(count, () => (timestampMs = checked(reader, timestampMs + reader.zigzag())));
  const known = new KnownLengths();
  const lengths = readColumn(count, () => {
    const number = reader.varint();
    if (number < KNOWN_LENGTHS) return known.get(number);
    known.learn(number - KNOWN_LENGTHS);
    return number - KNOWN_LENGTHS;
  });
  const pictures = kinds.reduce((sum, kind) => sum + Number(kind % 8 === TRACK_CODE.image), 0);
  const [twins = [], widths = [], heights = []] = [0, 1, 2].map(() => readRuns(reader, pictures, () => reader.varint()));
  return { positions, kinds, timestamps, lengths, pieces, twins, widths, heights };
}

function readPositionRuns(reader: ByteReader, count: number): Position[] {
  const positions: Position[] = [];
  let offset: number = NO_OFFSET;
  let index = -1;
  while (positions.length < count) {
    const step = reader.varint();
    offset = checked(reader, offset + step);
    if (offset < 0) throw new BytesFault('an offset before the first', reader.at);
    const value = reader.varint();
    index = checked(reader, step === 0 ? index + 1 + value : value);
    for (let more = readRunLength(reader, count - positions.length); more > 0; more--) {
      positions.push({ offset: toOffset(offset) satisfies Offset, index: checked(reader, index) });
      index++;
    }
    index--;
  }
  return positions;
}

function readRuns(reader: ByteReader, count: number, read: () => number): number[] {
  const column: number[] = [];
  while (column.length < count) {
    const value = read();
    for (let more = readRunLength(reader, count - column.length); more > 0; more--) column.push(value);
  }
  return column;
}

function readRunLength(reader: ByteReader, room: number): number {
  const at = reader.at;
  const length = reader.varint() + 1;
  if (length > room) throw new BytesFault(`a run of ${length} where ${room} frames are left`, at);
  return length;
}

/**
 * Versions 1 to 3, a number for each frame in every column:
 *
 *     │ column 1:    u offset - offset of the frame before (the first: offset + 1)                              │
 *     │ column 2:    u index, where column 1 is not 0; else index - index of the frame before - 1               │
 *     │ column 3:    v1: u window number × 16 + track code × 2 + keyframe                                       │
 *     │              v2, v3: u window number × 2048 + flags × 8 + track code                                    │
 *     │ column 4:    z timestampMs - that of the frame before (the first: timestampMs)                          │
 *     │ column 5:    u length                                                                                   │
 *     │ column 6:    text frames: u piece number                                                                │
 *     │              pictures:    z place - end of the picture before (the first: 0)                            │
 *     │                           z width - that of the picture before, z height likewise                       │
 *
 * v1 and v2 had no bodies among their pieces: u length, u rawLength. v1 had no parts.
 */
function readPlainColumns(reader: ByteReader, count: number, version: number): Columns {
  const positions = readPositions(reader, count);
  const readKind = version === VERSION_WHOLE ? () => kindOfVersion1(reader.varint()) : () => kindOfVersion2(reader.varint());
  const kinds = readColumn(count, readKind);
  let timestampMs = 0;
  const timestamps = readColumn(count, () => (timestampMs = checked(reader, timestampMs + reader.zigzag())));
  const lengths = readColumn(count, () => reader.varint());
  const pieces: number[] = [];
  const [twins, widths, heights]: [number[], number[], number[]] = [[], [], []];
  const places = new PicturePlaces();
  let picture = { end: 0, width: 0, height: 0 };
  let end = 0;
  for (const [i, kind] of kinds.entries()) {
    if (kind % 8 !== TRACK_CODE.image) {
      pieces.push(reader.varint());
      continue;
    }
    const length = lengths[i] ?? 0;
    const place = checked(reader, picture.end + reader.zigzag());
    const [width, height] = [checked(reader, picture.width + reader.zigzag()), checked(reader, picture.height + reader.zigzag())];
    const twin = places.take(ALONE, place, length);
    // A picture lies right behind those before it, or where an earlier one lies.
    if ((twin === 0 && place !== end) || width < 0 || height < 0)
      throw new BytesFault(`frame ${i} lies outside of the pictures`, reader.at);
    picture = { end: checked(reader, place + length), width, height };
    end = Math.max(end, picture.end);
    pieces.push(ALONE);
    twins.push(twin);
    widths.push(width);
    heights.push(height);
  }
  return { positions, kinds, timestamps, lengths, pieces, twins, widths, heights };
}

function kindOfVersion1(kind: number): number {
  return Math.floor(kind / 16) * KINDS_OF_WINDOW + (kind % 2) * 8 + ((kind % 16) >> 1);
}

function kindOfVersion2(kind: number): number {
  return Math.floor(kind / STAMPED_UNIT) * KINDS_OF_WINDOW + (kind % STAMPED_UNIT);
}

/** Bytes of an inflated piece before its first frame, and before each frame. */
function beforeFrames(piece: Pick<PieceEntry, 'body'>): number {
  return piece.body ? FRAMES_HEADER_BYTES : 0;
}
function beforeFrame(piece: Pick<PieceEntry, 'body'> | undefined): number {
  return piece?.body ? FRAME_HEADER_BYTES : 0;
}

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
