import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import type { BodyContext, Compress, Flush, FlushBlock, Frame, Merge, PositionedFrame, Track } from '../src/index.ts';
import {
  comparePositions,
  crc32,
  cutBlock,
  FRAME_PARTS_MAX,
  joinBytes,
  layOutBlock,
  MERGED_PIECE_RAW_BYTES,
  OutlineCursor,
  PICTURE_PIECE_RAW_BYTES,
  rawBytesOf,
  readFlags,
  splitFrame,
  toOffset,
} from '../src/index.ts';
import type { TopicRecords } from '../src/records/types.ts';

/** 2024-06-10T06:13:20Z. */
export const NOW_MS = 1_718_000_000_000;
export const CONTEXT: BodyContext = { epochMs: NOW_MS - 60_000, receivedAtMs: NOW_MS };

export function textBytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** The beginning of a JPEG (SOI, APP0, SOF0) of the given size in px, then `tail`, then EOI: enough for every check made here. */
export function jpegOf(width: number, height: number, tail = ''): Uint8Array {
  const app0 = [0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0];
  const sof0 = [0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0];
  return Uint8Array.from([0xff, 0xd8, ...app0, ...sof0, ...textBytes(tail), 0xff, 0xd9]);
}

export function frameOf(track: Track, timestampMs: number, payload: Uint8Array | string, keyframe = track === 'image'): Frame {
  return { track, keyframe, timestampMs, payload: typeof payload === 'string' ? textBytes(payload) : payload };
}

export const FRAMES: readonly Frame[] = [
  frameOf('dom', NOW_MS - 2_000, '[{"type":4},{"type":2}]', true),
  frameOf('dom', NOW_MS - 1_500, '{"type":3}'),
  frameOf('image', NOW_MS - 1_000, jpegOf(360, 800, 'first')),
  frameOf('signal', NOW_MS - 900, '{"kind":"click","selector":".checkout-btn"}'),
  frameOf('hierarchy', NOW_MS - 800, '{"view":"root"}'),
];

const picture = jpegOf(360, 800, 'same');

/** Two windows, all tracks, a picture that comes twice, clocks that go backwards, offsets with holes. */
export const POSITIONED: readonly PositionedFrame[] = [
  ...FRAMES.map((frame, index) => Object.assign({ position: { offset: toOffset(7), index }, windowId: 'window-a' }, frame)),
  { ...frameOf('image', NOW_MS - 5_000, picture), position: { offset: toOffset(9), index: 0 }, windowId: 'window-b' },
  { ...frameOf('image', NOW_MS - 4_000, picture), position: { offset: toOffset(9), index: 1 }, windowId: 'window-b' },
  {
    ...frameOf('dom', NOW_MS - 3_000, '[{"type":4},{"type":2}]', true),
    position: { offset: toOffset(300), index: 2 },
    windowId: 'window-a',
  },
];

/** A keyframe in three parts with a frame of another window between them, then a whole frame. */
export const PARTS: readonly Frame[] = [
  ...splitFrame(frameOf('dom', NOW_MS - 2_000, '[{"type":4},{"type":2}]', true), 10),
  frameOf('dom', NOW_MS - 1_500, '{"type":3}'),
];
export const POSITIONED_PARTS: readonly PositionedFrame[] = [
  ...PARTS.map((frame, i) => Object.assign({ position: { offset: toOffset(7 + i * 2), index: 0 }, windowId: 'window-a' }, frame)),
  { ...frameOf('dom', NOW_MS - 1_700, '{"type":3}'), position: { offset: toOffset(10), index: 0 }, windowId: 'window-b' },
].toSorted((a, b) => comparePositions(a.position, b.position));

/** A part as any format can tell it; mostly none. */
export const anyPart = fc
  .option(fc.record({ number: fc.nat(FRAME_PARTS_MAX - 1), continues: fc.boolean() }), { nil: undefined, freq: 2 })
  // The first that does not go on is the whole.
  .map((part) => (part?.number === 0 && !part.continues ? undefined : part));

/** Runs a decoder: `read` when it answers, `fault` when it throws an error of the class it promises; any other error goes on. */
export function outcomeOf(faultClass: abstract new (...args: never[]) => Error, decode: () => unknown): 'read' | 'fault' {
  try {
    decode();
    return 'read';
  } catch (error) {
    if (error instanceof faultClass) return 'fault';
    throw error;
  }
}

/** The other way; no more than `rawLength` bytes are allocated. */
export function unzstd(piece: Uint8Array, rawLength: number): Uint8Array {
  return new Uint8Array(zstdDecompressSync(piece, { maxOutputLength: Math.max(1, rawLength) }));
}

export function zstd(raw: Uint8Array): Uint8Array {
  return new Uint8Array(zstdCompressSync(raw));
}

