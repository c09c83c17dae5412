import { deflateRawSync, gunzipSync, gzipSync, crc32 as zlibCrc32, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockUpload, FrameEntry, MovableBody, Offset, PositionedFrame } from '../src/index.ts';
import {
  BlockFault,
  BytesFault,
  ByteWriter,
  blockParts,
  crc32,
  cutBlock,
  decodeBlock,
  decodeBlockIndex,
  decodeFrameIndex,
  encodeBlock,
  encodeFrameIndex,
  encodeFrames,
  encodeOutline,
  FRAME_HEADER_BYTES,
  FRAMES_HEADER_BYTES,
  framePayload,
  framesOfBlock,
  inflatePiece,
  isGzip,
  joinBytes,
  LIMITS,
  layOutBlock,
  MERGED_PIECE_RAW_BYTES,
  PIECE_RAW_BYTES,
  rawBytesOf,
  readOutline,
  TRACKS,
  toOffset,
} from '../src/index.ts';
import { readGolden } from './golden-files.ts';
import {
  anyPart,
  encodeMerged,
  frameOf,
  jpegOf,
  NOW_MS,
  outcomeOf,
  POSITIONED,
  POSITIONED_PARTS,
  textBytes,
  unzstd,
  zstd,
} from './samples.ts';

const anyBlockFrames: fc.Arbitrary<PositionedFrame[]> = fc
  .array(
    fc.record({
      offsetStep: fc.constantFrom(0, 0, 0, 1, 2, 1000),
      indexStep: fc.constantFrom(1, 1, 1, 2, 300),
      windowId: fc.constantFrom('a', 'b', 'window-with-a-longer-name', 'é'),
      track: fc.constantFrom(...TRACKS),
      keyframe: fc.boolean(),
      timestampMs: fc.integer({ min: LIMITS.timestampMinMs, max: NOW_MS }),
      payload: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(jpegOf(10, 20), jpegOf(30, 40))),
      part: anyPart,
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let offset = 0;
    let index = -1;
    return steps.map(({ offsetStep, indexStep, ...frame }) => {
      index = offsetStep === 0 ? index + indexStep : indexStep;
      offset += offsetStep;
      return { ...frame, position: { offset: toOffset(offset), index } };
    });
  });

function domFrames(payloads: readonly { text: string; keyframe?: boolean }[]): PositionedFrame[] {
  return payloads.map(({ text, keyframe = false }, index) => ({
    ...frameOf('dom', NOW_MS + index, text, keyframe),
    position: { offset: toOffset(1), index },
    windowId: 'w',
  }));
}

/** The uploads of the frames: of one window each, and some, where that can be, with their body instead. */
function uploadsOf(frames: readonly PositionedFrame[], isKept: (offset: Offset) => boolean): BlockUpload[] {
  const uploads = Map.groupBy(frames, ({ position }) => position.offset);
  return [...uploads].map(([offset, held]): BlockUpload => {
    const [{ windowId } = { windowId: '' }] = held;
    const isWhole = held.every(
      (frame, index) =>
        frame.track !== 'image' && frame.windowId === windowId && frame.position.index === index && frame.payload.length > 0,
    );
    const body = isWhole && isKept(offset) ? bodyOf(held) : null;
    return { offset, windowId, frames: body === null ? held : [], body };
  });
}

function bodyOf(frames: readonly PositionedFrame[]): MovableBody {
  return { compressed: new Uint8Array(gzipSync(encodeFrames(frames))), outline: readOutline(encodeOutline(frames)) };
}

function encodeMoving(uploads: readonly BlockUpload[]) {
  const { parts, frameIndex } = blockParts(uploads, zstd, crc32);
  return { bytes: new Uint8Array(Buffer.concat(parts)), frameIndex };
}

const gunzipOrUnzstd = (piece: Uint8Array, rawLength: number): Uint8Array =>
  isGzip(piece) ? new Uint8Array(gunzipSync(piece)) : unzstd(piece, rawLength);

