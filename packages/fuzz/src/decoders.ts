import assert from 'node:assert/strict';
import { brotliCompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import type {
  BodyCodec,
  BodyFormat,
  DecodedBody,
  FlushBlock,
  Frame,
  Joined,
  Offset,
  Outline,
  Position,
  PositionedFrame,
  Topic,
} from '@playhead/schemas';
import {
  BlockFault,
  BODY_FORMATS,
  BytesFault,
  blockParts,
  comparePositions,
  crc32,
  decodeBlock,
  decodeBody,
  decodeFrameBundle,
  decodeFrameBundleLe,
  decodeFrameIndex,
  decodeFrames,
  decodeFramesMessage,
  decodeFrameTar,
  decodeWholeBlockIndex,
  ERROR_CODES,
  encodeBlock,
  encodeFrameIndex,
  encodeFrames,
  encodeFramesMessage,
  encodeOutline,
  FRAME_HEADER_BYTES,
  FRAME_PARTS_MAX,
  FRAMES_HEADER_BYTES,
  FrameJoiner,
  formatPosition,
  imageSize,
  imageType,
  isGzip,
  isSessionId,
  isTarHeader,
  isWindowId,
  LIMITS,
  Marks,
  OutlineCursor,
  PlayheadError,
  parsePosition,
  readOutline,
  SIGNAL_KINDS,
  sniffFormat,
  splitFrame,
  TOPIC_NAMES,
  toOffset,
} from '@playhead/schemas';
import { AVRO_SCHEMAS, avroCodec } from '@playhead/schemas/records';
import { compressPiece, decompressPiece, inflateBodyAsync, readUploadAsync } from '@playhead/uploads';
import { BodyCheck } from '../../../ingest/src/check-body.ts';
import { readStart, START_BYTES_MAX, startedFact } from '../../../ingest/src/core/start-request.ts';
import { epochOf, readUploadQuery, uploadRecord } from '../../../ingest/src/core/upload-request.ts';
import { parseFrom } from '../../../live-gateway/src/handover/core/parse-from.ts';
import { matchesEtag, parseRange } from '../../../live-gateway/src/read-api/range.ts';
import { readGap } from '../../../player/src/core/gaps.ts';
import { readSignal } from '../../../player/src/core/marks.ts';
import { readDomPayload } from '../../../player/src/core/rrweb-frame.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../processors/src/compactor/core/checkpoint.ts';
import { readFrames } from '../../../processors/src/compactor/read-frames.ts';
import { parseSignal } from '../../../processors/src/core/parse-signal.ts';
import { parseConfig, parseSession, parseWindow } from '../../../recorder/src/core/continuity.ts';
import { parseKept } from '../../../recorder/src/core/leaving.ts';
import { parseRetryAfterMs } from '../../../recorder/src/core/retry.ts';
import { framesOfEvents, parseRecording, RecordingFault } from '../../../server/src/import/recording.ts';
import { registryCodec } from '../../log-kafka/src/registry-codec.ts';
import { decodeValue, encodeValue } from '../../log-lmdb/src/record-layout.ts';
import type { Decoder } from './decoder.ts';
import { blockBomb, blockOf, claimingIndex, denseIndex, gzipBombs, jsonBombs, lyingBlock, wideIndex, writtenBytes } from './nasty.ts';
import {
  behind,
  bodiesOf,
  CONTEXT,
  concat,
  golden,
  gzippedBodiesOf,
  hexBytes,
  jpegOf,
  NOW_MS,
  PICTURES,
  POSITIONED,
  repeated,
  SESSION_ID,
  samplesOf,
  TEXTS,
  textBytes,
  textOf,
} from './samples.ts';

/**
 * The table of every decoder of foreign bytes. What is foreign: bodies and requests of recorders, files and objects that a
 * disk or a store gives back, records of a log that others may write to, and what a server or a storage gives a page.
 *
 * `memoryMax` is what a decoder may hold besides its input: decoded values per byte of input, or a limit. Measured peaks lie
 * below (`cost.ts`). No row may run any loop of ours more than STEPS_PER_BYTE times a byte.
 */

/** What a call costs whatever it reads. */
const SMALL = 1024 * 1024;
/** Objects for the smallest parts of a format: bytes of memory a byte of input. */
const perByte =
  (factor: number, limit = Number.POSITIVE_INFINITY) =>
  (bytes: number): number =>
    SMALL + Math.min(factor * bytes, limit);
/** A frame of a body: an object and a view. There are LIMITS.uploadFramesMax at most. */
const FRAME_MEMORY_BYTES = 400;
const frameViews = (frameBytesMin: number) => perByte(FRAME_MEMORY_BYTES / frameBytesMin, FRAME_MEMORY_BYTES * LIMITS.uploadFramesMax);
/** An inflated body, once more while its parts are put together. */
const INFLATED = 2 * LIMITS.uploadInflatedBytesMax;

/** Deflate packs 1032 bytes into one at most. */
const inflatedMax = (bytes: number): number => Math.min(1032 * bytes, LIMITS.uploadInflatedBytesMax);

const nothing = (): readonly Uint8Array[] => [];
const bytesOfText = (bytes: number): readonly Uint8Array[] => [textBytes('1'.repeat(bytes)), textBytes(' '.repeat(bytes))];

/** Of a body's answer: no more frames than allowed, in their order, whole, and a fault that lies behind them. */
function soundBody({ frames, fault }: DecodedBody, bytes: Uint8Array): void {
  assert.ok(frames.length <= LIMITS.uploadFramesMax);
  let end = 0;
  for (const { track, timestampMs, payload } of frames) {
    assert.ok(Number.isSafeInteger(timestampMs) && timestampMs >= LIMITS.timestampMinMs);
    assert.ok(timestampMs <= CONTEXT.receivedAtMs + LIMITS.timestampAheadMaxMs);
    assert.ok(payload.length > 0 && payload.length <= LIMITS.frameBytesMax);
    assert.equal(track === 'image', imageType(payload) !== undefined && track === 'image');
    assert.ok(payload.byteOffset >= end, 'payloads lie one behind the other');
    end = payload.byteOffset + payload.length;
  }
  if (fault === null) return;
  assert.ok(fault.code in ERROR_CODES);
  assert.equal(fault.frameIndex, frames.length);
  assert.ok(fault.message.length < 1000);
  assert.ok(Number.isSafeInteger(fault.byteOffset) && fault.byteOffset >= 0);
  const [first] = frames;
  if (first === undefined || first.payload.buffer !== bytes.buffer) return;
  assert.ok(fault.byteOffset <= bytes.length);
  assert.ok(fault.byteOffset >= end - bytes.byteOffset - 1, 'a fault lies at or behind the end of the last whole frame');
}

const PICTURE = jpegOf(1, 1, '').subarray(0, 3);
const SMALLEST_BODY_FRAME: Readonly<Record<BodyFormat, (bytes: number) => Uint8Array>> = {
  frames: (bytes) =>
    concat(textBytes('PHF\x01'), repeated(concat(Uint8Array.of(1, 0), u64(NOW_MS), hexBytes('00000002'), textBytes('{}')), bytes)),
  'frame-bundle': (bytes) => repeated(concat(u64(0), hexBytes('00000003'), PICTURE), bytes),
  'frame-bundle-le': (bytes) => repeated(concat(u64(NOW_MS).toReversed(), hexBytes('03000000'), PICTURE), bytes),
  'frame-tar': (bytes) => repeated(tarSealed(bodiesOf('frame-tar')[0]?.bytes.slice(0, 1024) ?? new Uint8Array()), bytes),
};

function u64(value: number): Uint8Array {
  return writtenBytes((writer) => writer.u64(value));
}

/** Every tar header gets its checksum. */
function tarSealed(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (!isTarHeader(header)) continue;
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.set(textBytes(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  }
  return bytes;
}

function bodyRow(format: BodyFormat, covers: string, frameBytesMin: number, decode: Decoder['decode']): Decoder {
  return {
    name: format,
    covers: [covers],
    samples: bodiesOf(format),
    decode,
    faults: [],
    memoryMax: frameViews(frameBytesMin),
    nasty: (bytes) => [SMALLEST_BODY_FRAME[format](bytes), concat(SMALLEST_BODY_FRAME[format](bytes / 2), new Uint8Array(bytes / 2))],
    sound: soundBody,
    salvages: true,
    ...(format === 'frame-tar' ? { seal: tarSealed } : {}),
  };
}

const formatAt = (bytes: Uint8Array): BodyFormat => BODY_FORMATS[(bytes[0] ?? 0) % BODY_FORMATS.length] ?? 'frames';
const codecOfBody = (body: Uint8Array): BodyCodec => (isGzip(body) ? 'gzip' : 'identity');
/** Bodies behind a byte that tells their format. */
const uploadSamples = BODY_FORMATS.flatMap((format, number) =>
  [...bodiesOf(format), ...gzippedBodiesOf(format)].map((sample) => behind(Uint8Array.of(number), sample)),
);
const uploadOf = (bytes: Uint8Array) => ({
  format: formatAt(bytes),
  codec: codecOfBody(bytes.subarray(1)),
  ...CONTEXT,
  body: bytes.subarray(1),
});
/** The smallest frames that there can be, as they are and gzipped; `prefix` tells the format. */
const uploadBombs = (bytes: number, prefix: (format: number) => Uint8Array): Uint8Array[] =>
  BODY_FORMATS.flatMap((format, number) => {
    const body = SMALLEST_BODY_FRAME[format](bytes);
    return [body, new Uint8Array(gzipSync(SMALLEST_BODY_FRAME[format](32 * bytes)))].map((one) => concat(prefix(number), one));
  });

const { bytes: BLOCK, frameIndex: INDEX } = encodeBlock(POSITIONED, compressPiece);
/** As a merge lays it out: `compressPieceWell` without waiting for it. */
const { bytes: MERGED } = encodeBlock(POSITIONED, (raw) =>
  brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 7, [constants.BROTLI_PARAM_LGWIN]: 20 } }),
);
/** A block with a piece that is a body. */
const MOVED = (() => {
  const upload = toOffset(7);
  const body = { compressed: new Uint8Array(gzipSync(encodeFrames(TEXTS))), outline: readOutline(encodeOutline(TEXTS)) };
  const { parts, frameIndex } = blockParts([{ offset: upload, windowId: 'window-a', frames: [], body }], compressPiece, crc32);
  return { block: concat(...parts), frameIndex };
})();

