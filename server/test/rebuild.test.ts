import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChdb } from '@playhead/catalog-clickhouse/chdb';
import { systemClock } from '@playhead/ports';
import { GivenUp, ProcessorsAtWork, startProcessors } from '@playhead/processors';
import { partitionOf, toOffset, type Upload } from '@playhead/schemas';
import { aFlush, aSessionEnded, aSessionStarted, silentLogger, uploadsOf } from '@playhead/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DataDirectory } from '../src/data-directory.ts';
import { openDataDirectory } from '../src/data-directory.ts';
import { embeddedEngines } from '../src/embedded-engines.ts';
import type { Engines } from '../src/engines.ts';
import type { RebuildPlan } from '../src/rebuild/rebuild.ts';
import { RebuildRefused, rebuild } from '../src/rebuild/rebuild.ts';
import type { Settings } from '../src/settings.ts';
import { readSettings } from '../src/settings.ts';

const PARTITIONS = 2;
const SESSIONS = ['session-a', 'session-b', 'session-c', 'session-d'];
const ROUNDS = 3;
/** Longer than uploads are kept. */
const TOO_LATE_MS = 73 * 60 * 60 * 1000;
const ALL: RebuildPlan = { objects: 'rebuild', catalog: true, acceptLoss: false };
const WAIT = { timeout: 20_000, interval: 50 };

let data: DataDirectory;
let engines: Engines;
let lines: string[];

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-rebuild-'));
  data = await openDataDirectory(folder);
  engines = embeddedEngines(readSettings(['--partitions', String(PARTITIONS)], {}) as Settings, data);
  lines = [];
});
afterEach(async () => {
  await engines.close();
  data.release();
  await rm(data.path, { recursive: true, force: true, maxRetries: 5 });
});

const run = (plan: RebuildPlan, signal = new AbortController().signal): Promise<boolean> =>
  rebuild({ engines, clock: systemClock, logger: silentLogger, random: () => 0.5, print: (line) => void lines.push(line), signal }, plan);