describe('block', () => {
  it('any frames come back as they were, compressed and inflated', () => {
    fc.assert(
      fc.property(anyBlockFrames, (frames) => {
        const { bytes, frameIndex } = encodeBlock(frames, zstd);
        expect(decodeBlock(bytes, unzstd)).toEqual(frames);
        expect(decodeFrameIndex(frameIndex)).toEqual(decodeBlockIndex(bytes));
        expect(encodeFrameIndex(decodeFrameIndex(frameIndex))).toEqual(frameIndex);
      }),
    );
  });

  it('cut and laid out in two steps it is the same block, and pieces may be cut larger', () => {
    const cut = cutBlock(POSITIONED, PIECE_RAW_BYTES);
    const { parts, length, frameIndex } = layOutBlock(
      cut,
      cut.pieces.map((piece) => zstd(rawBytesOf(piece))),
      crc32,
    );
    expect({ bytes: joinBytes(parts, length), frameIndex }).toEqual(encodeBlock(POSITIONED, zstd));
    expect(() => layOutBlock(cut, [], crc32)).toThrow(/0 of \d+ pieces/);

    const half = 'x'.repeat(PIECE_RAW_BYTES / 2);
    const long = domFrames(Array.from({ length: 8 }, () => ({ text: half })));
    const pieces = (pieceRawBytes: number): number[] => cutBlock(long, pieceRawBytes).pieces.map(({ rawLength }) => rawLength);
    expect(pieces(PIECE_RAW_BYTES)).toHaveLength(4);
    expect(pieces(MERGED_PIECE_RAW_BYTES)).toEqual([MERGED_PIECE_RAW_BYTES]);
    const merged = cutBlock(long, MERGED_PIECE_RAW_BYTES);
    const block = layOutBlock(
      merged,
      merged.pieces.map((piece) => zstd(rawBytesOf(piece))),
      crc32,
    );
    const read = decodeBlock(joinBytes(block.parts, block.length), unzstd);
    expect(read.map(({ payload }, i) => Buffer.compare(payload, long[i]?.payload ?? payload.subarray(1)))).toEqual(long.map(() => 0));
  });

  it('any frames come back as they were, some uploads of theirs kept as they came', () => {
    fc.assert(
      fc.property(anyBlockFrames, fc.func(fc.boolean()), (frames, isKept) => {
        const uploads = uploadsOf(frames, isKept);
        const { bytes, frameIndex } = encodeMoving(uploads);
        expect(decodeBlock(bytes, gunzipOrUnzstd)).toEqual(frames);
        const bodies = uploads.filter(({ body }) => body !== null);
        expect(decodeBlockIndex(bytes).pieces.filter(({ body }) => body)).toHaveLength(bodies.length);
        expect(encodeFrameIndex(decodeFrameIndex(frameIndex))).toEqual(frameIndex);
      }),
    );
  });

  it('a body that is kept is a piece as it came: its frames lie in it where they lay', () => {
    const frames = domFrames([{ text: '[1]', keyframe: true }, { text: '{"a":1}' }]);
    const [{ compressed, outline }, uploads] = [bodyOf(frames), uploadsOf(frames, () => true)];
    const { bytes } = encodeMoving(uploads);
    const index = decodeBlockIndex(bytes);
    const [piece] = index.pieces;
    if (piece === undefined) throw new Error('the block has a piece');
    expect(piece).toMatchObject({ length: compressed.length, rawLength: outline.rawLength, body: true });
    expect(bytes.subarray(piece.offset, piece.offset + piece.length)).toEqual(new Uint8Array(compressed));
    const [first = 0, second] = index.frames.map(({ offset }) => offset);
    expect([first, second]).toEqual([FRAMES_HEADER_BYTES + FRAME_HEADER_BYTES, first + 3 + FRAME_HEADER_BYTES]);
  });

  it('the codec is an argument', () => {
    const { bytes } = encodeBlock(POSITIONED, (raw) => raw);
    expect(decodeBlock(bytes, (raw) => raw)).toEqual(POSITIONED);
    expect(encodeBlock(POSITIONED, (raw) => new Uint8Array(deflateRawSync(raw))).bytes).not.toEqual(bytes);
  });

  it('byte-identical pictures are stored once, each picture is one range of the block', () => {
    const { bytes } = encodeBlock(POSITIONED, zstd);
    const pictures = decodeBlockIndex(bytes).frames.filter((frame) => frame.track === 'image');
    expect(pictures.map(({ piece, width, height }) => [piece, width, height])).toEqual([
      [-1, 360, 800],
      [-1, 360, 800],
      [-1, 360, 800],
    ]);
    expect(pictures[1]?.offset).toBe(pictures[2]?.offset);
    expect(pictures[0]?.offset).not.toBe(pictures[1]?.offset);
    for (const entry of pictures) {
      const frame = POSITIONED.find(({ position }) => position.offset === entry.position.offset && position.index === entry.position.index);
      expect(bytes.subarray(entry.offset, entry.offset + entry.length)).toEqual(frame?.payload);
    }
  });

  it('in a merge pictures lie in pieces: any frames come back as they were, and one picture is read by inflating its piece alone', () => {
    fc.assert(
      fc.property(anyBlockFrames, fc.integer({ min: 1, max: 300 }), (frames, picturePieceRawBytes) => {
        const { bytes, frameIndex } = encodeMerged(frames, zstd, picturePieceRawBytes);
        expect(decodeBlock(bytes, unzstd)).toEqual(frames);
        const index = decodeFrameIndex(frameIndex);
        expect(encodeFrameIndex(index)).toEqual(frameIndex);
        for (const [i, entry] of index.frames.entries()) {
          expect(entry.piece).toBeGreaterThanOrEqual(0);
          expect(framesOfBlock(index, bytes, [entry], unzstd)).toEqual([frames[i]]);
        }
      }),
    );
  });

  it('byte-identical pictures lie in one place of a merged block, also where others lie between them', () => {
    const shades = [0, 1, 0, 0, 1, 2, 0];
    const frames = shades.map((shade, index) => ({
      ...frameOf('image', NOW_MS + index, jpegOf(4, 8, `shade ${shade}`)),
      position: { offset: toOffset(index), index: 0 },
      windowId: 'w',
    }));
    // Each piece holds one.
    const { bytes } = encodeMerged(frames, zstd, 1);
    expect(decodeBlock(bytes, unzstd)).toEqual(frames);
    const index = decodeBlockIndex(bytes);
    expect(index.pieces).toHaveLength(3);
    expect(index.frames.map(({ piece }) => piece)).toEqual(shades);
  });

  it('pictures of one length that differ in a byte are all kept', () => {
    const frames = Array.from({ length: 40 }, (_, index) => ({
      ...frameOf('image', NOW_MS, jpegOf(1, 1, String(index % 20).padStart(4, '0'))),
      position: { offset: toOffset(1), index },
      windowId: 'w',
    }));
    const { bytes } = encodeBlock(frames, zstd);
    expect(decodeBlock(bytes, unzstd)).toEqual(frames);
    expect(new Set(decodeBlockIndex(bytes).frames.map((frame) => frame.offset)).size).toBe(20);
  });

  it('a DOM keyframe begins a piece, and a piece holds one window and track', () => {
    const { bytes } = encodeBlock(POSITIONED, zstd);
    const { frames, pieces } = decodeBlockIndex(bytes);
    for (const [number] of pieces.entries()) {
      const held = frames.filter((frame) => frame.piece === number);
      expect(new Set(held.map(({ windowId, track }) => `${windowId} ${track}`)).size).toBe(1);
      expect(held.slice(1).some((frame) => frame.track === 'dom' && frame.keyframe)).toBe(false);
    }
    expect(frames.filter(({ track }) => track === 'dom').map(({ piece, offset }) => [piece, offset])).toEqual([
      [0, 0],
      [0, 23],
      [3, 0],
    ]);
  });

  it('a piece ends before it passes its size; a larger frame has one alone', () => {
    const half = `"${'x'.repeat(PIECE_RAW_BYTES / 2)}"`;
    const { bytes } = encodeBlock(
      domFrames([{ text: half }, { text: '{}' }, { text: half }, { text: half + half + half }, { text: '{}' }]),
      zstd,
    );
    const { frames, pieces } = decodeBlockIndex(bytes);
    expect(frames.map((frame) => frame.piece)).toEqual([0, 0, 1, 2, 3]);
    expect(pieces.map((piece) => piece.rawLength)).toEqual([half.length + 2, half.length, half.length * 3, 2]);
  });

  it('some frames are read by inflating only their pieces, each once', () => {
    const frames = domFrames([{ text: '[1]', keyframe: true }, { text: '{"a":1}' }, { text: '[2]', keyframe: true }, { text: '{"b":1}' }]);
    const { bytes } = encodeBlock(frames, zstd);
    const index = decodeBlockIndex(bytes);
    const inflated: number[] = [];
    const read = framesOfBlock(index, bytes, index.frames.slice(2), (piece, rawLength) => {
      inflated.push(rawLength);
      return new Uint8Array(zstdDecompressSync(piece));
    });
    expect(read).toEqual(frames.slice(2));
    expect(inflated).toEqual([10]);
  });

  it('one frame is read from a range: its piece, then its payload', () => {
    const { bytes, frameIndex } = encodeBlock(POSITIONED, zstd);
    const index = decodeFrameIndex(frameIndex);
    const entry = index.frames[1];
    const piece = entry && index.pieces[entry.piece];
    if (!entry || !piece) throw new Error('the sample has a second text frame');
    const raw = inflatePiece(piece, bytes.slice(piece.offset, piece.offset + piece.length), unzstd);
    expect(framePayload(entry, raw)).toEqual(POSITIONED[1]?.payload);
    expect(() => inflatePiece(piece, bytes.slice(piece.offset, piece.offset + piece.length - 1), unzstd)).toThrow(BlockFault);
    expect(() => framePayload(entry, raw.subarray(0, 4))).toThrow(BlockFault);
  });

  it('frames out of order are a mistake of the caller', () => {
    expect(() => encodeBlock(POSITIONED.toReversed(), zstd)).toThrow(RangeError);
    expect(() => encodeBlock([...POSITIONED.slice(0, 1), ...POSITIONED.slice(0, 1)], zstd)).toThrow(RangeError);
  });
});