/** The last four bytes of a block are the checksum of what is before them. */
function blockSealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 4;
  if (end >= 0) new DataView(bytes.buffer, bytes.byteOffset).setUint32(end, crc32(bytes.subarray(0, end)));
  return bytes;
}

function checkpointSealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 8) new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, crc32(bytes.subarray(8)));
  return bytes;
}

function ascending(frames: readonly { readonly position: Position }[]): void {
  for (const [i, { position }] of frames.entries()) {
    const before = frames[i - 1]?.position;
    assert.ok(before === undefined || comparePositions(before, position) < 0, 'positions ascend');
  }
}

const EXAMPLE_MARKS = new Marks();
for (const counter of [0, 1, 5, 900]) EXAMPLE_MARKS.accept({ windowId: 'window-a', uploadId: 'unused', counter });
EXAMPLE_MARKS.accept({ windowId: 'window-b', uploadId: 'upload-1', counter: null });

/** Marks of one window with `bytes / 2` ranges, of many windows, of one window that is named twice. */
function marksBombs(bytes: number): Uint8Array[] {
  const ranges = (count: number) => repeated(Uint8Array.of(2, 0), count * 2);
  const half = Math.floor(bytes / 4);
  return [
    writtenBytes((writer) => {
      for (const value of [1, 1]) writer.varint(value);
      writer.text('w');
      writer.varint(half * 2);
      writer.raw(ranges(half * 2));
      writer.varint(0);
    }),
    writtenBytes((writer) => {
      writer.u8(1);
      writer.varint(Math.floor(bytes / 6));
      for (let i = 0; i < Math.floor(bytes / 6); i++) {
        writer.text(i.toString(36).padStart(3, '0'));
        writer.varint(0);
        writer.varint(0);
      }
    }),
    writtenBytes((writer) => {
      for (const value of [1, 2]) writer.varint(value);
      for (const window of [1, 2]) {
        writer.text('w');
        writer.varint(half);
        writer.raw(Uint8Array.of(window, 0));
        writer.raw(ranges(half - 1));
        writer.varint(0);
      }
    }),
    writtenBytes((writer) => {
      for (const value of [1, 1]) writer.varint(value);
      writer.text('w');
      writer.varint(0);
      writer.varint(2 ** 50);
      for (let i = 0; i < bytes / 4; i++) writer.text(i.toString(36).padStart(3, '0'));
    }),
  ];
}