/** A gap, then sessions in rounds of one flush each: duplicates within and across them, damaged bodies, starts, ends, and a view. */
async function record(): Promise<void> {
  const [log, blocks, catalog] = [await engines.log(), await engines.blocks(), await engines.catalog()];
  const [early] = uploadsOf(1, { sessionId: 'session-a' }) as [Upload];
  await log.append('playhead.uploads', partitionOf(early.sessionId, PARTITIONS), early.sessionId, early);
  await log.trim(Date.now() + TOO_LATE_MS);
  const deps = { log, blocks, catalog, clock: systemClock, logger: silentLogger, writer: 'test' };
  const processors = await startProcessors({ ...deps, settings: { flushAgeMs: 60_000, sessionSilenceMs: 600_000 } });
  const append = (upload: Upload): Promise<unknown> =>
    log.append('playhead.uploads', partitionOf(upload.sessionId, PARTITIONS), upload.sessionId, upload);
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

/**
 * Every row of every table and view, sorted. Rows that were written twice count once (FINAL), as they do for the views.
 * Left out is when a process applied a step of the schema: that is another time.
 */
async function dump(): Promise<Record<string, readonly string[]>> {
  const sql = openChdb(data.catalog);
  try {
    const tables = await sql.query("SELECT name, engine FROM system.tables WHERE database = 'playhead' ORDER BY name");
    const rows: Record<string, readonly string[]> = {};
    for (const { name, engine } of tables) {
      const [columns, final] = [name === 'migrations' ? '* EXCEPT applied_at' : '*', engine === 'View' ? '' : 'FINAL'];
      const found = await sql.query(`SELECT ${columns} FROM playhead.${String(name)} ${final}`);
      rows[String(name)] = found.map((row) => JSON.stringify(row)).toSorted();
    }
    return rows;
  } finally {
    await sql.close();
  }
}

const uploadsFolder = (): string => join(data.blocks, 'objects', 'uploads');

async function objects(): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(uploadsFolder(), { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).toSorted();
  return new Map(await Promise.all(paths.map(async (path) => [path, (await readFile(path)).toString('hex')] as const)));
}

async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('a rebuild of what one process stored', () => {
  test('gives the same catalog row for row, and every object that was missing or damaged byte for byte', async () => {
    await record();
    const [rowsBefore, before] = [await dump(), await objects()];
    expect(Object.values(rowsBefore).every((rows) => rows.length > 0)).toBe(true);
    expect(before.size).toBe(PARTITIONS * ROUNDS);
    const paths = [...before.keys()];
    await rm(paths[0] as string);
    await damage(paths[1] as string);
    await rm(join(uploadsFolder(), 'p0001'), { recursive: true });

    expect(await run({ ...ALL, objects: 'check', catalog: false })).toBe(false);
    expect(await run(ALL)).toBe(true);
    expect(await objects()).toEqual(before);
    expect(await dump()).toEqual(rowsBefore);
    expect(lines.filter((line) => line.includes('made again from its uploads'))).toHaveLength(2 + ROUNDS);
    expect(lines).toContainEqual(expect.stringMatching(/partition 0: 3 objects of 3 flushes, .* MB, 2 made again, all whole/));
    expect(lines).toContainEqual(expect.stringMatching(/partition 1: 3 of 3 flushes, \d+ signals, \d+ facts of sessions/));
    expect(await run({ ...ALL, objects: 'check', catalog: false })).toBe(true);
  }, 60_000);

  test('fills a catalog whose tables were thrown away by hand', async () => {
    await record();
    const rowsBefore = await dump();
    const sql = openChdb(data.catalog);
    for (const name of Object.keys(rowsBefore).filter((table) => table !== 'stored_views'))
      await sql.command(`DROP TABLE playhead.${name} SYNC`);
    await sql.close();
    await (await engines.catalog()).migrate();
    expect(await run({ ...ALL, objects: 'skip' })).toBe(true);
    expect(await dump()).toEqual(rowsBefore);
    // Nothing was there to be lost, so nothing was read for it.
    expect(lines.join('\n')).not.toMatch(/Objects/);
  }, 60_000);

  test('drops nothing while the catalog alone knows signals of objects that are lost, and goes on without them when told', async () => {
    await record();
    const rowsBefore = await dump();
    const [lost = ''] = (await objects()).keys();
    await rm(lost);
    await (await engines.log()).trim(Date.now() + TOO_LATE_MS);
    for (const objectsPlan of ['rebuild', 'skip'] as const) {
      const refused = run({ ...ALL, objects: objectsPlan });
      await expect(refused).rejects.toBeInstanceOf(RebuildRefused);
      await expect(refused).rejects.toThrow(/The catalog alone knows \d+ signals/);
    }
    expect(await dump()).toEqual(rowsBefore);
    expect(lines).toContainEqual(expect.stringMatching(/is missing: LOST/));

    expect(await run({ ...ALL, acceptLoss: true })).toBe(false);
    const rowsAfter = await dump();
    expect(rowsAfter['stored_blocks']).toEqual(rowsBefore['stored_blocks']);
    expect(rowsAfter['stored_events']?.length).toBeLessThan(rowsBefore['stored_events']?.length ?? 0);
    expect(await run({ ...ALL, objects: 'skip', acceptLoss: true })).toBe(true);
  }, 60_000);

  test('drops nothing when the catalog knows more than the log: it is another log, or not all of it', async () => {
    await record();
    const { lastOffset, ...flush } = aFlush({ objectKey: '', blocks: [], lastOffset: toOffset(1_000_000) });
    await (await engines.catalog()).applyFlush({ ...flush, lastOffset }, toOffset(100), []);
    const rowsBefore = await dump();
    await expect(run(ALL)).rejects.toThrow(/Partition 0: the catalog knows more than the log has/);
    expect(await dump()).toEqual(rowsBefore);
  }, 60_000);

  test('drops nothing when it is stopped before, and stays out of the way of processors', async () => {
    await record();
    const rowsBefore = await dump();
    const stop = new AbortController();
    stop.abort();
    await expect(run(ALL, stop.signal)).rejects.toBeInstanceOf(GivenUp);
    expect(await dump()).toEqual(rowsBefore);
    const [log, blocks, catalog] = [await engines.log(), await engines.blocks(), await engines.catalog()];
    const processors = await startProcessors({ log, blocks, catalog, clock: systemClock, logger: silentLogger, writer: 'other' });
    const impatient = { ...systemClock, setTimer: (_ms: number, go: () => void) => systemClock.setTimer(50, go) };
    const deps = { engines, clock: impatient, logger: silentLogger, random: () => 0.5, print: () => undefined };
    await expect(rebuild({ ...deps, signal: new AbortController().signal }, ALL)).rejects.toBeInstanceOf(ProcessorsAtWork);
    expect(await run({ ...ALL, catalog: false })).toBe(true);
    await processors.stop();
    expect(await dump()).toEqual(rowsBefore);
  }, 60_000);
});
