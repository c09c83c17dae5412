import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbLog } from '@playhead/log-lmdb';
import type { Upload } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import type { Run } from './run.ts';
import type { BenchTable } from './table.ts';
import { median } from './table.ts';

const BODY_BYTES = [5 * 1024, 64 * 1024];
const TOTAL_BYTES = 48 * 1024 * 1024;
const IN_FLIGHT = 32;
const ROUNDS = 3;

/**
 * Durable appends a second: the LMDB log beside a plain file that takes the same bodies, 32 at a time, one `write` and one `fdatasync`
 * for each such group: what a log with ideal group commit would cost on this disk.
 */
export async function benchLogAppend({ quick, progress }: Run): Promise<BenchTable> {
  const [totalBytes, rounds] = quick ? [TOTAL_BYTES / 16, 1] : [TOTAL_BYTES, ROUNDS];
  const rows: string[][] = [];
  for (const bodyBytes of BODY_BYTES) {
    const appends = Math.floor(totalBytes / bodyBytes);
    const bodies = Array.from({ length: IN_FLIGHT }, () => new Uint8Array(randomBytes(bodyBytes)));
    const file: number[] = [];
    const log: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`${bodyBytes / 1024} KB, round ${round + 1} of ${rounds}`);
      file.push(appends / (await timed((folder) => writeFile(folder, bodies, appends))));
      log.push(appends / (await timed((folder) => appendToLog(folder, bodies, appends))));
    }
    rows.push([
      `${bodyBytes / 1024} KB`,
      median(log).toFixed(0),
      ((median(log) * bodyBytes) / 1e6).toFixed(0),
      median(file).toFixed(0),
      `${(median(log) / median(file)).toFixed(2)}×`,
    ]);
  }
  return {
    about: `durable appends, ${IN_FLIGHT} in flight, ${totalBytes / 2 ** 20} MiB a round, median of ${rounds} rounds`,
    columns: ['body', 'log, appends/s', 'log, MB/s', 'plain file, appends/s', 'log : plain file'],
    rows,
  };
}

/** Seconds that `run` takes in an empty folder. */
async function timed(run: (folder: string) => Promise<void>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-bench-'));
  try {
    const began = performance.now();
    await run(folder);
    return (performance.now() - began) / 1000;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeFile(folder: string, bodies: readonly Uint8Array[], appends: number): Promise<void> {
  await using handle = await open(join(folder, 'plain'), 'w');
  for (let done = 0; done < appends; done += IN_FLIGHT) {
    await handle.writev(bodies.slice(0, Math.min(IN_FLIGHT, appends - done)));
    await handle.datasync();
  }
}

async function appendToLog(folder: string, bodies: readonly Uint8Array[], appends: number): Promise<void> {
  const log = await openLmdbLog({ path: folder, partitions: 1, codec: avroCodec });
  let next = 0;
  const sender = async (body: Uint8Array): Promise<void> => {
    while (next < appends) await log.append('playhead.uploads', 0, 'session', uploadOf(next++, body));
  };
  await Promise.all(bodies.map(sender));
  await log.close();
}

function uploadOf(counter: number, body: Uint8Array): Upload {
  return {
    projectId: 'bench',
    sessionId: 'session-bench',
    windowId: 'window',
    uploadId: String(counter),
    counter,
    track: null,
    format: 'frames',
    codec: 'gzip',
    sentAtMs: 1_750_000_000_000,
    receivedAtMs: 1_750_000_000_000,
    epochMs: 0,
    goodbye: false,
    facts: {},
    body,
    outline: new Uint8Array(),
  };
}
