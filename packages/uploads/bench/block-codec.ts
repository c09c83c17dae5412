/**
 * Which codec for the text pieces of a block? Lays a real recording out as blocks of 10 s (LIMITS.flushAgeMs) with each
 * codec and prints size and CPU. Run: `node packages/uploads/bench/block-codec.ts` from the repository's root; figures are in
 * docs/decisions/0001-block-codec.md.
 */
import { existsSync, readFileSync } from 'node:fs';
import * as zlib from 'node:zlib';
import type { Compress, Decompress, PositionedFrame } from '@playhead/schemas';
import { decodeBlock, decodeFrameIndex, encodeBlock, inflateZstd, LIMITS, toOffset } from '@playhead/schemas';

const RECORDING = new URL('../../../../shared/recordings/rrweb-demo-81s.json', import.meta.url);
const ROUNDS = 15;

interface RrwebEvent {
  readonly type: number;
  readonly timestamp: number;
}

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
  ['zstd 3 (fzstd)', zstd(3), inflateZstd],
  ['zstd 9', zstd(9), unzstd],
  ['zstd 19', zstd(19), unzstd],
  ['brotli 4', brotli(4), unbrotli],
  ['brotli 11', brotli(11), unbrotli],
];

if (!existsSync(RECORDING)) throw new Error('the shared recording rrweb-demo-81s.json is not beside the repository');
const events = JSON.parse(readFileSync(RECORDING, 'utf8')) as RrwebEvent[];
const sessions: PositionedFrame[][] = [];
for (const [index, event] of events.entries()) {
  const number = Math.floor((event.timestamp - (events[0]?.timestamp ?? 0)) / LIMITS.flushAgeMs);
  const frames = (sessions[number] ??= []);
  const payload = new TextEncoder().encode(JSON.stringify(event));
  frames.push({
    position: { offset: toOffset(0), index },
    windowId: 'w',
    track: 'dom',
    keyframe: event.type === 2,
    timestampMs: event.timestamp,
    payload,
  });
}
const flushes = sessions.filter((frames) => frames !== undefined);
const rawBytes = flushes.flat().reduce((sum, frame) => sum + frame.payload.length, 0);
console.log(`${events.length} events, ${rawBytes} bytes, ${flushes.length} blocks; median of ${ROUNDS} rounds; node ${process.version}`);
console.log('codec            pieces B   ratio   encode ms   decode ms');
for (const [name, compress, decompress] of CODECS) {
  const blocks = flushes.map((frames) => encodeBlock(frames, compress));
  const bytes = blocks.flatMap((block) => decodeFrameIndex(block.frameIndex).pieces).reduce((sum, piece) => sum + piece.length, 0);
  const encodeMs = median(() => flushes.forEach((frames) => encodeBlock(frames, compress)));
  const decodeMs = median(() => blocks.forEach((block) => decodeBlock(block.bytes, decompress)));
  const cells = [
    String(bytes).padStart(8),
    (rawBytes / bytes).toFixed(2).padStart(7),
    encodeMs.toFixed(2).padStart(11),
    decodeMs.toFixed(2).padStart(11),
  ];
  console.log(name.padEnd(16), cells.join(' '));
}

function median(run: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    run();
    return performance.now() - began;
  }).toSorted((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}