const CHECKPOINT = encodeCheckpoint({
  partition: 3,
  flushesOffset: toOffset(17),
  flush: { prevLastOffset: toOffset(-1), firstOffset: toOffset(4), lastOffset: toOffset(300), objectKey: '3/4-300.phb' },
  sessionsNext: toOffset(9),
  newestMs: NOW_MS,
  known: [{ projectId: 'shop', sessionId: SESSION_ID, seenAtMs: NOW_MS, marks: EXAMPLE_MARKS }],
  open: [
    {
      projectId: 'shop',
      sessionId: SESSION_ID,
      lastReceivedAtMs: NOW_MS,
      windows: new Map([['window-a', { windowId: 'window-a', lastSeenMs: NOW_MS, goodbye: true, goodbyeCounter: 7 }]]),
    },
  ],
  ended: [{ projectId: 'shop', sessionId: `${SESSION_ID}-2`, endedAtMs: NOW_MS }],
});

/** Checkpoints of many sessions that are only named, that have empty marks, or a window. */
function checkpointBombs(bytes: number): Uint8Array[] {
  const head = (sessions: number) =>
    writtenBytes((writer) => {
      writer.raw(hexBytes('5048430100000000'));
      for (const value of [0, 0, 0, 0, 0, 0, 0, 0, sessions]) writer.varint(value);
    });
  return [
    hexBytes('00000700020100000000'),
    hexBytes('00000100020100'),
    hexBytes('0000020000'),
    hexBytes('00000400'),
    hexBytes('000000'),
  ].map((session) => checkpointSealed(concat(head(Math.floor(bytes / session.length)), repeated(session, bytes))));
}

const PARTS = [
  ...splitFrame({ track: 'dom', keyframe: true, timestampMs: NOW_MS, payload: textBytes('[{"type":4},{"type":2}]') }, 10),
].flatMap((part, i) => [
  Object.assign({ position: { offset: toOffset(i), index: 0 }, windowId: 'window-a' }, part),
  Object.assign({ position: { offset: toOffset(i), index: 1 }, windowId: 'window-b' }, part),
]);

function messageOf(count: number, frame: (i: number) => Pick<PositionedFrame, 'windowId' | 'part'>): Uint8Array {
  const frames = Array.from({ length: count }, (_, i) => ({
    position: { offset: toOffset(i), index: 0 },
    track: 'dom' as const,
    keyframe: false,
    timestampMs: NOW_MS,
    payload: textBytes('{'),
    ...frame(i),
  }));
  return encodeFramesMessage({ receivedAtMs: NOW_MS, sentAtMs: NOW_MS, frames });
}

/** A first part in each of many windows, and no second one. */
function openParts(count: number): Uint8Array {
  return messageOf(count, (i) => ({ windowId: i.toString(36), part: { number: 0, continues: true } }));
}

/** The parts of one window, over and over. */
function oneLongRun(count: number): Uint8Array {
  return messageOf(count, (i) => ({ windowId: 'w', part: { number: i % FRAME_PARTS_MAX, continues: true } }));
}

const registered = new Map(TOPIC_NAMES.map((topic, i) => [i + 1, JSON.stringify(AVRO_SCHEMAS[topic])]));
/** A schema of tomorrow: a field more, an array of nothing, which takes no byte an item. */
const LATER_ID = 99;
registered.set(LATER_ID, JSON.stringify(laterSchema(AVRO_SCHEMAS['playhead.watches'])));
const kafkaCodec = await registryCodec({
  register: async (subject) => TOPIC_NAMES.findIndex((topic) => subject === `${topic}-value`) + 1,
  schema: async (_subject, id) => registered.get(id),
});

function laterSchema(schema: unknown): object {
  const { fields, ...rest } = schema as { readonly fields: readonly object[] };
  const added = { name: 'later', type: { type: 'array', items: 'null' }, default: [] };
  return { ...rest, fields: [...fields, added] };
}

function topicAt(bytes: Uint8Array): Topic {
  return TOPIC_NAMES[(bytes[0] ?? 0) % TOPIC_NAMES.length] ?? 'playhead.uploads';
}

const EXAMPLE_UPLOAD = avroCodec.decode('playhead.uploads', golden('playhead.uploads')[0] ?? new Uint8Array());
const EXAMPLE_FLUSH = avroCodec.decode('playhead.flushes', golden('playhead.flushes')[0] ?? new Uint8Array());
const EXAMPLE_MERGE = avroCodec.decode('playhead.merges', golden('playhead.merges')[0] ?? new Uint8Array());
const NO_BYTES = new Uint8Array();
const emptied = <B extends FlushBlock>(block: B, pages: readonly string[] = []): B => ({
  ...block,
  projectId: '',
  sessionId: '',
  windows: [],
  pages,
  facts: {},
  marks: NO_BYTES,
  frameIndex: NO_BYTES,
});

