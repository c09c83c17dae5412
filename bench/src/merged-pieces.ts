import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { PositionedFrame } from '@playhead/schemas';
import { cutBlock, layOutBlock, PIECE_RAW_BYTES, rawBytesOf, toOffset } from '@playhead/schemas';
import type { BenchTable } from './table.ts';
import { median } from './table.ts';
import type { RrwebEvent } from './workload.ts';
import { FULL_SNAPSHOT, flushesOf, recordedEvents } from './workload.ts';

const ROUNDS = 3;
/** How often the recording is played for a long session: it is 81 s. */
const TIMES_LONG = 20;
/** Ids of nodes of one time do not come again in the next. */
const IDS_APART = 10_000;
const KIB = 1024;

type Compress = (raw: Uint8Array) => Promise<Buffer>;
interface Codec {
  readonly name: string;
  readonly compress: Compress;
  readonly inflate: (piece: Uint8Array) => unknown;
}

const zstd = (level: number): Codec => ({
  name: `zstd ${level}`,
  compress: (raw) =>
    promisify(zlib.zstdCompress)(raw, { pledgedSrcSize: raw.length, params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
  inflate: zlib.zstdDecompressSync,
});

const brotli = (quality: number): Codec => ({
  name: `brotli ${quality}`,
  compress: (raw) => {
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
    const params = { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_LGWIN]: 20, [BROTLI_PARAM_SIZE_HINT]: raw.length };
    return promisify(zlib.brotliCompress)(raw, { params });
  },
  inflate: zlib.brotliDecompressSync,
});

/**
 * How is a merged block cut and compressed? Lays a session out as one block, with pieces of several sizes, by zstd and brotli. The baseline are
 * blocks of 10 s, zstd at level 3. Figures of one run are in docs/decisions/0008-merged-pieces.md and 0014-columns.md.
 */
export async function benchMergedPieces(report: (table: BenchTable) => void): Promise<void> {
  for (const times of [1, TIMES_LONG]) {
    const events = played(recordedEvents(), times);
    const rawBytes = events.reduce((sum, { payload }) => sum + payload.length, 0);
    const row = async (name: string, blocks: readonly PositionedFrame[][], pieceRawBytes: number, codec: Codec): Promise<string[]> => {
      const measured: { readonly ms: number; readonly bytes: number; readonly longestMs: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) measured.push(await layOut(blocks, pieceRawBytes, codec));
      const bytes = measured[0]?.bytes ?? 0;
      const ms = median(measured.map((one) => one.ms));
      const longestMs = median(measured.map((one) => one.longestMs));
      return [
        name,
        codec.name,
        `${bytes}`,
        (rawBytes / bytes).toFixed(2),
        ms.toFixed(0),
        (rawBytes / 1e3 / ms).toFixed(1),
        longestMs.toFixed(1),
      ];
    };
    const rows = [await row('blocks of flushes', flushesOf(events), PIECE_RAW_BYTES, zstd(3))];
    for (const codec of [zstd(3), zstd(9), brotli(7), brotli(10)]) {
      for (const kib of [256, 1024, 4096]) rows.push(await row(`merged, ${kib} KiB`, [events], kib * KIB, codec));
    }
    report({
      about: `${events.length} events, ${rawBytes} bytes: the recording ${times} times; median of ${ROUNDS} rounds`,
      columns: ['pieces', 'codec', 'block, bytes', 'ratio', 'made in, ms', 'MB/s', 'slowest piece inflates in, ms'],
      rows,
    });
  }
}

async function layOut(blocks: readonly PositionedFrame[][], pieceRawBytes: number, codec: Codec) {
  const began = performance.now();
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (const frames of blocks) {
    const cut = cutBlock(frames, pieceRawBytes);
    const compressed: Buffer[] = [];
    for (const piece of cut.pieces) compressed.push(await codec.compress(rawBytesOf(piece)));
    bytes += layOutBlock(cut, compressed, zlib.crc32).length;
    pieces.push(...compressed);
  }
  const ms = performance.now() - began;
  const inflated = pieces.map((piece) => {
    const from = performance.now();
    codec.inflate(piece);
    return performance.now() - from;
  });
  return { ms, bytes, longestMs: Math.max(...inflated) };
}

/** The recording, one time behind the other in one page: with other ids and times, and a keyframe in the beginning only. */
function played(events: readonly RrwebEvent[], times: number): PositionedFrame[] {
  const [first, last] = [events[0]?.timestamp ?? 0, events.at(-1)?.timestamp ?? 0];
  return Array.from({ length: times }, (_, time) =>
    events.map((event, index): PositionedFrame => {
      const timestampMs = event.timestamp + time * (last - first + 1_000);
      const shifted = JSON.stringify({ ...event, timestamp: timestampMs }, (key, value: unknown) =>
        typeof value === 'number' && /^(id|parentId|nextId|rootId)$/.test(key) ? value + time * IDS_APART : value,
      );
      const position = { offset: toOffset(time), index };
      const keyframe = event.type === FULL_SNAPSHOT && time === 0;
      return { position, windowId: 'w', track: 'dom', keyframe, timestampMs, payload: new TextEncoder().encode(shifted) };
    }),
  ).flat();
}
