import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeBlock,
  decodeBlockIndex,
  decodeBody,
  decodeFrameIndex,
  decodeFramesMessage,
  encodeBlock,
  encodeFrameIndex,
  Marks,
  sniffFormat,
} from '../src/index.ts';
import { avroCodec } from '../src/records/index.ts';
import type { BodyFormat, Topic } from '../src/records/types.ts';
import {
  COMPRESSED,
  EARLIER,
  GOLDEN,
  goldenMarks,
  MESSAGE,
  MESSAGE_OF_PARTS,
  readGolden,
  TIMED_PICTURES,
  TOPICS_OF_V1,
} from './golden-files.ts';
import {
  CONTEXT,
  encodeMerged,
  FRAMES,
  frameOf,
  outlined,
  PARTS,
  POSITIONED,
  POSITIONED_PARTS,
  RECORDS,
  toldBy,
  unzstd,
} from './samples.ts';

describe('golden bytes', () => {
  it('are all tested here', () => {
    // The first schemas lie beside them: evolution.test.ts.
    const files = readdirSync(new URL('golden/', import.meta.url))
      .filter((name) => !name.startsWith('avsc-'))
      .toSorted();
    expect(files).toEqual([...Object.keys(GOLDEN), ...Object.keys(COMPRESSED), ...EARLIER].map((name) => `${name}.hex`).toSorted());
  });

  it.each(Object.entries(GOLDEN))('%s is what the encoder writes today', (name, encode) => {
    expect(Buffer.from(encode()).toString('hex')).toBe(Buffer.from(readGolden(name)).toString('hex'));
  });

  it.each(['frames', 'frame-bundle', 'frame-bundle-le', 'frame-tar'] satisfies BodyFormat[])(
    'a body %s v1 is recognised and read',
    (format) => {
      const bytes = readGolden(`${format}.v1`);
      expect(sniffFormat(bytes)).toBe(format);
      const frames = format === 'frames' ? FRAMES : TIMED_PICTURES.map(({ timestampMs, jpeg }) => frameOf('image', timestampMs, jpeg));
      expect(decodeBody(format, bytes, CONTEXT)).toEqual({ frames, fault: null });
    },
  );

  it('a body of parts v1 is read', () => {
    expect(decodeBody('frames', readGolden('frames-parts.v1'), CONTEXT)).toEqual({ frames: PARTS, fault: null });
  });

  it.each([
    ['block-runs.v1', 'frame-index.v4', POSITIONED],
    ['block-runs-parts.v1', 'frame-index-parts.v4', POSITIONED_PARTS],
    ['block-merged.v1', 'frame-index-merged.v4', POSITIONED],
  ] as const)('%s is read, and written again byte for byte but for the compressor', (block, frameIndex, frames) => {
    const bytes = readGolden(block);
    expect(decodeBlock(bytes, unzstd)).toEqual(frames);
    const pieces = decodeBlockIndex(bytes).pieces.map(({ offset, length }) => bytes.subarray(offset, offset + length));
    const encode = block === 'block-merged.v1' ? encodeMerged : encodeBlock;
    const again = encode(frames, () => pieces.shift() ?? new Uint8Array());
    expect(Buffer.from(again.bytes).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
    expect(Buffer.from(again.frameIndex).toString('hex')).toBe(Buffer.from(readGolden(frameIndex)).toString('hex'));
  });

  it.each([
    ['block.v1', POSITIONED],
    ['block-parts.v1', POSITIONED_PARTS],
  ] as const)('%s is read, with an index of before', (block, frames) => {
    expect(decodeBlock(readGolden(block), unzstd)).toEqual(frames);
  });

  it.each([
    ['frame-index.v1', POSITIONED],
    ['frame-index.v2', POSITIONED_PARTS],
    // Of a block with bodies.
    ['frame-index.v3', POSITIONED_PARTS],
    ['frame-index.v4', POSITIONED],
    ['frame-index-parts.v4', POSITIONED_PARTS],
    ['frame-index-merged.v4', POSITIONED],
  ] as const)('%s is read', (frameIndex, frames) => {
    expect(
      decodeFrameIndex(readGolden(frameIndex)).frames.map(({ windowId, track, keyframe, timestampMs, position, part, length }) => ({
        windowId,
        track,
        keyframe,
        timestampMs,
        position,
        part,
        length,
      })),
    ).toEqual(frames.map(({ payload, ...frame }) => ({ ...frame, length: payload.length })));
  });

  it.each([
    ['frame-index.v1', 'block.v1'],
    ['frame-index.v2', 'block-parts.v1'],
    ['frame-index.v4', 'block-runs.v1'],
    ['frame-index-parts.v4', 'block-runs-parts.v1'],
    ['frame-index-merged.v4', 'block-merged.v1'],
  ])('%s is that of %s', (frameIndex, block) => {
    expect(decodeFrameIndex(readGolden(frameIndex))).toEqual(decodeBlockIndex(readGolden(block)));
  });

  it.each(['frame-index.v4', 'frame-index-parts.v4', 'frame-index-merged.v4'])('%s is written again byte for byte', (frameIndex) => {
    const bytes = readGolden(frameIndex);
    expect(encodeFrameIndex(decodeFrameIndex(bytes))).toEqual(bytes);
  });

  it('marks v1 are read', () => {
    expect(Marks.decode(readGolden('marks.v1')).encode()).toEqual(goldenMarks().encode());
  });

  it('wire message v1 is read, with and without parts', () => {
    expect(decodeFramesMessage(readGolden('wire-frames.v1'))).toEqual(MESSAGE);
    expect(decodeFramesMessage(readGolden('wire-frames-parts.v1'))).toEqual(MESSAGE_OF_PARTS);
  });

  it('an outline v1 is read', () => {
    const frames = [...PARTS, ...FRAMES.filter(({ track }) => track !== 'image')];
    expect(toldBy(readGolden('outline.v1'))).toEqual(outlined(frames));
  });

  it.each(Object.keys(RECORDS) as Topic[])('records v3 of %s are read', (topic) => {
    expect(RECORDS[topic].map((_, i) => avroCodec.decode(topic, readGolden(`${topic}.${i}.v3`)))).toEqual(RECORDS[topic]);
  });

  it.each(Object.keys(RECORDS) as Topic[])('records v2 of %s are read: no upload had an outline', (topic) => {
    const records = RECORDS[topic].map((record) => ('outline' in record ? { ...record, outline: new Uint8Array() } : record));
    expect(RECORDS[topic].map((_, i) => avroCodec.decode(topic, readGolden(`${topic}.${i}.v2`)))).toEqual(records);
  });

  it.each(TOPICS_OF_V1)('records v1 of %s are read: no flush had counted gaps', (topic) => {
    const records = RECORDS[topic].map((record) => {
      if ('outline' in record) return { ...record, outline: new Uint8Array() };
      if (!('blocks' in record)) return record;
      return { ...record, blocks: record.blocks.map((block) => ({ ...block, counts: { ...block.counts, gaps: 0 } })) };
    });
    expect(RECORDS[topic].map((_, i) => avroCodec.decode(topic, readGolden(`${topic}.${i}.v1`)))).toEqual(records);
  });
});
