import { gzipSync } from 'node:zlib';
import type {
  Flush,
  FlushBlock,
  Frame,
  Merge,
  MergedBlock,
  Rejected,
  SessionCounts,
  SessionEnded,
  SessionStarted,
  Signal,
  Topic,
  TopicRecords,
  Upload,
  Watch,
} from '@playhead/schemas';
import { encodeFrames, Marks, NO_COUNTS, NO_OFFSET, toOffset } from '@playhead/schemas';

/**
 * Records as a small web shop would make them. Everything is the same on every call; a test overrides what it is about.
 */

/** When the example session starts, Unix ms. */
export const EXAMPLE_START_MS = 1_750_000_000_000;
export const EXAMPLE_PROJECT = 'shop';
export const EXAMPLE_SESSION = '01977420-dc00-7000-8000-00000000cafe';
export const EXAMPLE_WINDOW = 'window-1';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Meta and full snapshot of a one-line page: the frame a window can be drawn from. */
export function aDomKeyframe(timestampMs = EXAMPLE_START_MS, text = 'Welcome to the shop'): Frame {
  const textNode = { type: 3, id: 6, textContent: text };
  const body = { type: 2, id: 5, tagName: 'body', attributes: {}, childNodes: [textNode] };
  const head = { type: 2, id: 4, tagName: 'head', attributes: {}, childNodes: [] };
  const html = { type: 2, id: 3, tagName: 'html', attributes: {}, childNodes: [head, body] };
  const document = { type: 0, id: 1, childNodes: [{ type: 1, id: 2, name: 'html', publicId: '', systemId: '' }, html] };
  const events = [
    { type: 4, data: { href: 'https://shop.example/', width: 1280, height: 720 }, timestamp: timestampMs },
    { type: 2, data: { node: document, initialOffset: { left: 0, top: 0 } }, timestamp: timestampMs },
  ];
  return { track: 'dom', keyframe: true, timestampMs, payload: json(events) };
}

/** A change of the text of {@link aDomKeyframe}. */
export function aDomChange(timestampMs = EXAMPLE_START_MS + 100, text = 'One thing in the basket'): Frame {
  const data = { source: 0, texts: [{ id: 6, value: text }], attributes: [], removes: [], adds: [] };
  return { track: 'dom', keyframe: false, timestampMs, payload: json({ type: 3, data, timestamp: timestampMs }) };
}

/** A click on the checkout button, or the signal that is given. */
export function aSignalFrame(timestampMs = EXAMPLE_START_MS + 200, signal: Partial<Signal> = {}): Frame {
  const click: Signal = { kind: 'click', selector: '.checkout-btn', text: 'Checkout', url: 'https://shop.example/', x: 640, y: 360 };
  return { track: 'signal', keyframe: false, timestampMs, payload: json({ ...click, ...signal }) };
}

/** The first upload of the example session: a keyframe, a change and a click, uncompressed. */
export function anUpload(overrides: Partial<Upload> = {}): Upload {
  const receivedAtMs = overrides.receivedAtMs ?? EXAMPLE_START_MS + 250;
  const counter = overrides.counter === undefined ? 0 : overrides.counter;
  const windowId = overrides.windowId ?? EXAMPLE_WINDOW;
  return {
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    uploadId: `${windowId}-${counter ?? 0}`,
    track: null,
    format: 'frames',
    codec: 'identity',
    sentAtMs: receivedAtMs - 20,
    epochMs: 0,
    goodbye: false,
    facts: { url: 'https://shop.example/', title: 'Shop', userAgent: 'Mozilla/5.0' },
    body: encodeFrames([aDomKeyframe(), aDomChange(), aSignalFrame()]),
    outline: new Uint8Array(),
    ...overrides,
    windowId,
    counter,
    receivedAtMs,
  };
}

/** An upload that holds these frames. */
export function anUploadOf(frames: readonly Frame[], overrides: Partial<Upload> = {}): Upload {
  return anUpload({ body: encodeFrames(frames), ...overrides });
}

/** The first `count` uploads of a session, a second apart: a keyframe and a change first, then changes with clicks. Every other one is gzipped. */
export function uploadsOf(count: number, overrides: Partial<Upload> = {}): Upload[] {
  return Array.from({ length: count }, (_, counter) => {
    const atMs = EXAMPLE_START_MS + counter * 1000;
    const opening = counter === 0 ? [aDomKeyframe(atMs)] : [];
    const frames = [...opening, aDomChange(atMs + 100, `step ${counter}`), aSignalFrame(atMs + 200, { text: `button ${counter}` })];
    const upload = anUploadOf(frames, { counter, receivedAtMs: atMs + 250, ...overrides });
    return counter % 2 === 0 ? upload : { ...upload, codec: 'gzip', body: new Uint8Array(gzipSync(upload.body)) };
  });
}

