import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync, gzipSync, constants as zlib } from 'node:zlib';
import type { BodyContext, BodyFormat, Frame, PositionedFrame } from '@playhead/schemas';
import { encodeFrameBundle, encodeFrameBundleLe, encodeFrames, encodeFrameTar, toOffset } from '@playhead/schemas';
import type { Sample } from './decoder.ts';

/** 2024-06-10T06:13:20Z. */
export const NOW_MS = 1_718_000_000_000;
export const CONTEXT: BodyContext = { epochMs: NOW_MS - 60_000, receivedAtMs: NOW_MS };
export const SESSION_ID = '0190a0b0-0000-7000-8000-000000000001';

const GOLDEN = new URL('../../../schemas/test/golden/', import.meta.url);

/** The golden bytes of a format, of each version that was ever written. */
export function golden(name: string): Uint8Array[] {
  const files = readdirSync(GOLDEN).filter((file) => file.startsWith(`${name}.`) && file.endsWith('.hex'));
  if (files.length === 0) throw new Error(`no golden bytes of ${name}`);
  return files.map((file) => hexBytes(readFileSync(new URL(file, GOLDEN), 'utf8').replaceAll('\n', '')));
}

export function hexBytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function samplesOf(all: readonly (Uint8Array | string)[]): Sample[] {
  return all.map((bytes) => ({ bytes: typeof bytes === 'string' ? textBytes(bytes) : bytes }));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** `unit` as often as it fits into `bytes` bytes. */
export function repeated(unit: Uint8Array, bytes: number): Uint8Array {
  return new Uint8Array(Buffer.alloc(Math.floor(bytes / unit.length) * unit.length, unit));
}

/** The beginning of a JPEG of the given size in px, then `tail`. */
export function jpegOf(width: number, height: number, tail: string): Uint8Array {
  const sof0 = [0xff, 0xc0, 0, 11, 8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0];
  return Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, ...sof0, ...textBytes(tail), 0xff, 0xd9]);
}

const PNG = hexBytes('89504e470d0a1a0a0000000d494844520000016800000320080600000000000000');
const WEBP = [
  '524946461a00000057454250565038580a000000100000006701001f0300',
  '524946461a000000574542505650384c0d0000002f67c1c700000000000000',
  '524946461a00000057454250565038200e00000030010009012a68012003000000',
].map(hexBytes);
export const PICTURES: readonly Uint8Array[] = [
  jpegOf(360, 800, 'one'),
  jpegOf(800, 360, 'two, with a longer tail'),
  jpegOf(360, 800, 'one'),
  PNG,
  ...WEBP,
];

export const TEXTS: readonly Frame[] = [
  { track: 'dom', keyframe: true, timestampMs: NOW_MS - 2_000, payload: textBytes('[{"type":4},{"type":2}]') },
  { track: 'dom', keyframe: false, timestampMs: NOW_MS - 1_500, payload: textBytes('{"type":3,"data":{"source":0}}') },
  { track: 'signal', keyframe: false, timestampMs: NOW_MS - 900, payload: textBytes('{"kind":"click","selector":".checkout-btn"}') },
  { track: 'hierarchy', keyframe: false, timestampMs: NOW_MS - 800, payload: textBytes('{"view":"root"}') },
];
const pictureFrames = (timesMs: (index: number) => number): Frame[] =>
  PICTURES.map((payload, index) => ({ track: 'image', keyframe: true, timestampMs: timesMs(index), payload }));
const MIXED = [...TEXTS, ...pictureFrames((index) => NOW_MS - 700 + index)];

/** Frames in their places: two windows, offsets with holes. */
export const POSITIONED: readonly PositionedFrame[] = [...MIXED, ...TEXTS].map(({ track, keyframe, timestampMs, payload }, index) => ({
  position: { offset: toOffset(7 + 40 * Math.floor(index / 6)), index: index % 6 },
  windowId: index % 3 === 0 ? 'window-b' : 'window-a',
  track,
  keyframe,
  timestampMs,
  payload,
}));

const FRAMES_BEGIN = 4;
const HEADER_BYTES: Readonly<Record<BodyFormat, number>> = { frames: 14, 'frame-bundle': 12, 'frame-bundle-le': 12, 'frame-tar': 512 };

/** Bodies of a format with several frames, uncompressed. */
export function bodiesOf(format: BodyFormat): Sample[] {
  const frames = format === 'frames' ? MIXED : pictureFrames((index) => CONTEXT.epochMs + index * 1000);
  const timed = frames.map(({ timestampMs, payload }) => ({ timestampMs, jpeg: payload }));
  const bytes = {
    frames: () => encodeFrames(frames),
    'frame-bundle': () => encodeFrameBundle(timed.map(({ timestampMs, jpeg }) => ({ offsetMs: timestampMs - CONTEXT.epochMs, jpeg }))),
    'frame-bundle-le': () => encodeFrameBundleLe(timed),
    'frame-tar': () => encodeFrameTar(timed),
  }[format]();
  let at = format === 'frames' ? FRAMES_BEGIN : 0;
  const ends = frames.map(({ payload }) => {
    const end = at + HEADER_BYTES[format] + payload.length;
    at = format === 'frame-tar' ? Math.ceil(end / 512) * 512 : end;
    return end;
  });
  return [{ bytes, body: { frames, wholeWithin: (cut) => ends.filter((end) => end <= cut).length } }];
}

/** The same bodies as they travel: gzip in two members, whose whole frames are those in what zlib inflates; gzip that only stores. */
export function gzippedBodiesOf(format: BodyFormat): Sample[] {
  return bodiesOf(format).flatMap(({ bytes, body }) => {
    const half = Math.floor(bytes.length / 2);
    const gzip = Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(bytes.subarray(half))]);
    const wholeWithin = (cut: number): number => body?.wholeWithin(inflatedBytes(gzip.subarray(0, cut))) ?? 0;
    return [
      { bytes: new Uint8Array(gzip), ...(body && { body: { frames: body.frames, wholeWithin } }) },
      { bytes: new Uint8Array(gzipSync(bytes, { level: 0 })) },
    ];
  });
}

/** `sample` behind `before`, bytes that a row of the table takes as arguments. */
export function behind(before: Uint8Array, { bytes, body }: Sample): Sample {
  return {
    bytes: concat(before, bytes),
    ...(body && { body: { frames: body.frames, wholeWithin: (cut: number) => body.wholeWithin(Math.max(0, cut - before.length)) } }),
  };
}

function inflatedBytes(gzip: Uint8Array): number {
  return gunzipSync(gzip, { finishFlush: zlib.Z_SYNC_FLUSH }).length;
}