const block: FlushBlock = {
  projectId: 'shop',
  sessionId: '0190a0b0-0000-7000-8000-000000000001',
  blockOffset: 0,
  blockLength: 4096,
  firstOffset: toOffset(7),
  lastOffset: toOffset(300),
  firstTimestampMs: NOW_MS - 5_000,
  lastTimestampMs: NOW_MS - 800,
  firstReceivedAtMs: NOW_MS - 700,
  lastReceivedAtMs: NOW_MS,
  windows: ['window-a', 'window-b'],
  counts: {
    frames: 8,
    images: 3,
    keyframes: 5,
    clicks: 1,
    inputs: 2,
    navigations: 3,
    consoles: 4,
    requests: 5,
    errors: 6,
    crashes: 7,
    customs: 9,
    gaps: 10,
  },
  uploads: 3,
  duplicates: 1,
  rejected: 2,
  bytesReceived: 12_345,
  pages: ['https://shop.example/', 'https://shop.example/é'],
  facts: { url: 'https://shop.example/' },
  marks: Uint8Array.of(1, 0),
  frameIndex: Uint8Array.of(1, 0, 0, 0),
};

const flush: Flush = {
  partition: 3,
  prevLastOffset: toOffset(-1),
  firstOffset: toOffset(4),
  lastOffset: toOffset(300),
  objectKey: '3/4-300.phb',
  objectBytes: 4096,
  createdAtMs: NOW_MS,
  writer: 'compactor-1',
  gap: { firstOffset: toOffset(0), lastOffset: toOffset(3) },
  blocks: [block],
};

// In the order of the schema's fields.
const { projectId, sessionId, ...rest } = block;
const merge: Merge = {
  partition: 3,
  number: 12,
  objectKey: '3/merged-12.phb',
  objectBytes: 4096,
  createdAtMs: NOW_MS + 600_000,
  writer: 'merger-1',
  blocks: [{ projectId, sessionId, firstFlush: toOffset(300), lastFlush: toOffset(900), ...rest }],
};

/** One full record of each topic; every nullable field set. `sessions` has two kinds. */
export const RECORDS: { readonly [T in keyof TopicRecords]: readonly Required<TopicRecords[T]>[] } = {
  'playhead.uploads': [
    {
      projectId: 'shop',
      sessionId: '0190a0b0-0000-7000-8000-000000000001',
      windowId: 'window-a',
      uploadId: 'upload-1',
      counter: 12,
      track: 'image',
      format: 'frame-bundle-le',
      codec: 'gzip',
      sentAtMs: NOW_MS - 20,
      receivedAtMs: NOW_MS,
      epochMs: NOW_MS - 60_000,
      goodbye: true,
      facts: { userAgent: 'Phone 1.0' },
      body: Uint8Array.of(0x1f, 0x8b, 8, 0),
      outline: Uint8Array.of(1, 0),
    },
  ],
  'playhead.flushes': [flush],
  'playhead.merges': [merge],
  'playhead.sessions': [
    {
      kind: 'started',
      projectId: 'shop',
      sessionId: '0190a0b0-0000-7000-8000-000000000001',
      startedAtMs: NOW_MS - 60_000,
      source: 'web',
      userId: 'u-1',
      facts: { title: 'Shop' },
    },
    { kind: 'ended', projectId: 'shop', sessionId: '0190a0b0-0000-7000-8000-000000000001', endedAtMs: NOW_MS, reason: 'silence' },
  ],
  'playhead.watches': [
    { projectId: 'shop', sessionId: '0190a0b0-0000-7000-8000-000000000001', watchId: 'watch-1', expiresAtMs: NOW_MS + 15_000 },
  ],
  'playhead.rejected': [
    {
      projectId: 'shop',
      sessionId: '0190a0b0-0000-7000-8000-000000000001',
      windowId: 'window-a',
      uploadId: 'upload-1',
      partition: 3,
      offset: toOffset(8),
      code: 'frame_not_image',
      message: 'A frame that should be a picture is not one. (frame 2 at byte 99)',
      framesKept: 2,
      byteOffset: 99,
      rejectedAtMs: NOW_MS,
      body: Uint8Array.of(1, 2, 3),
    },
  ],
};

/** What the outline of a body with these frames tells. */
export function outlined(frames: readonly Frame[]): object[] {
  return frames.map(({ track, keyframe, timestampMs, part, payload }) => ({
    track,
    keyframe,
    timestampMs,
    part,
    length: payload.length,
    signal: track === 'signal' ? payload : undefined,
  }));
}

/** The same, read from an outline. */
export function toldBy(outline: Uint8Array): object[] {
  const told: object[] = [];
  const frame = new OutlineCursor(outline);
  while (frame.next()) {
    const { track, timestampMs, length, at } = frame;
    const signal = track === 'signal' ? outline.subarray(at, at + length) : undefined;
    told.push({ track, timestampMs, length, signal, part: undefined, ...readFlags(frame.flags) });
  }
  return told;
}

/** The frames as a merge lays them out, but for its compressor. @param picturePieceRawBytes as `cutBlock` takes it */
export function encodeMerged(
  frames: readonly PositionedFrame[],
  compress: Compress,
  picturePieceRawBytes = PICTURE_PIECE_RAW_BYTES,
): { readonly bytes: Uint8Array; readonly frameIndex: Uint8Array } {
  const cut = cutBlock(frames, MERGED_PIECE_RAW_BYTES, picturePieceRawBytes);
  const pieces = cut.pieces.map((piece) => compress(rawBytesOf(piece)));
  const { parts, length, frameIndex } = layOutBlock(cut, pieces, crc32);
  return { bytes: joinBytes(parts, length), frameIndex };
}