export function someCounts(overrides: Partial<SessionCounts> = {}): SessionCounts {
  return { ...NO_COUNTS, ...overrides };
}

/** The example session's entry in {@link aFlush}: one upload with three frames. */
export function aFlushBlock(overrides: Partial<FlushBlock> = {}): FlushBlock {
  const marks = new Marks();
  marks.accept(anUpload());
  return {
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    blockOffset: 0,
    blockLength: 512,
    firstOffset: toOffset(0),
    lastOffset: toOffset(0),
    firstTimestampMs: EXAMPLE_START_MS,
    lastTimestampMs: EXAMPLE_START_MS + 200,
    firstReceivedAtMs: EXAMPLE_START_MS + 250,
    lastReceivedAtMs: EXAMPLE_START_MS + 250,
    windows: [EXAMPLE_WINDOW],
    counts: someCounts({ frames: 3, keyframes: 1, clicks: 1 }),
    uploads: 1,
    duplicates: 0,
    rejected: 0,
    bytesReceived: 1024,
    pages: ['https://shop.example/'],
    facts: { url: 'https://shop.example/', title: 'Shop', userAgent: 'Mozilla/5.0' },
    marks: marks.encode(),
    frameIndex: new Uint8Array(),
    ...overrides,
  };
}

/** The first flush of partition 0, with one block. */
export function aFlush(overrides: Partial<Flush> = {}): Flush {
  return {
    partition: 0,
    prevLastOffset: NO_OFFSET,
    firstOffset: toOffset(0),
    lastOffset: toOffset(0),
    objectKey: 'blocks/0/0-0',
    objectBytes: 512,
    createdAtMs: EXAMPLE_START_MS + 10_000,
    writer: 'test',
    gap: null,
    blocks: [aFlushBlock()],
    ...overrides,
  };
}

/** The blocks of the example session from the first flush to the last one given, as one: by default that of {@link aFlush}. */
export function aMergedBlock(overrides: Partial<MergedBlock> = {}): MergedBlock {
  return { ...aFlushBlock(), firstFlush: toOffset(0), lastFlush: toOffset(0), ...overrides };
}

/** The first merge of partition 0, with one block. */
export function aMerge(overrides: Partial<Merge> = {}): Merge {
  return {
    partition: 0,
    number: 1,
    objectKey: 'merged/0/1',
    objectBytes: 512,
    createdAtMs: EXAMPLE_START_MS + 120_000,
    writer: 'test',
    blocks: [aMergedBlock()],
    ...overrides,
  };
}

export function aSessionStarted(overrides: Partial<Omit<SessionStarted, 'kind'>> = {}): SessionStarted {
  return {
    kind: 'started',
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    startedAtMs: EXAMPLE_START_MS,
    source: 'web',
    userId: 'ada@example.com',
    facts: { url: 'https://shop.example/', userAgent: 'Mozilla/5.0' },
    ...overrides,
  };
}

export function aSessionEnded(overrides: Partial<Omit<SessionEnded, 'kind'>> = {}): SessionEnded {
  return {
    kind: 'ended',
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    endedAtMs: EXAMPLE_START_MS + 60_000,
    reason: 'silence',
    ...overrides,
  };
}

export function aWatch(overrides: Partial<Watch> = {}): Watch {
  return {
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    watchId: 'watch-1',
    expiresAtMs: EXAMPLE_START_MS + 15_000,
    ...overrides,
  };
}

export function aRejected(overrides: Partial<Rejected> = {}): Rejected {
  return {
    projectId: EXAMPLE_PROJECT,
    sessionId: EXAMPLE_SESSION,
    windowId: EXAMPLE_WINDOW,
    uploadId: `${EXAMPLE_WINDOW}-0`,
    partition: 0,
    offset: toOffset(0),
    code: 'truncated_body',
    message: 'The body ends inside a frame.',
    framesKept: 0,
    byteOffset: 4,
    rejectedAtMs: EXAMPLE_START_MS + 500,
    body: Uint8Array.of(0x50, 0x48, 0x46, 1, 1),
    ...overrides,
  };
}

/** One example record of each topic. */
export const EXAMPLE_RECORDS: { readonly [T in Topic]: () => TopicRecords[T] } = {
  'playhead.uploads': anUpload,
  'playhead.flushes': aFlush,
  'playhead.merges': aMerge,
  'playhead.sessions': aSessionStarted,
  'playhead.watches': aWatch,
  'playhead.rejected': aRejected,
};
