import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stamped, stampedLength, unstamped } from '../src/formats/stamp.ts';
import type { PositionedFrame } from '../src/index.ts';
import {
  BlockFault,
  crc32,
  cutBlock,
  decodeBlock,
  decodeBlockIndex,
  encodeBlock,
  framePayload,
  layOutBlock,
  toOffset,
} from '../src/index.ts';
import { frameOf, NOW_MS, textBytes, unzstd, zstd } from './samples.ts';

const EVENT = `[{"type":3,"data":{"source":0},"timestamp":${NOW_MS}}]`;

function positioned(payload: Uint8Array | string, index = 0): PositionedFrame {
  return { ...frameOf('dom', NOW_MS, payload), position: { offset: toOffset(1), index }, windowId: 'w' };
}

describe('a stamp', () => {
  it('leaves the time of an event out, the last one where it is there twice', () => {
    const left = stamped(textBytes(`{"at":${NOW_MS},"timestamp":${NOW_MS}}`), NOW_MS);
    expect(left).toEqual(textBytes(`{"at":${NOW_MS},"timestamp":\0}`));
  });

  it('is not there where the time is not, and where the mark is', () => {
    for (const text of ['', '{}', `{"timestamp":${NOW_MS + 1}}`, `\0${NOW_MS}`]) expect(stamped(textBytes(text), NOW_MS)).toBeNull();
    expect(unstamped(textBytes('{}'), NOW_MS)).toBeNull();
  });

  it('gives any payload back, of the length that is told', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom('\0', `${NOW_MS}`, '1', `${NOW_MS}`.slice(0, 5)));
    const timestamp = fc.oneof(fc.constant(NOW_MS), fc.integer(), fc.maxSafeInteger());
    fc.assert(
      fc.property(fc.array(piece), timestamp, (pieces, timestampMs) => {
        const payload = textBytes(pieces.map((text) => (text === '1' ? `${timestampMs}` : text)).join(''));
        const left = stamped(payload, timestampMs);
        expect(left === null ? payload : unstamped(left, timestampMs)).toEqual(payload);
        expect(left?.length ?? stampedLength(payload.length, timestampMs)).toBe(stampedLength(payload.length, timestampMs));
      }),
    );
  });
});

describe('a block of events', () => {
  it('has them without their times, and gives them back with them', () => {
    const frames = [positioned(EVENT), positioned('{}', 1), positioned(EVENT, 2)];
    const { bytes } = encodeBlock(frames, zstd);
    expect(decodeBlockIndex(bytes).pieces.map(({ rawLength }) => rawLength)).toEqual([2 * (EVENT.length - 12) + 2]);
    expect(decodeBlockIndex(bytes).frames.map(({ length }) => length)).toEqual(frames.map(({ payload }) => payload.length));
    expect(decodeBlock(bytes, unzstd)).toEqual(frames);
  });

  it('is faulty where the mark of one is not there', () => {
    const cut = cutBlock([positioned(EVENT)], 1024);
    const { parts } = layOutBlock(
      cut,
      cut.pieces.map(({ rawLength }) => zstd(new Uint8Array(rawLength).fill(32))),
      crc32,
    );
    expect(() => decodeBlock(new Uint8Array(Buffer.concat(parts)), unzstd)).toThrow(BlockFault);
    const [entry] = decodeBlockIndex(new Uint8Array(Buffer.concat(parts))).frames;
    if (entry === undefined) throw new Error('the block has a frame');
    expect(() => framePayload(entry, new Uint8Array(3))).toThrow(/a frame ends at byte/);
  });
});
