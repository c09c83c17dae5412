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

const compress = promisify(zlib.zstdCompress);

/**
 * How is a merged block cut and compressed? Lays a session out as one block, with pieces of several sizes and levels of zstd. The baseline
 * are the blocks that the compactor wrote of it: 10 s each, level 3. Figures of one run are in docs/decisions/0008-merged-pieces.md.
 */
export async function benchMergedPieces(report: (table: BenchTable) => void): Promise<void> {
  for (const times of [1, TIMES_LONG]) {
    const events = played(recordedEvents(), times);
    const rawBytes = events.reduce((sum, { payload }) => sum + payload.length, 0);
    const row = async (name: string, blocks: readonly PositionedFrame[][], pieceRawBytes: number, level: number): Promise<string[]> => {
      const measured: { readonly ms: number; readonly bytes: number; readonly longestMs: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) measured.push(await layOut(blocks, pieceRawBytes, level));
      const bytes = measured[0]?.bytes ?? 0;
      const ms = median(measured.map((one) => one.ms));
      const longestMs = median(measured.map((one) => one.longestMs));
      return [
        name,
        `${level}`,
        `${bytes}`,
        (rawBytes / bytes).toFixed(2),
        ms.toFixed(0),
        (rawBytes / 1e3 / ms).toFixed(1),
        longestMs.toFixed(1),
      ];
    };
    const rows = [await row('blocks of flushes', flushesOf(events), PIECE_RAW_BYTES, 3)];
    for (const level of [3, 9, 19]) {
      for (const kib of [256, 1024, 4096]) rows.push(await row(`merged, ${kib} KiB`, [events], kib * KIB, level));
    }
    report({
      about: `${events.length} events, ${rawBytes} bytes: the recording ${times} times; median of ${ROUNDS} rounds`,
      columns: ['pieces', 'zstd', 'block, bytes', 'ratio', 'made in, ms', 'MB/s', 'slowest piece inflates in, ms'],
      rows,
    });
  }
}

async function layOut(blocks: readonly PositionedFrame[][], pieceRawBytes: number, level: number) {
  const began = performance.now();
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (const frames of blocks) {
    const cut = cutBlock(frames, pieceRawBytes);
    const compressed: Buffer[] = [];
    for (const piece of cut.pieces) {
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
      compressed.push(await compress(rawBytesOf(piece), { pledgedSrcSize: piece.rawLength, params }));
    }
    bytes += layOutBlock(cut, compressed, zlib.crc32).length;
    pieces.push(...compressed);
  }
  const ms = performance.now() - began;
  const inflated = pieces.map((piece) => {
    const from = performance.now();
    zlib.zstdDecompressSync(piece);
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