const goldenRecords = TOPIC_NAMES.flatMap((topic, number) => golden(topic).map((bytes) => ({ topic, number, bytes })));
/** A record that is written again is the same record. */
function soundRecord(record: never, bytes: Uint8Array): void {
  const topic = topicAt(bytes);
  assert.deepStrictEqual(avroCodec.decode(topic, avroCodec.encode(topic, record)), record);
}

/** Records with as many facts, pages and blocks as fit, each behind the number of its topic. */
function recordBombs(bytes: number): Uint8Array[] {
  const of = (topic: Topic, record: Uint8Array): Uint8Array => concat(Uint8Array.of(TOPIC_NAMES.indexOf(topic)), record);
  const upload = avroCodec.encode('playhead.uploads', { ...EXAMPLE_UPLOAD, facts: { '': '' }, body: NO_BYTES });
  // Behind the facts' one entry: the end of the map, no body, no outline.
  const factsAt = upload.length - 6;
  const flush = avroCodec.encode('playhead.flushes', { ...EXAMPLE_FLUSH, blocks: [] });
  const merge = avroCodec.encode('playhead.merges', { ...EXAMPLE_MERGE, blocks: [] });
  const many = <B extends FlushBlock>(blocks: readonly B[]): B[] =>
    Array.from({ length: Math.floor(bytes / 64) }, () => blocks.map((block) => emptied(block))).flat();
  const pages = Array.from({ length: bytes }, () => '');
  const manyPages = EXAMPLE_FLUSH.blocks.map((block) => emptied(block, pages));
  return [
    of('playhead.uploads', concat(upload.subarray(0, factsAt), zigzag(Math.floor(bytes / 4)), manyFacts(bytes), Uint8Array.of(0, 0, 0))),
    of(
      'playhead.uploads',
      concat(upload.subarray(0, factsAt), zigzag(Math.floor(bytes / 2)), new Uint8Array(bytes), Uint8Array.of(0, 0, 0)),
    ),
    of('playhead.flushes', avroCodec.encode('playhead.flushes', { ...EXAMPLE_FLUSH, blocks: many(EXAMPLE_FLUSH.blocks) })),
    of('playhead.flushes', avroCodec.encode('playhead.flushes', { ...EXAMPLE_FLUSH, blocks: manyPages })),
    of('playhead.flushes', concat(flush.subarray(0, -1), repeated(zigzag(-1), bytes))),
    of('playhead.merges', avroCodec.encode('playhead.merges', { ...EXAMPLE_MERGE, blocks: many(EXAMPLE_MERGE.blocks) })),
    of('playhead.merges', concat(merge.subarray(0, -1), repeated(zigzag(-1), bytes))),
  ];
}

function zigzag(value: number): Uint8Array {
  return writtenBytes((writer) => writer.zigzag(value));
}

function manyFacts(bytes: number): Uint8Array {
  return writtenBytes((writer) => {
    for (let i = 0; i < Math.floor(bytes / 4); i++) {
      writer.raw(concat(zigzag(3), textBytes(i.toString(36).padStart(3, '0').slice(-3)), zigzag(0)));
    }
  });
}

const START = { sessionId: SESSION_ID, windowId: 'window-a', userId: 'ada', source: 'web', startedAtMs: NOW_MS, facts: { title: 'Shop' } };
const QUERY = `window=window-a&upload=upload-1&counter=12&format=auto&codec=auto&sentAtMs=${NOW_MS}&epochMs=${NOW_MS - 60_000}&goodbye=1`;
const UPLOAD_FIELDS = readUploadQuery({ window: 'w', upload: 'u', epochMs: String(CONTEXT.epochMs), format: 'auto' }, NOW_MS);
const bodyCheck = new BodyCheck(1);

/** As the framework does: a parameter that is given twice is a list. */
function queryOf(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const known = Object.hasOwn(query, name) ? query[name] : undefined;
    const all = Array.isArray(known) ? [...(known as unknown[]), value] : [known, value];
    Object.defineProperty(query, name, { value: known === undefined ? value : all, enumerable: true, configurable: true, writable: true });
  }
  return query;
}

function soundFacts(facts: Readonly<Record<string, string>>): void {
  assert.ok(Object.keys(facts).length <= LIMITS.factsMax);
  for (const text of Object.values(facts)) assert.ok(text.length <= LIMITS.factCharsMax);
}

interface SignalReadings {
  readonly signal: ReturnType<typeof parseSignal>;
  readonly shown: ReturnType<typeof readSignal>;
  readonly gap: ReturnType<typeof readGap>;
}

const EVENTS = [
  { type: 4, timestamp: NOW_MS, data: { href: 'https://shop.example/', width: 800, height: 600 } },
  { type: 2, timestamp: NOW_MS + 1, data: { node: { type: 0, childNodes: [] }, initialOffset: { top: 0, left: 0 } } },
  { type: 3, timestamp: NOW_MS + 20, data: { source: 2, type: 2, x: 10, y: 20 } },
];
const LINES = `${EVENTS.map((event) => JSON.stringify(event)).join('\n')}\n`;

const DIGIT_ARGUMENT = 0x30;
const ZLIB_RUNS_DIVISOR = 20;
/** Node takes no longer request line and headers. */
const URL_BYTES_MAX = 16 * 1024;

