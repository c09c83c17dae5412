import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { FrameEntry } from '@playhead/schemas';
import { BLOCK_HEADER_BYTES, ByteWriter, encodeFrameIndex, LIMITS, toOffset } from '@playhead/schemas';
import { concat, hexBytes, NOW_MS, repeated, textBytes } from './samples.ts';

/** Hostile inputs of about `bytes` bytes, by what they are made of. */

export function writtenBytes(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.bytes().slice();
}

/** Gzip that is large inside, in one member, in many, and in two layers; gzip that is long and empty; a header without an end. */
export function gzipBombs(bytes: number): Uint8Array[] {
  const gzippedZeros = (inflatedBytes: number) => new Uint8Array(gzipSync(new Uint8Array(inflatedBytes), { level: 9 }));
  const zeros = gzippedZeros(bytes * 130);
  const justAllowed = gzippedZeros(Math.min(bytes * 120, LIMITS.uploadInflatedBytesMax));
  const header = hexBytes('1f8b0800000000000003');
  return [
    zeros,
    repeated(new Uint8Array(gzipSync(new Uint8Array(60_000))), bytes),
    new Uint8Array(gzipSync(zeros, { level: 9 })),
    repeated(new Uint8Array(gzipSync('')), bytes),
    // Stored blocks without a byte, without an end.
    concat(header, repeated(hexBytes('000000ffff'), bytes)),
    concat(hexBytes('1f8b0808000000000003'), new Uint8Array(bytes).fill(0x61)),
    // Whole, but for its checksum: the salvage inflates it again and again.
    concat(justAllowed.subarray(0, -8), new Uint8Array(8)),
  ];
}

/** The frame index of `count` text frames of a byte in a piece each, or of pictures without a byte. */
export function wideIndex(count: number, track: 'dom' | 'image'): Uint8Array {
  const pieces = Array.from({ length: track === 'dom' ? count : 0 }, (_, i) => ({ offset: i, length: 1, rawLength: 1, body: false }));
  const frames = Array.from(
    { length: count },
    (_, index): FrameEntry => ({
      position: { offset: toOffset(0), index },
      windowId: 'w',
      track,
      keyframe: true,
      timestampMs: NOW_MS,
      piece: track === 'dom' ? index : -1,
      offset: track === 'dom' ? 0 : count,
      stamped: false,
      length: track === 'dom' ? 1 : 0,
      width: 0,
      height: 0,
    }),
  );
  return encodeFrameIndex({ windows: ['w'], pieces, frames });
}

/** The frame index of `count` frames in one piece, two bytes each: there are none that are smaller. */
export function denseIndex(count: number): Uint8Array {
  const piece = { offset: 0, length: 1, rawLength: count, body: false };
  const frames = Array.from(
    { length: count },
    (_, index): FrameEntry => ({
      position: { offset: toOffset(0), index },
      windowId: 'w',
      track: 'dom',
      keyframe: false,
      timestampMs: NOW_MS,
      piece: 0,
      offset: index,
      stamped: false,
      length: 1,
      width: 0,
      height: 0,
    }),
  );
  return encodeFrameIndex({ windows: ['w'], pieces: [piece], frames });
}

/** An index of pieces that claim `rawLength` bytes each, with one frame in each that fills it. */
export function claimingIndex(pieces: number, length: number, rawLength: number): Uint8Array {
  return writtenBytes((writer) => {
    for (const value of [4, 1, pieces, pieces]) writer.varint(value);
    writer.text('w');
    for (let i = 0; i < pieces; i++) {
      writer.varint(length);
      writer.varint(rawLength * 2);
    }
    // One upload, of DOM alone.
    for (const value of [1, 0, pieces - 1, 1, pieces - 1]) writer.varint(value);
    // Each piece has a run of one frame.
    for (let i = 0; i < pieces; i++) for (const value of [i === 0 ? 0 : 2, 0]) writer.varint(value);
    for (let i = 0; i < pieces; i++) writer.varint(i === 0 ? NOW_MS * 2 : 0);
    for (let i = 0; i < pieces; i++) writer.varint(i === 0 ? rawLength + 16 : 0);
  });
}

/** A block of pieces that hold `rawLength` zeros each; not sealed. */
export function blockBomb(pieces: number, rawLength: number): Uint8Array {
  const piece = new Uint8Array(zstdCompressSync(new Uint8Array(rawLength)));
  return blockOf(claimingIndex(pieces, piece.length, rawLength), repeated(piece, piece.length * pieces));
}

/** A block of pieces that claim `rawLength` bytes and hold nothing. */
export function lyingBlock(pieces: number, rawLength: number): Uint8Array {
  return blockOf(claimingIndex(pieces, 1, rawLength), new Uint8Array(pieces));
}

export function blockOf(index: Uint8Array, data: Uint8Array): Uint8Array {
  const header = writtenBytes((writer) => {
    writer.raw(textBytes('PHB'));
    writer.u8(1);
    writer.u32(index.length);
  });
  if (header.length !== BLOCK_HEADER_BYTES) throw new Error('a block has another header');
  return concat(header, index, data, new Uint8Array(4));
}

/** JSON that is nested as deep as `bytes` bytes allow, and lists of the smallest values. */
export function jsonBombs(bytes: number, before = '', behind = ''): Uint8Array[] {
  const half = Math.floor((bytes - before.length - behind.length) / 2);
  return [
    `${'['.repeat(half)}${']'.repeat(half)}`,
    `[${'0,'.repeat(half - 1)}0]`,
    `{${Array.from({ length: Math.floor(half / 6) }, (_, i) => `"${i.toString(36)}":0`).join(',')}}`,
  ].map((value) => textBytes(`${before}${value}${behind}`));
}