describe('a block that is not whole', () => {
  const { bytes } = encodeBlock(POSITIONED, zstd);

  it('is a BlockFault when any byte is damaged', () => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(() => decodeBlock(damaged, unzstd), `byte ${at}`).toThrow(BlockFault);
    }
  });

  it('is a BlockFault when it is cut at any byte, or longer', () => {
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => decodeBlock(bytes.subarray(0, cut), unzstd), `cut at ${cut}`).toThrow(BlockFault);
    expect(() => decodeBlock(Uint8Array.from([...bytes, 0]), unzstd)).toThrow(BlockFault);
  });

  it('names what is wrong', () => {
    const codeOf = (edit: (copy: Uint8Array) => void) => {
      const copy = bytes.slice();
      edit(copy);
      try {
        decodeBlock(copy, unzstd);
      } catch (fault) {
        return fault instanceof BlockFault ? fault.code : 'another error';
      }
      return 'no fault';
    };
    expect(codeOf((copy) => (copy[0] = 0x51))).toBe('magic');
    expect(codeOf((copy) => (copy[3] = 2))).toBe('version');
    expect(codeOf((copy) => (copy[4] = 0x7f))).toBe('length');
    expect(codeOf((copy) => (copy[8] = 9))).toBe('index');
    expect(codeOf((copy) => (copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1))).toBe('checksum');
  });

  it('a piece that does not give what the index says is a fault', () => {
    expect(() => decodeBlock(bytes, () => new Uint8Array(3))).toThrow(/gave 3/);
    const lies = () => {
      throw new Error('no zstd');
    };
    expect(() => decodeBlock(bytes, lies)).toThrow(BlockFault);
  });

  it('any bytes are a BlockFault, also behind the right magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
        const block = Uint8Array.from([0x50, 0x48, 0x42, 1, 0, 0, 0, Math.min(255, tail.length), ...tail, 0, 0, 0, 0]);
        expect(() => decodeBlock(tail, unzstd)).toThrow(BlockFault);
        expect(outcomeOf(BlockFault, () => decodeBlock(block, unzstd))).toMatch(/read|fault/);
      }),
    );
  });
});