export const DECODERS: readonly Decoder[] = [
  bodyRow('frames', 'schemas/src/formats/frames.ts decodeFrames', 15, (bytes) => decodeFrames(bytes, CONTEXT)),
  bodyRow('frame-bundle', 'schemas/src/formats/frame-bundle.ts decodeFrameBundle', 15, (bytes) => decodeFrameBundle(bytes, CONTEXT)),
  bodyRow('frame-bundle-le', 'schemas/src/formats/frame-bundle.ts decodeFrameBundleLe', 15, (bytes) => decodeFrameBundleLe(bytes, CONTEXT)),
  bodyRow('frame-tar', 'schemas/src/formats/frame-tar.ts decodeFrameTar', 1024, (bytes) => decodeFrameTar(bytes, CONTEXT)),
  {
    name: 'body',
    covers: ['schemas/src/formats/decode-body.ts decodeBody'],
    samples: BODY_FORMATS.flatMap((format, number) => bodiesOf(format).map((sample) => behind(Uint8Array.of(number), sample))),
    decode: (bytes) => decodeBody(formatAt(bytes), bytes.subarray(1), CONTEXT),
    faults: [],
    memoryMax: frameViews(15),
    nasty: nothing,
    sound: (answer: DecodedBody, bytes: Uint8Array) => soundBody(answer, bytes.subarray(1)),
    salvages: true,
  },
  {
    name: 'sniffed-format',
    covers: [
      'schemas/src/formats/decode-body.ts sniffFormat',
      'schemas/src/formats/decode-body.ts isGzip',
      'schemas/src/formats/frame-tar.ts isTarHeader',
    ],
    samples: samplesOf(BODY_FORMATS.flatMap(bodiesOf).map(({ bytes }) => bytes)),
    decode: (bytes) => [sniffFormat(bytes), isGzip(bytes), isTarHeader(bytes)],
    faults: [],
    memoryMax: perByte(0),
    nasty: (bytes) => [SMALLEST_BODY_FRAME.frames(bytes)],
  },
  {
    name: 'image',
    covers: ['schemas/src/image-info.ts imageType', 'schemas/src/image-info.ts imageSize'],
    samples: samplesOf(PICTURES),
    decode: (bytes) => ({ type: imageType(bytes), size: imageSize(bytes) }),
    faults: [],
    memoryMax: perByte(0),
    nasty: (bytes) => [
      concat(hexBytes('ffd8'), new Uint8Array(bytes).fill(0xff)),
      concat(hexBytes('ffd8'), repeated(hexBytes('ffe00000'), bytes)),
      concat(hexBytes('ffd8'), repeated(hexBytes('ff01'), bytes)),
    ],
    sound: ({ type, size }: { type?: string; size?: { width: number; height: number } }) => {
      if (size)
        assert.ok(
          type !== undefined && Number.isSafeInteger(size.width) && Number.isSafeInteger(size.height) && size.width > 0 && size.height > 0,
        );
    },
  },
  {
    name: 'position',
    covers: ['schemas/src/position.ts parsePosition', 'live-gateway/src/handover/core/parse-from.ts parseFrom'],
    samples: samplesOf(['-1.0', '9007199254740991.9999999999', '12.3', 'start', 'keyframe']),
    decode: (bytes) => ({ from: parseFrom(textOf(bytes)), position: parsePosition(textOf(bytes)) }),
    faults: [],
    memoryMax: perByte(4),
    nasty: bytesOfText,
    sound: ({ position }: { position?: Position }) => {
      if (position) assert.deepEqual(parsePosition(formatPosition(position)), position);
    },
  },
  {
    name: 'frame-index',
    covers: ['schemas/src/formats/frame-index.ts decodeFrameIndex'],
    samples: samplesOf([INDEX, MOVED.frameIndex, ...golden('frame-index')]),
    decode: decodeFrameIndex,
    faults: [BytesFault],
    memoryMax: perByte(128),
    nasty: (bytes) => [
      wideIndex(Math.floor(bytes / 6), 'dom'),
      wideIndex(Math.floor(bytes / 5), 'image'),
      denseIndex(Math.floor(bytes / 2)),
      claimingIndex(Math.floor(bytes / 16), 1, LIMITS.frameBytesMax),
    ],
    sound: (index: ReturnType<typeof decodeFrameIndex>) => {
      ascending(index.frames);
      assert.equal(decodeFrameIndex(encodeFrameIndex(index)).frames.length, index.frames.length);
    },
  },
  {
    name: 'outline',
    covers: ['schemas/src/formats/outline.ts readOutline'],
    samples: samplesOf([encodeOutline(TEXTS), ...golden('outline')]),
    decode: readOutline,
    faults: [BytesFault],
    memoryMax: perByte(0),
    nasty: (bytes) => [
      writtenBytes((writer) => {
        writer.u8(1);
        writer.varint(Math.floor(bytes / 3));
        for (let at = 0; at + 3 <= bytes; at += 3) writer.raw(Uint8Array.of(1, 0, 1));
      }),
    ],
    sound: ({ bytes, frames, rawLength }: Outline) => {
      const frame = new OutlineCursor(bytes);
      let payloadBytes = 0;
      while (frame.next()) {
        payloadBytes += frame.length;
        assert.ok(frame.track !== 'signal' || frame.at + frame.length <= bytes.length);
      }
      assert.equal(frame.index, frames);
      assert.equal(rawLength, FRAMES_HEADER_BYTES + frames * FRAME_HEADER_BYTES + payloadBytes);
    },
  },
  {
    name: 'block',
    covers: [
      'schemas/src/block.ts decodeBlock',
      'schemas/src/block.ts decodeBlockIndex',
      'schemas/src/block.ts decodeWholeBlockIndex',
      'schemas/src/block.ts inflatePiece',
      'packages/uploads/src/pieces.ts decompressPiece',
    ],
    samples: samplesOf([BLOCK, MERGED, MOVED.block, ...golden('block')]),
    decode: (bytes) => ({ index: decodeWholeBlockIndex(bytes), frames: decodeBlock(bytes, decompressPiece) }),
    faults: [BlockFault],
    // Two indexes here, the frames, and what the pieces inflate to.
    memoryMax: (bytes) => perByte(320)(bytes) + LIMITS.blockInflatedBytesMax,
    nasty: (bytes) => [
      ...[denseIndex(Math.floor(bytes / 2)), wideIndex(Math.floor(bytes / 5), 'image'), wideIndex(Math.floor(bytes / 2048), 'dom')].map(
        (index) => blockSealed(blockOf(index, new Uint8Array())),
      ),
      blockSealed(blockBomb(4, LIMITS.frameBytesMax)),
      blockSealed(lyingBlock(Math.floor(bytes / 16), LIMITS.frameBytesMax)),
    ],
    seal: blockSealed,
    sound: ({ frames, index }: { frames: readonly { position: Position }[]; index: { frames: readonly unknown[] } }) => {
      ascending(frames);
      assert.equal(frames.length, index.frames.length);
    },
  },
  {
    name: 'marks',
    covers: ['schemas/src/marks.ts decode'],
    samples: samplesOf([EXAMPLE_MARKS.encode(), ...golden('marks')]),
    decode: (bytes) => Marks.decode(bytes),
    faults: [BytesFault],
    memoryMax: perByte(160),
    nasty: marksBombs,
    sound: (marks: Marks) => assert.deepEqual(Marks.decode(marks.encode()).encode(), marks.encode()),
  },
  {
    name: 'wire',
    covers: ['schemas/src/wire-codec.ts decodeFramesMessage'],
    samples: samplesOf([encodeFramesMessage({ receivedAtMs: NOW_MS, sentAtMs: NOW_MS - 1, frames: POSITIONED }), ...golden('wire-frames')]),
    decode: decodeFramesMessage,
    faults: [BytesFault],
    memoryMax: perByte(32),
    nasty: (bytes) => [
      concat(
        hexBytes(`0101${'00'.repeat(16)}0001`),
        hexBytes('ffffffff'),
        Uint8Array.of(0),
        repeated(concat(new Uint8Array(14), Uint8Array.of(1), new Uint8Array(13)), bytes),
      ),
      concat(hexBytes(`0101${'00'.repeat(16)}ffffffffffff`), new Uint8Array(bytes)),
    ],
    sound: ({ frames }: { frames: readonly Frame[] }) => {
      for (const { payload } of frames) assert.ok(payload instanceof Uint8Array);
    },
  },
  {
    name: 'joined-frames',
    covers: ['schemas/src/frame-joiner.ts take'],
    samples: samplesOf([encodeFramesMessage({ receivedAtMs: NOW_MS, sentAtMs: NOW_MS - 1, frames: PARTS })]),
    decode: (bytes) => {
      const joiner = new FrameJoiner();
      const joined = decodeFramesMessage(bytes).frames.map((frame) => joiner.take(frame));
      return { joined, joiner };
    },
    faults: [BytesFault],
    memoryMax: perByte(96),
    nasty: (bytes) => [openParts(Math.floor(bytes / 36)), oneLongRun(Math.floor(bytes / 30))],
    sound: ({ joined, joiner }: { joined: readonly Joined[]; joiner: FrameJoiner }) => {
      for (const { frame } of joined) assert.equal(frame?.part, undefined);
      assert.ok(joiner.bytes <= LIMITS.joiningBytesMax);
    },
  },
  {
    name: 'avro',
    covers: ['schemas/src/records/index.ts decode', 'schemas/src/records/index.ts avroReader'],
    samples: samplesOf(goldenRecords.map(({ number, bytes }) => concat(Uint8Array.of(number), bytes))),
    decode: (bytes) => avroCodec.decode(topicAt(bytes), bytes.subarray(1)),
    faults: [BytesFault],
    memoryMax: perByte(64),
    nasty: recordBombs,
    sound: soundRecord,
  },
  {
    name: 'avro-registry',
    covers: ['packages/log-kafka/src/registry-codec.ts decode'],
    samples: samplesOf([
      ...goldenRecords.map(({ topic, number, bytes }) =>
        concat(Uint8Array.of(number), kafkaCodec.encode(topic, avroCodec.decode(topic, bytes))),
      ),
      ...golden('playhead.watches').map((bytes) =>
        concat(Uint8Array.of(TOPIC_NAMES.indexOf('playhead.watches'), 0, 0, 0, 0, LATER_ID), bytes.subarray(1), Uint8Array.of(0)),
      ),
    ]),
    decode: async (bytes) => {
      const topic = topicAt(bytes);
      await kafkaCodec.ready?.(topic, bytes.subarray(1));
      return kafkaCodec.decode(topic, bytes.subarray(1));
    },
    faults: [BytesFault],
    memoryMax: perByte(64),
    nasty: (bytes) => [
      concat(
        Uint8Array.of(TOPIC_NAMES.indexOf('playhead.watches'), 0, 0, 0, 0, LATER_ID, 0, 0, 0, 0),
        repeated(zigzag(Math.floor(bytes / 2)), bytes),
      ),
    ],
    sound: soundRecord,
  },
  {
    name: 'lmdb-value',
    covers: ['packages/log-lmdb/src/record-layout.ts decodeValue'],
    samples: samplesOf([new Uint8Array(encodeValue(NOW_MS, SESSION_ID, (room) => concat(new Uint8Array(room), textBytes('record'))))]),
    decode: decodeValue,
    faults: [BytesFault],
    memoryMax: perByte(4),
    nasty: (bytes) => [new Uint8Array(encodeValue(NOW_MS, 'k'.repeat(Math.min(bytes, 65_535)), (room) => new Uint8Array(room + bytes)))],
  },
  {
    name: 'checkpoint',
    covers: ['processors/src/compactor/core/checkpoint.ts decodeCheckpoint'],
    samples: samplesOf([CHECKPOINT]),
    decode: decodeCheckpoint,
    faults: [BytesFault],
    memoryMax: perByte(160),
    nasty: checkpointBombs,
    seal: checkpointSealed,
  },
  {
    name: 'inflated-body',
    runsDivisor: ZLIB_RUNS_DIVISOR,
    covers: ['packages/uploads/src/inflate-body.ts inflateBodyAsync', 'packages/uploads/src/gunzip-salvage.ts gunzipSalvage'],
    samples: BODY_FORMATS.flatMap((format) => gzippedBodiesOf(format).map(({ bytes }) => ({ bytes }))),
    decode: (bytes) => inflateBodyAsync('gzip', bytes),
    faults: [],
    memoryMax: () => SMALL + INFLATED,
    nasty: gzipBombs,
    sound: ({ bytes: inflated, fault }: { bytes: Uint8Array; fault: { byteOffset: number; code: string } | null }, body: Uint8Array) => {
      assert.ok(inflated.length <= LIMITS.uploadInflatedBytesMax);
      if (fault === null) assert.ok(Buffer.compare(gunzipSync(body), inflated) === 0);
      else assert.ok(fault.code === 'inflated_too_large' ? inflated.length === 0 : fault.byteOffset === inflated.length);
    },
  },
  {
    name: 'upload',
    runsDivisor: ZLIB_RUNS_DIVISOR,
    covers: ['packages/uploads/src/read-upload.ts readUploadAsync'],
    samples: uploadSamples,
    decode: (bytes) => readUploadAsync(uploadOf(bytes)),
    faults: [],
    memoryMax: (bytes) => SMALL + INFLATED + frameViews(15)(LIMITS.uploadInflatedBytesMax + bytes),
    readsMax: inflatedMax,
    nasty: (bytes) => uploadBombs(bytes, (format) => Uint8Array.of(format)),
    sound: (answer: DecodedBody, bytes: Uint8Array) => soundBody(answer, bytes.subarray(1)),
    salvages: true,
  },
  {
    name: 'compacted-upload',
    runsDivisor: ZLIB_RUNS_DIVISOR,
    covers: ['processors/src/compactor/read-frames.ts readFrames'],
    samples: samplesOf(uploadSamples.map(({ bytes }) => bytes)),
    decode: (bytes) => readFrames(toOffset(7) satisfies Offset, { ...EXAMPLE_UPLOAD, ...uploadOf(bytes) }),
    faults: [],
    memoryMax: (bytes) => SMALL + INFLATED + 2 * frameViews(15)(LIMITS.uploadInflatedBytesMax + bytes),
    nasty: nothing,
    sound: ({ fault }: DecodedBody) => assert.notEqual(fault?.code, 'internal'),
  },
  {
    name: 'door-body',
    runsDivisor: ZLIB_RUNS_DIVISOR,
    covers: [
      'ingest/src/check-body.ts check',
      'ingest/src/core/judge-body.ts judgeBody',
      'packages/uploads/src/inflate-body.ts inflateSound',
      'packages/uploads/src/gunzip-salvage.ts gunzipWhole',
    ],
    samples: BODY_FORMATS.flatMap((format) => [...bodiesOf(format), ...gzippedBodiesOf(format)].map(({ bytes }) => ({ bytes }))),
    decode: (bytes) => bodyCheck.check(bytes, UPLOAD_FIELDS, NOW_MS),
    faults: [PlayheadError],
    memoryMax: (bytes) => SMALL + INFLATED + frameViews(15)(LIMITS.uploadInflatedBytesMax + bytes),
    readsMax: inflatedMax,
    nasty: (bytes) => uploadBombs(bytes, () => new Uint8Array()).slice(0, 2),
    // What the door says yes to is what is read later.
    sound: async (checked: { codec: BodyCodec; format: BodyFormat; epochMs: number; frames: number }, body: Uint8Array) => {
      const { frames } = await readUploadAsync({ ...checked, receivedAtMs: NOW_MS, body });
      assert.equal(frames.length, checked.frames);
    },
  },
  {
    name: 'start-request',
    covers: ['ingest/src/core/start-request.ts readStart'],
    samples: samplesOf([JSON.stringify(START), '{}', '']),
    decode: (bytes) => readStart(bytes, NOW_MS),
    faults: [PlayheadError],
    // Bodies are not longer than START_BYTES_MAX.
    memoryMax: perByte(64),
    nasty: (bytes) => jsonBombs(Math.min(bytes, START_BYTES_MAX), '{"facts":', '}'),
    sound: (start: ReturnType<typeof readStart>) => {
      assert.ok(start.sessionId === undefined || isSessionId(start.sessionId));
      assert.ok(isWindowId(start.source) && start.userId.length <= LIMITS.factCharsMax);
      soundFacts(start.facts);
      avroCodec.encode('playhead.sessions', startedFact('shop', start.sessionId ?? SESSION_ID, start));
    },
  },
  {
    name: 'upload-query',
    covers: ['ingest/src/core/upload-request.ts readUploadQuery'],
    samples: samplesOf([QUERY, `${QUERY}&facts=${encodeURIComponent(JSON.stringify(START.facts))}`, 'window=w&upload=u']),
    decode: (bytes) => readUploadQuery(queryOf(textOf(bytes)), NOW_MS),
    faults: [PlayheadError],
    memoryMax: perByte(64),
    nasty: (bytes) => jsonBombs(Math.min(bytes, URL_BYTES_MAX), `${QUERY}&facts=`),
    sound: (fields: ReturnType<typeof readUploadQuery>) => {
      assert.ok(isWindowId(fields.windowId) && isWindowId(fields.uploadId));
      soundFacts(fields.facts);
      const format = fields.format === 'auto' ? 'frames' : fields.format;
      const body = {
        format,
        codec: 'gzip',
        epochMs: fields.epochMs === undefined ? 0 : epochOf(format, fields),
        body: new Uint8Array(),
        outline: new Uint8Array(),
      } as const;
      avroCodec.encode('playhead.uploads', uploadRecord({ projectId: 'shop', sessionId: SESSION_ID, receivedAtMs: NOW_MS }, fields, body));
    },
  },
  {
    name: 'range',
    covers: ['live-gateway/src/read-api/range.ts parseRange', 'live-gateway/src/read-api/range.ts matchesEtag'],
    samples: samplesOf(['5bytes=0-4', '9bytes=-3', '0bytes=0-', '9bytes=7-', '9"tag", W/"other"']),
    // The first byte is the size.
    decode: (bytes) => {
      const size = Math.max(0, (bytes[0] ?? 0) - DIGIT_ARGUMENT);
      const header = textOf(bytes.subarray(1));
      return { size, span: parseRange(header, size), known: matchesEtag(header, '"tag"') };
    },
    faults: [],
    memoryMax: perByte(64),
    nasty: (bytes) => [`9bytes=${' '.repeat(bytes)}`, `9${','.repeat(bytes)}`, `9bytes=${'1'.repeat(bytes)}-`].map(textBytes),
    sound: ({ size, span }: { size: number; span: ReturnType<typeof parseRange> }) => {
      if (typeof span === 'object') assert.ok(span.first >= 0 && span.first <= span.last && span.last < size);
    },
  },
  {
    name: 'signal',
    covers: ['processors/src/core/parse-signal.ts parseSignal', 'player/src/core/marks.ts readSignal', 'player/src/core/gaps.ts readGap'],
    samples: samplesOf([
      '{"kind":"click","selector":".a","text":"b","url":"https://c","value":"d","x":1,"y":2}',
      '{"kind":"error"}',
      '{"kind":"gap","reason":"background","fromMs":1718000000000,"toMs":1718000001000,"frames":3,"bytes":9}',
      '{"kind":"constructor"}',
    ]),
    decode: (bytes) => {
      const value = jsonOrNothing(bytes);
      return { signal: parseSignal(bytes), shown: readSignal(value), gap: readGap(value, NOW_MS) };
    },
    faults: [],
    memoryMax: perByte(64),
    nasty: (bytes) => jsonBombs(Math.min(bytes, 64 * 1024)),
    sound: ({ signal, shown, gap }: SignalReadings) => {
      if (gap) assert.ok(Number.isFinite(gap.fromMs) && gap.fromMs <= gap.toMs && (gap.frames ?? 0) >= 0);
      assert.ok(SIGNAL_KINDS.includes(signal.kind));
      assert.ok(shown === undefined || SIGNAL_KINDS.includes(shown.kind));
      for (const text of [signal.selector, signal.text, signal.value]) assert.ok((text ?? '').length <= LIMITS.signalTextCharsMax);
      assert.ok((signal.url ?? '').length <= LIMITS.factCharsMax);
    },
  },
  {
    name: 'dom-payload',
    covers: ['player/src/core/rrweb-frame.ts readDomPayload'],
    samples: samplesOf([JSON.stringify(EVENTS.slice(0, 2)), ...EVENTS.map((event) => JSON.stringify(event))]),
    decode: (bytes) => ({ events: readDomPayload(bytes, NOW_MS) }),
    faults: [],
    memoryMax: perByte(64),
    nasty: (bytes) => jsonBombs(bytes, '[{"type":3,"data":{"source":1,"x":', '}}]'),
  },
  {
    name: 'rrweb-recording',
    covers: ['server/src/import/recording.ts parseRecording', 'server/src/import/recording.ts framesOfEvents'],
    samples: samplesOf([JSON.stringify(EVENTS), LINES, `\n${LINES}\n`]),
    decode: (bytes) => framesOfEvents(parseRecording(textOf(bytes))),
    faults: [RecordingFault],
    memoryMax: perByte(96),
    nasty: (bytes) => [...jsonBombs(bytes, `${LINES}{"type":3,"timestamp":1,"data":`, '}'), textBytes(`${LINES}${'\n'.repeat(bytes)}`)],
    sound: (frames: readonly Frame[]) => {
      assert.ok(frames.some((frame) => frame.keyframe));
      for (const { payload } of frames) JSON.parse(textOf(payload));
    },
  },
  {
    name: 'recorder-storage',
    covers: [
      'recorder/src/core/continuity.ts parseConfig',
      'recorder/src/core/continuity.ts parseSession',
      'recorder/src/core/continuity.ts parseWindow',
      'recorder/src/core/leaving.ts parseKept',
      'recorder/src/core/retry.ts parseRetryAfterMs',
    ],
    samples: samplesOf([
      JSON.stringify({ id: SESSION_ID, startedAtMs: 1, activeAtMs: 2, announced: true, userId: 'ada', config: { flushMs: 5_000 } }),
      JSON.stringify({ id: 'window-a', sessionId: SESSION_ID, nextCounter: 3, open: false, keyframesFor: ['watch-1'] }),
      JSON.stringify([{ sessionId: SESSION_ID, windowId: 'window-a', counter: 1, formedAtMs: NOW_MS, body: 'H4sI' }]),
      '120',
      'Fri, 31 Dec 1999 23:59:59 GMT',
    ]),
    decode: (bytes) => {
      const text = textOf(bytes);
      return {
        config: parseConfig(jsonOrNothing(bytes)),
        session: parseSession(text),
        window: parseWindow(text),
        kept: parseKept(text, NOW_MS),
        retryAfterMs: parseRetryAfterMs(text, NOW_MS),
      };
    },
    faults: [],
    memoryMax: perByte(96),
    nasty: jsonBombs,
    sound: ({ config, retryAfterMs }: { config: ReturnType<typeof parseConfig>; retryAfterMs: number | null }) => {
      for (const value of Object.values(config)) assert.ok(Number.isSafeInteger(value) && value > 0);
      assert.ok(retryAfterMs === null || retryAfterMs >= 0);
    },
  },
];

function jsonOrNothing(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return undefined;
  }
}
