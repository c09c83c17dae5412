import type { SqlClient } from '@playhead/catalog-clickhouse';
import type { Clock } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import { startProcessors } from '@playhead/processors';
import type { Upload } from '@playhead/schemas';
import { partitionOf } from '@playhead/schemas';
import { aSessionEnded, aSessionStarted, silentLogger, uploadsOf } from '@playhead/testkit';
import { expect, vi } from 'vitest';
import type { Engines } from '../src/engines.ts';
import type { RebuildPlan } from '../src/rebuild/rebuild.ts';
import { rebuild } from '../src/rebuild/rebuild.ts';

export const PARTITIONS = 2;
export const ROUNDS = 3;
/** Longer than uploads are kept. */
export const TOO_LATE_MS = 73 * 60 * 60 * 1000;
export const ALL: RebuildPlan = { objects: 'rebuild', catalog: true, acceptLoss: false };

const SESSIONS = ['session-a', 'session-b', 'session-c', 'session-d'];
const WAIT = { timeout: 20_000, interval: 50 };

/** Processors that flush when they are told, with all partitions. */
export async function allProcessors(engines: Engines): ReturnType<typeof startProcessors> {
  const [log, blocks, catalog] = [await engines.log(), await engines.blocks(), await engines.catalog()];
  // What the examples record ended years ago: nothing is merged before a test says so.
  const settings = { flushAgeMs: 60_000, sessionSilenceMs: 600_000, mergeAfterMs: 20 * 365 * 24 * 60 * 60_000 };
  const processors = await startProcessors({ log, blocks, catalog, clock: systemClock, logger: silentLogger, writer: 'test', settings });
  await vi.waitFor(() => expect(processors.stats()).toHaveLength(PARTITIONS), WAIT);
  return processors;
}

/**
 * A gap (where the log trims when it is told), then sessions in rounds of one flush each: duplicates within and across them,
 * damaged bodies, starts, ends, and a view.
 */
export async function record(engines: Engines): Promise<void> {
  const [log, catalog] = [await engines.log(), await engines.catalog()];
  const append = (upload: Upload): Promise<unknown> =>
    log.append('playhead.uploads', partitionOf(upload.sessionId, PARTITIONS), upload.sessionId, upload);
  for (const early of uploadsOf(1, { sessionId: 'session-a' })) await append(early);
  await log.trim(Date.now() + TOO_LATE_MS);
  const processors = await allProcessors(engines);
  for (let round = 0; round < ROUNDS; round++) {
    for (const sessionId of SESSIONS) {
      const partition = partitionOf(sessionId, PARTITIONS);
      if (round === 0) await log.append('playhead.sessions', partition, sessionId, aSessionStarted({ sessionId }));
      const uploads = uploadsOf(3 * (round + 1), { sessionId });
      const damaged = uploads.at(-1) as Upload;
      const fresh = [...uploads.slice(3 * round, -1), { ...damaged, body: damaged.body.slice(0, -7) }];
      for (const upload of [...fresh, ...uploads.slice(0, 2), ...fresh.slice(0, 1)]) await append(upload);
      if (round === ROUNDS - 1) await log.append('playhead.sessions', partition, sessionId, aSessionEnded({ sessionId, reason: 'told' }));
    }
    await processors.flushNow();
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const [uploads, facts] = [await log.bounds('playhead.uploads', partition), await log.bounds('playhead.sessions', partition)];
    await vi.waitFor(async () => {
      const { chainEnd, sessionsNext } = await catalog.progress(partition);
      expect([chainEnd, sessionsNext]).toEqual([uploads.next - 1, facts.next]);
    }, WAIT);
  }
  await processors.stop();
  await catalog.recordView({ projectId: 'shop', sessionId: 'session-a', watchId: 'watch-1', viewer: 'ann', startedAtMs: 1 });
}

/** A clock by which whoever waits for 20 s has waited after 4. */
export const IMPATIENT: Clock = { now: () => systemClock.now(), setTimer: (ms, go) => systemClock.setTimer(ms / 5, go) };

export interface Run {
  readonly plan: RebuildPlan;
  readonly lines?: { push(line: string): number };
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

export function run(
  engines: Engines,
  { plan, lines = [], signal = new AbortController().signal, clock = systemClock }: Run,
): Promise<boolean> {
  return rebuild({ engines, clock, logger: silentLogger, random: () => 0.5, print: (line) => void lines.push(line), signal }, plan);
}

/**
 * Every row of every table and view of the catalog, sorted. Rows that were written twice count once (FINAL), as they do for
 * the views. Left out is when a process applied a step of the schema: that is another time.
 */
export async function dump(sql: SqlClient): Promise<Record<string, readonly string[]>> {
  const tables = await sql.query("SELECT name, engine FROM system.tables WHERE database = 'playhead' ORDER BY name");
  const rows: Record<string, readonly string[]> = {};
  for (const { name, engine } of tables) {
    const [columns, final] = [name === 'migrations' ? '* EXCEPT applied_at' : '*', engine === 'View' ? '' : 'FINAL'];
    const found = await sql.query(`SELECT ${columns} FROM playhead.${String(name)} ${final}`);
    rows[String(name)] = found.map((row) => JSON.stringify(row)).toSorted();
  }
  return rows;
}

/** The bytes of every object of a flush, by key. */
export async function objects(engines: Engines): Promise<ReadonlyMap<string, string>> {
  const blocks = await engines.blocks();
  const found = new Map<string, string>();
  for await (const { key } of blocks.list('uploads/')) found.set(key, Buffer.from(await blocks.get(key)).toString('hex'));
  return found;
}

/** Changes one bit. */
export async function damage(engines: Engines, key: string): Promise<void> {
  const blocks = await engines.blocks();
  const bytes = await blocks.get(key);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await blocks.delete(key);
  await blocks.put(key, [bytes]);
}