describe('frame index', () => {
  const { frameIndex } = encodeBlock(POSITIONED, zstd);

  it.each([
    ['1', readGolden('frame-index.v1')],
    ['2', readGolden('frame-index.v2')],
    ['3', readGolden('frame-index.v3')],
    ['4', frameIndex],
    ['4', encodeMoving(uploadsOf(POSITIONED_PARTS, () => true)).frameIndex],
    ['4', encodeMerged(POSITIONED, zstd).frameIndex],
  ])('damaged bytes of version %s are a BytesFault or another consistent index', (version, intact) => {
    expect(intact[0]).toBe(Number(version));
    fc.assert(
      fc.property(fc.nat(intact.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = intact.slice();
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        expect(
          outcomeOf(BytesFault, () => {
            const index = decodeFrameIndex(damaged);
            expect(decodeFrameIndex(encodeFrameIndex(index)).frames).toHaveLength(index.frames.length);
          }),
        ).toMatch(/read|fault/);
      }),
      { numRuns: 2000 },
    );
  });

  it('cut bytes are a BytesFault', () => {
    for (let cut = 0; cut < frameIndex.length; cut++) expect(() => decodeFrameIndex(frameIndex.subarray(0, cut))).toThrow(BytesFault);
  });

  it('any bytes are a BytesFault or an index', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3, 4), fc.uint8Array({ maxLength: 200 }), (version, tail) => {
        expect(outcomeOf(BytesFault, () => decodeFrameIndex(Uint8Array.from([version, ...tail])))).toMatch(/read|fault/);
      }),
      { numRuns: 1000 },
    );
  });

  it('a run that is longer than the frames that are left is a fault', () => {
    const runs = (positions: number, kinds: number): Uint8Array => {
      const writer = new ByteWriter();
      for (const value of [4, 1, 1, 2]) writer.varint(value);
      writer.text('w');
      // A piece of two bytes; two frames of one byte.
      for (const value of [5, 4, 1, 0, positions, 1, kinds, 0, 1, 0, 0, 17, 0]) writer.varint(value);
      return writer.bytes();
    };
    expect(decodeFrameIndex(runs(1, 1)).frames.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(() => decodeFrameIndex(runs(2, 1))).toThrow(/a run of 3 where 2 frames are left/);
    expect(() => decodeFrameIndex(runs(1, 2 ** 40))).toThrow(/a run of/);
  });

  it('an index that is not laid out without holes is a mistake of the caller', () => {
    const { windows, pieces, frames } = decodeFrameIndex(encodeBlock(POSITIONED, zstd).frameIndex);
    const changed = (number: number, change: Partial<FrameEntry>) => () =>
      encodeFrameIndex({ windows, pieces, frames: frames.map((frame, i) => (i === number ? { ...frame, ...change } : frame)) });
    expect(changed(0, {})).not.toThrow();
    expect(changed(0, { length: 1 })).toThrow(RangeError);
    expect(changed(1, { offset: 0 })).toThrow(RangeError);
    expect(changed(0, { piece: -1 })).toThrow(RangeError);
    expect(() => encodeFrameIndex({ windows, pieces: pieces.slice(1), frames })).toThrow(RangeError);
    expect(() => encodeFrameIndex({ windows, pieces: pieces.toReversed(), frames })).toThrow(RangeError);
  });

  it.each([0, 1, 2])('a count of 2^50 (number %d in the header) allocates nothing', (column) => {
    const writer = new ByteWriter();
    writer.u8(1);
    for (let i = 0; i < 3; i++) writer.varint(i === column ? 2 ** 50 : 0);
    expect(() => decodeFrameIndex(writer.bytes())).toThrow(/do not fit/);
  });

  it('a piece that claims more than a frame may have is a fault', () => {
    const writer = new ByteWriter();
    for (const value of [1, 0, 1, 0, 5, 2 ** 40]) writer.varint(value);
    expect(() => decodeFrameIndex(writer.bytes())).toThrow(/claims/);
  });

  it('pieces that claim more together than a block may hold are a fault', () => {
    const writer = new ByteWriter();
    const pieces = Math.floor(LIMITS.blockInflatedBytesMax / LIMITS.frameBytesMax) + 1;
    for (const value of [1, 0, pieces, 0]) writer.varint(value);
    for (let i = 0; i < pieces; i++) for (const value of [5, LIMITS.frameBytesMax]) writer.varint(value);
    expect(() => decodeFrameIndex(writer.bytes())).toThrow(/pieces claim/);
  });

  it('costs few bytes a frame', () => {
    const frames = Array.from({ length: 1000 }, (_, i) => ({
      ...frameOf('dom', NOW_MS + i * 16, `{"n":${i}}`),
      position: { offset: toOffset(5 + Math.floor(i / 50)), index: i % 50 },
      windowId: 'w',
    }));
    expect(encodeBlock(frames, zstd).frameIndex.length).toBeLessThan(2.2 * frames.length);
  });
});

describe('crc32', () => {
  it('gives the check values of the standard', () => {
    expect(crc32(textBytes('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array())).toBe(0);
  });

  it('is that of zlib for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
      }),
    );
  });
});
