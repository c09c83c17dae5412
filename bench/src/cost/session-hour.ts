import type { EventLog } from '@playhead/ports';
import type { KnownBlock } from '@playhead/processors';
import { cutStretches, DEFAULT_SETTINGS, MergeRoom } from '@playhead/processors';
import type { Upload } from '@playhead/schemas';
import { LIMITS, toOffset } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { memoryLog } from '@playhead/testkit';
import { compressSync } from 'snappy';
import { withCompactor } from '../compacting.ts';
import type { Goal } from '../goal.ts';
import { goalTable } from '../goal.ts';
import { mergedBytes } from '../merged-bytes.ts';
import type { Run } from '../run.ts';
import { batchesOf, drawnScreens, longVisit, ourUpload, PICTURES_IN_BUNDLE, pictureUpload, recordedEvents, START_MS } from '../workload.ts';
import { FLUSH_AGES_S } from './figures.ts';

const HOUR_MS = 3_600_000;

/** What a session of an hour sends, and the bytes that it is compared with. */
interface Hour {
  readonly what: string;
  readonly uploads: readonly Upload[];
  readonly baselineBytes: number;
  readonly baseline: string;
}

/**
 * What an hour of one session is, in uploads, bytes and blocks, by the age of a flush: bytes at rest are those of the objects, with all that is in
 * them, before a merge. The figures of docs/cost.md come from here. Beside what the largest open-source peer stores, and what was uploaded.
 */
export async function benchSessionHour({ quick, progress, report }: Run): Promise<void> {
  const durationMs = quick ? HOUR_MS / 60 : HOUR_MS;
  const rows: string[][] = [];
  const goals: Goal[] = [];
  for (const { what, uploads, baselineBytes, baseline } of [pageHour(durationMs), await pictureHour(durationMs)]) {
    const ratioOf = (bytes: number): string => `${(bytes / baselineBytes).toFixed(2)}×`;
    const sent = uploads.reduce((sum, { body }) => sum + body.length, 0);
    for (const flushAgeS of FLUSH_AGES_S) {
      progress(`${what}, flushes every ${flushAgeS} s`);
      const { blocks, bytes } = await atRest(uploads, flushAgeS * 1000);
      rows.push([
        what,
        `${flushAgeS} s`,
        String(uploads.length),
        String(sent),
        String(blocks.length),
        String(bytes),
        baseline,
        ratioOf(bytes),
      ]);
      goals.push(objectsGoal(what, flushAgeS, blocks));
    }
    progress(`${what}, merged`);
    const merged = await mergedBytes(uploads);
    rows.push([what, 'merged', String(uploads.length), String(sent), '1', String(merged), baseline, ratioOf(merged)]);
  }
  report({
    about: `${durationMs / HOUR_MS} h of a session that is always at work: the pages of the shared recording one after the other; a picture a second. Merged: as one block`,
    columns: ['session', 'flush age', 'uploads', 'bytes sent', 'blocks', 'bytes at rest', 'baseline', 'at rest : baseline'],
    rows,
  });
  report(goalTable('Objects that hold the session, others beside it', goals));
}

/** How many objects hold the blocks when they are merged, as a merger chooses them. */
function objectsGoal(what: string, flushAgeS: number, blocks: readonly KnownBlock[]): Goal {
  let merges = 0;
  for (let left = blocks; left.length > 0; merges++) {
    const taken = new Set(cutStretches(left, new MergeRoom(DEFAULT_SETTINGS)).stretches.flat());
    left = left.filter((block) => !taken.has(block));
  }
  return {
    what: `${what}, flushes every ${flushAgeS} s: after the merge (against 1; before it: ${blocks.length})`,
    measured: String(merges),
    baseline: '1',
    ratio: merges,
    bound: { atMost: 1 },
  };
}

function pageHour(durationMs: number): Hour {
  const events = longVisit(recordedEvents(), START_MS, durationMs);
  const uploads = batchesOf(events).map((batch, counter) => ourUpload('visit', counter, batch));
  const lines = events.map((event) => `${JSON.stringify(['w', event])}\n`);
  const baselineBytes = compressSync(lines.join('')).length;
  return { what: 'pages', uploads, baselineBytes, baseline: `${baselineBytes}, events in snappy` };
}

async function pictureHour(durationMs: number): Promise<Hour> {
  const screens = await drawnScreens();
  const count = durationMs / 1000 / PICTURES_IN_BUNDLE;
  const uploads = Array.from({ length: count }, (_, counter) => pictureUpload(screens, 'phone', counter));
  const baselineBytes = uploads.reduce((sum, { body }) => sum + body.length, 0);
  return { what: 'pictures', uploads, baselineBytes, baseline: `${baselineBytes}, as uploaded` };
}

/** The blocks of the session, and the bytes of all objects. */
async function atRest(
  uploads: readonly Upload[],
  flushAgeMs: number,
): Promise<{ readonly blocks: readonly KnownBlock[]; readonly bytes: number }> {
  const log = memoryLog({ partitions: 1, codec: avroCodec });
  try {
    return await withCompactor(log, async (flush, stored) => {
      let oldestMs: number | undefined;
      let held = 0;
      for (const upload of uploads) {
        const atMs = upload.receivedAtMs;
        if (oldestMs !== undefined && (atMs >= oldestMs + flushAgeMs || held >= LIMITS.flushBytesMax)) {
          await flush();
          [oldestMs, held] = [undefined, 0];
        }
        oldestMs ??= atMs;
        held += upload.body.length;
        await log.append('playhead.uploads', 0, upload.sessionId, upload);
      }
      await flush();
      return { blocks: await blocksOf(log), bytes: stored.bytes };
    });
  } finally {
    await log.close();
  }
}

async function blocksOf(log: EventLog): Promise<readonly KnownBlock[]> {
  const { next } = await log.bounds('playhead.flushes', 0);
  const blocks: KnownBlock[] = [];
  for await (const { records } of log.read('playhead.flushes', 0, toOffset(0), { signal: new AbortController().signal })) {
    for (const { offset, record } of records) {
      if (record === null) throw new Error(`the flush at ${offset} cannot be read`);
      const { objectKey, lastOffset: flushLastOffset } = record;
      for (const block of record.blocks) blocks.push({ ...block, objectKey, flushLastOffset, merged: false });
      if (offset === next - 1) return blocks;
    }
  }
  return blocks;
}
