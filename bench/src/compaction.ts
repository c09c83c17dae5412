import process from 'node:process';
import { gunzipSync } from 'node:zlib';
import type { EventLog } from '@playhead/ports';
import type { Upload } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { memoryLog } from '@playhead/testkit';
import { compressSync } from 'snappy';
import { withCompactor } from './compacting.ts';
import type { Goal } from './goal.ts';
import { goalTable } from './goal.ts';
import { mergedBytes } from './merged-bytes.ts';
import type { Run } from './run.ts';
import type { BenchTable } from './table.ts';
import { median } from './table.ts';
import type { RrwebEvent } from './workload.ts';
import { batchesOf, drawnScreens, gzippedInJson, ourUpload, peerMessage, pictureUpload, recordedEvents } from './workload.ts';

/** The peer writes a block of a session when 100 MB of all sessions are there. */
const PEER_FLUSH_BYTES = 100 * 1024 * 1024;

/** Not measured: a processor runs for days, and its code has long been compiled. */
const WARM_ROUNDS = 4;
const ROUNDS = 9;

interface Work {
  readonly bytesIn: number;
  /** Bytes that came to rest. */
  readonly bytesOut: number;
  readonly cpuSeconds: number;
}

/**
 * What one processor pays for an upload until it is in a durable block, in CPU-seconds (all threads) per GB that came in, and what then is
 * at rest. The log is in memory, records are decoded as the log of one process does; objects go nowhere.
 */
export async function benchCompaction({ quick, progress }: Run): Promise<BenchTable> {
  const rounds = quick ? 1 : ROUNDS;
  const screens = await drawnScreens();
  const pictures = Array.from({ length: quick ? 40 : 1_200 }, (_, counter) => pictureUpload(screens, `phone-${counter % 20}`, counter));
  const recorded = recordedEvents();
  const batches = batchesOf(recorded);
  const foreign = batches.map((batch) => batch.map(gzippedInJson));
  const sessions = quick ? 5 : 300;

  const goals: Goal[] = [];
  progress('pictures');
  const picturesOurs = await middle(rounds, () => compacted(pictures, totalOf(pictures)));
  const picturesInflated = await middle(rounds, () => inflated(pictures));
  goals.push(cpuGoal('pictures: bundles of 3, inflated and discarded', picturesOurs, picturesInflated, 1.5));
  const uploaded = picturesInflated.bytesIn;
  goals.push(restGoal('pictures at rest, before the merge: as uploaded', picturesOurs.bytesOut, uploaded, 1));
  goals.push(restGoal('pictures at rest, after the merge: the same', await mergedBytesOfAll(pictures), uploaded, 1));
  const compare = async (sent: readonly (readonly RrwebEvent[])[]): Promise<{ readonly ours: Work; readonly peer: Work }> => {
    // The same events for both: a GB is one of events as JSON.
    const bytes = sessions * sent.flat().reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
    const uploads = each(sessions, (session) => sent.map((batch, counter) => ourUpload(`session-${session}`, counter, batch)));
    const messages = each(sessions, (session) => sent.map((batch) => Buffer.from(peerMessage(`session-${session}`, batch))));
    const ours = await middle(rounds, () => compacted(uploads, bytes));
    return { ours, peer: await middle(rounds, () => compactedByPeer(messages, bytes)) };
  };
  progress('DOM of our recorder');
  const plain = await compare(batches);
  goals.push(cpuGoal('DOM of our recorder: the pipeline of JSON and snappy', plain.ours, plain.peer, 1 / 8));
  progress('DOM with gzip inside of JSON');
  const packed = await compare(foreign);
  goals.push(cpuGoal('DOM with gzip inside of JSON: the pipeline of JSON and snappy', packed.ours, packed.peer, 1 / 5));
  // The same recording for all; as sent by the peer's own recorder it has gzip inside of its JSON.
  const before = plain.ours.bytesOut;
  const after = sessions * (await mergedBytes(batches.map((batch, counter) => ourUpload('session', counter, batch))));
  goals.push(restGoal('DOM at rest, before the merge: events as the peer sends them, snappy', before, packed.peer.bytesOut, 0.45));
  goals.push(restGoal('DOM at rest, after the merge: the same', after, packed.peer.bytesOut, 0.31));
  goals.push(restGoal('DOM at rest, before the merge: plain events, snappy', before, plain.peer.bytesOut));
  goals.push(restGoal('DOM at rest, after the merge: the same', after, plain.peer.bytesOut));
  return goalTable(
    `CPU-s per GB that came in and bytes at rest, ${pictures.length} bundles, ${sessions} sessions, median of ${rounds}`,
    goals,
  );
}

