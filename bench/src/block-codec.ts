import * as zlib from 'node:zlib';
import type { Compress, Decompress, PositionedFrame } from '@playhead/schemas';
import { decodeBlock, decodeFrameIndex, encodeBlock, toOffset } from '@playhead/schemas';
import type { Run } from './run.ts';
import type { BenchTable } from './table.ts';
import { median } from './table.ts';
import type { RrwebEvent } from './workload.ts';
import { FULL_SNAPSHOT, flushesOf, recordedEvents } from './workload.ts';

const ROUNDS = 15;

const zstd = (level: number): Compress => {
  const options = { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } };
  return (raw) => zlib.zstdCompressSync(raw, options);
};
const brotli = (quality: number): Compress => {
  const options = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: quality } };
  return (raw) => zlib.brotliCompressSync(raw, options);
};
const unzstd: Decompress = (bytes) => zlib.zstdDecompressSync(bytes);
const gunzip: Decompress = (bytes) => zlib.gunzipSync(bytes);
const unbrotli: Decompress = (bytes) => zlib.brotliDecompressSync(bytes);

const CODECS: readonly (readonly [string, Compress, Decompress])[] = [
  ['none', (raw) => raw, (raw) => raw],
  ['gzip 1', (raw) => zlib.gzipSync(raw, { level: 1 }), gunzip],
  ['gzip 6', (raw) => zlib.gzipSync(raw, { level: 6 }), gunzip],
  ['gzip 9', (raw) => zlib.gzipSync(raw, { level: 9 }), gunzip],
  ['zstd 1', zstd(1), unzstd],
  ['zstd 3', zstd(3), unzstd],
  ['zstd 9', zstd(9), unzstd],
  ['zstd 19', zstd(19), unzstd],
  ['brotli 4', brotli(4), unbrotli],
  ['brotli 11', brotli(11), unbrotli],
];

/**
 * Which codec for the text pieces of a block? Lays a real recording out as the blocks that the compactor would write (10 s each) with
 * every codec. The baseline is `gzip 6`. Figures of one run are in docs/decisions/0001-block-codec.md.
 */
export async function benchBlockCodec({ quick, progress }: Run): Promise<BenchTable> {
  const rounds = quick ? 1 : ROUNDS;
  const flushes = flushesOf(framesOf(recordedEvents()));
  const rawBytes = flushes.flat().reduce((sum, frame) => sum + frame.payload.length, 0);
  const rows = CODECS.map(([name, compress, decompress]) => {
    progress(name);
    const blocks = flushes.map((frames) => encodeBlock(frames, compress));
    const bytes = blocks.flatMap((block) => decodeFrameIndex(block.frameIndex).pieces).reduce((sum, piece) => sum + piece.length, 0);
    const encodeMs = medianMs(rounds, () => flushes.forEach((frames) => encodeBlock(frames, compress)));
    const decodeMs = medianMs(rounds, () => blocks.forEach((block) => decodeBlock(block.bytes, decompress)));
    return [name, String(bytes), (rawBytes / bytes).toFixed(2), encodeMs.toFixed(2), decodeMs.toFixed(2)];
  });
  return {
    about: `${flushes.flat().length} events, ${rawBytes} bytes, ${flushes.length} blocks; median of ${rounds} rounds`,
    columns: ['codec', 'pieces, bytes', 'ratio', 'encode, ms', 'decode, ms'],
    rows,
  };
}

function framesOf(events: readonly RrwebEvent[]): PositionedFrame[] {
  return events.map((event, index) => ({
    position: { offset: toOffset(0), index },
    windowId: 'w',
    track: 'dom',
    keyframe: event.type === FULL_SNAPSHOT,
    timestampMs: event.timestamp,
    payload: new TextEncoder().encode(JSON.stringify(event)),
  }));
}

function medianMs(rounds: number, run: () => void): number {
  return median(
    Array.from({ length: rounds }, () => {
      const began = performance.now();
      run();
      return performance.now() - began;
    }),
  );
}
