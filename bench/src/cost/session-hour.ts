import type { Upload } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { memoryLog } from '@playhead/testkit';
import { compressSync } from 'snappy';
import { withCompactor } from '../compacting.ts';
import type { Run } from '../run.ts';
import type { BenchTable } from '../table.ts';
import { batchesOf, longVisit, ourUpload, PICTURES_IN_BUNDLE, pictureUpload, recordedEvents, START_MS } from '../workload.ts';
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
export async function benchSessionHour({ quick, progress }: Run): Promise<BenchTable> {
  const durationMs = quick ? HOUR_MS / 60 : HOUR_MS;
  const rows: string[][] = [];
  for (const { what, uploads, baselineBytes, baseline } of [pageHour(durationMs), pictureHour(durationMs)]) {
    for (const flushAgeS of FLUSH_AGES_S) {
      progress(`${what}, flushes every ${flushAgeS} s`);
      const { objects, bytes } = await atRest(uploads, flushAgeS * 1000);
      const sent = uploads.reduce((sum, { body }) => sum + body.length, 0);
      const ratio = `${(bytes / baselineBytes).toFixed(2)}×`;
      rows.push([what, `${flushAgeS} s`, String(uploads.length), String(sent), String(objects), String(bytes), baseline, ratio]);
    }
  }
  return {
    about: `${durationMs / HOUR_MS} h of a session that is always at work: the pages of the shared recording one after the other; a picture a second`,
    columns: ['session', 'flush age', 'uploads', 'bytes sent', 'blocks', 'bytes at rest', 'baseline', 'at rest : baseline'],
    rows,
  };
}

function pageHour(durationMs: number): Hour {
  const events = longVisit(recordedEvents(), START_MS, durationMs);
  const uploads = batchesOf(events).map((batch, counter) => ourUpload('visit', counter, batch));
  const lines = events.map((event) => `${JSON.stringify(['w', event])}\n`);
  const baselineBytes = compressSync(lines.join('')).length;
  return { what: 'pages', uploads, baselineBytes, baseline: `${baselineBytes}, events in snappy` };
}

function pictureHour(durationMs: number): Hour {
  const count = durationMs / 1000 / PICTURES_IN_BUNDLE;
  const uploads = Array.from({ length: count }, (_, counter) => pictureUpload('phone', counter));
  const baselineBytes = uploads.reduce((sum, { body }) => sum + body.length, 0);
  return { what: 'pictures', uploads, baselineBytes, baseline: `${baselineBytes}, as uploaded` };
}

async function atRest(uploads: readonly Upload[], flushAgeMs: number): Promise<{ readonly objects: number; readonly bytes: number }> {
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
      return { ...stored };
    });
  } finally {
    await log.close();
  }
}
