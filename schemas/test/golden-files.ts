import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  encodeBlock,
  encodeFrameBundle,
  encodeFrameBundleLe,
  encodeFrames,
  encodeFramesMessage,
  encodeFrameTar,
  encodeOutline,
  Marks,
} from '../src/index.ts';
import { avroCodec } from '../src/records/index.ts';
import type { Topic } from '../src/records/types.ts';
import { CONTEXT, encodeMerged, FRAMES, jpegOf, NOW_MS, PARTS, POSITIONED, POSITIONED_PARTS, RECORDS, zstd } from './samples.ts';

/**
 * Golden bytes: what version 1 of each format looks like, checked in under `golden/` as hex (32 bytes a line). A file is
 * never written anew: a changed format gets a new version and a new file, and the old one stays readable.
 *
 * `node schemas/test/golden-files.ts` writes those that are missing.
 */
const FOLDER = new URL('golden/', import.meta.url);

export const PICTURES = [
  { offsetMs: 0, jpeg: jpegOf(360, 800, 'one') },
  { offsetMs: 59_999, jpeg: jpegOf(800, 360, 'two') },
];
export const TIMED_PICTURES = PICTURES.map(({ offsetMs, jpeg }) => ({ timestampMs: CONTEXT.epochMs + offsetMs, jpeg }));
export const MESSAGE = { receivedAtMs: NOW_MS, sentAtMs: NOW_MS - 25.5, frames: POSITIONED };
export const MESSAGE_OF_PARTS = { ...MESSAGE, frames: POSITIONED_PARTS };

export function goldenMarks(): Marks {
  const marks = new Marks();
  for (const counter of [0, 1, 2, 7, 9, 10, 70_000]) marks.accept({ windowId: 'window-a', uploadId: 'unused', counter });
  for (const uploadId of ['upload-1', 'upload-2']) marks.accept({ windowId: 'window-b', uploadId, counter: null });
  return marks;
}

/** The bytes that today's encoders give, by file name. Those that hold compressed pieces are in `COMPRESSED`. */
export const GOLDEN: Readonly<Record<string, () => Uint8Array>> = {
  'frames.v1': () => encodeFrames(FRAMES),
  'frames-parts.v1': () => encodeFrames(PARTS),
  'outline.v1': () => encodeOutline([...PARTS, ...FRAMES.filter(({ track }) => track !== 'image')]),
  'frame-bundle.v1': () => encodeFrameBundle(PICTURES),
  'frame-bundle-le.v1': () => encodeFrameBundleLe(TIMED_PICTURES),
  'frame-tar.v1': () => encodeFrameTar(TIMED_PICTURES),
  'marks.v1': () => goldenMarks().encode(),
  'wire-frames.v1': () => encodeFramesMessage(MESSAGE),
  'wire-frames-parts.v1': () => encodeFramesMessage(MESSAGE_OF_PARTS),
  ...Object.fromEntries(
    (Object.keys(RECORDS) as Topic[]).flatMap((topic) =>
      RECORDS[topic].map((record, i) => [`${topic}.${i}.v3`, () => avroCodec.encode(topic, record)] as const),
    ),
  ),
};

/** Zstd's bytes may differ from version to version: of these the layout and what they decode to are pinned. */
export const COMPRESSED: Readonly<Record<string, () => Uint8Array>> = {
  'block-runs.v1': () => encodeBlock(POSITIONED, zstd).bytes,
  'frame-index.v4': () => encodeBlock(POSITIONED, zstd).frameIndex,
  'block-runs-parts.v1': () => encodeBlock(POSITIONED_PARTS, zstd).bytes,
  'frame-index-parts.v4': () => encodeBlock(POSITIONED_PARTS, zstd).frameIndex,
  'block-merged.v1': () => encodeMerged(POSITIONED, zstd).bytes,
  'frame-index-merged.v4': () => encodeMerged(POSITIONED, zstd).frameIndex,
};

/** Version 1 had no merges. */
export const TOPICS_OF_V1 = (Object.keys(RECORDS) as Topic[]).filter((topic) => topic !== 'playhead.merges');

/** What earlier versions wrote. */
export const EARLIER: readonly string[] = [
  'block.v1',
  'block-parts.v1',
  'frame-index.v1',
  'frame-index.v2',
  'frame-index.v3',
  ...TOPICS_OF_V1.flatMap((topic) => RECORDS[topic].map((_, i) => `${topic}.${i}.v1`)),
  ...(Object.keys(RECORDS) as Topic[]).flatMap((topic) => RECORDS[topic].map((_, i) => `${topic}.${i}.v2`)),
];

export function readGolden(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(readFileSync(new URL(`${name}.hex`, FOLDER), 'utf8').replaceAll('\n', ''), 'hex'));
}

function writeMissing(): void {
  for (const [name, encode] of Object.entries({ ...GOLDEN, ...COMPRESSED })) {
    const file = new URL(`${name}.hex`, FOLDER);
    if (existsSync(file)) continue;
    const lines =
      Buffer.from(encode())
        .toString('hex')
        .match(/.{1,64}/g) ?? [];
    writeFileSync(file, `${lines.join('\n')}\n`);
  }
}

if (import.meta.main) writeMissing();