function cpuGoal(what: string, ours: Work, other: Work, atMost: number): Goal {
  const perGb = ({ cpuSeconds, bytesIn }: Work): number => cpuSeconds / (bytesIn / 1e9);
  const [measured, baseline] = [perGb(ours), perGb(other)];
  return {
    what,
    measured: `${measured.toFixed(2)} s/GB`,
    baseline: `${baseline.toFixed(2)} s/GB`,
    ratio: measured / baseline,
    bound: { atMost },
  };
}

function restGoal(what: string, bytesOut: number, baseline: number, atMost?: number): Goal {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  return {
    what,
    measured: mb(bytesOut),
    baseline: mb(baseline),
    ratio: bytesOut / baseline,
    bound: atMost === undefined ? undefined : { atMost },
  };
}

function each<T>(count: number, make: (number: number) => readonly T[]): T[] {
  return Array.from({ length: count }, (_, number) => make(number)).flat();
}

async function mergedBytesOfAll(uploads: readonly Upload[]): Promise<number> {
  let bytes = 0;
  for (const ofSession of Map.groupBy(uploads, ({ sessionId }) => sessionId).values()) bytes += await mergedBytes(ofSession);
  return bytes;
}

function totalOf(uploads: readonly Upload[]): number {
  return uploads.reduce((sum, { body }) => sum + body.length, 0);
}

async function middle(rounds: number, run: () => Promise<Work>): Promise<Work> {
  const all: Work[] = [];
  if (rounds > 1) for (let round = 0; round < WARM_ROUNDS; round++) await run();
  for (let round = 0; round < rounds; round++) all.push(await run());
  const cpuSeconds = median(all.map((work) => work.cpuSeconds));
  return all.find((work) => work.cpuSeconds === cpuSeconds) ?? (all[0] as Work);
}

async function cpuSecondsOf(run: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function logOf(uploads: readonly Upload[]): Promise<EventLog> {
  const log = memoryLog({ partitions: 1, codec: avroCodec });
  for (const upload of uploads) await log.append('playhead.uploads', 0, upload.sessionId, upload);
  return log;
}

async function compacted(uploads: readonly Upload[], bytesIn: number): Promise<Work> {
  const log = await logOf(uploads);
  let bytesOut = 0;
  const cpuSeconds = await cpuSecondsOf(() =>
    withCompactor(log, async (flush, stored) => {
      await flush();
      bytesOut = stored.bytes;
    }),
  );
  await log.close();
  return { bytesIn, bytesOut, cpuSeconds };
}

async function inflated(uploads: readonly Upload[]): Promise<Work> {
  const log = await logOf(uploads);
  let bytesOut = 0;
  const cpuSeconds = await cpuSecondsOf(async () => {
    const stop = new AbortController();
    let left = uploads.length;
    for await (const { records } of log.read('playhead.uploads', 0, 0 as never, { signal: stop.signal })) {
      for (const { record } of records) bytesOut += record === null ? 0 : gunzipSync(record.body).length;
      left -= records.length;
      if (left === 0) break;
    }
  });
  await log.close();
  return { bytesIn: totalOf(uploads), bytesOut, cpuSeconds };
}

/**
 * The straightforward pipeline, as the largest open-source peer has it: a message is parsed as JSON, the event in it once more, each of its
 * rrweb events becomes a line, and the lines of a session are one snappy block of an object of 100 MB.
 */
async function compactedByPeer(messages: readonly Buffer[], bytesIn: number): Promise<Work> {
  let bytesOut = 0;
  const cpuSeconds = await cpuSecondsOf(() => {
    const lines = new Map<string, string[]>();
    let held = 0;
    const flush = (): void => {
      for (const block of lines.values()) bytesOut += compressSync(block.join('')).length;
      lines.clear();
      held = 0;
    };
    for (const message of messages) {
      const { data } = JSON.parse(message.toString('utf8')) as { readonly data: string };
      const { properties } = JSON.parse(data) as {
        readonly properties: { readonly $session_id: string; readonly $window_id: string; readonly $snapshot_items: readonly RrwebEvent[] };
      };
      const block = lines.get(properties.$session_id) ?? [];
      lines.set(properties.$session_id, block);
      for (const event of properties.$snapshot_items) {
        const line = `${JSON.stringify([properties.$window_id, event])}\n`;
        block.push(line);
        held += line.length;
      }
      if (held >= PEER_FLUSH_BYTES) flush();
    }
    flush();
  });
  return Promise.resolve({ bytesIn, bytesOut, cpuSeconds });
}
