import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SqlClient } from '@playhead/catalog-clickhouse';
import { openChdb } from '@playhead/catalog-clickhouse/chdb';
import { GivenUp, ProcessorsAtWork } from '@playhead/processors';
import { toOffset } from '@playhead/schemas';
import { aFlush } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DataDirectory } from '../src/data-directory.ts';
import { openDataDirectory } from '../src/data-directory.ts';
import { embeddedEngines } from '../src/embedded-engines.ts';
import type { Engines } from '../src/engines.ts';
import { RebuildRefused } from '../src/rebuild/rebuild.ts';
import type { Settings } from '../src/settings.ts';
import { readSettings } from '../src/settings.ts';
import { ALL, allProcessors, damage, dump, IMPATIENT, objects, PARTITIONS, ROUNDS, record, run, TOO_LATE_MS } from './rebuild-world.ts';

describe('a rebuild of what one process stored', () => {
  let data: DataDirectory;
  let engines: Engines;
  let sql: SqlClient;

  // Recorded once: every test leaves it as it was, but for the last two.
  beforeAll(async () => {
    data = await openDataDirectory(await mkdtemp(join(tmpdir(), 'playhead-rebuild-')));
    engines = embeddedEngines(readSettings(['--partitions', String(PARTITIONS)], {}) as Settings, data);
    sql = openChdb(data.catalog);
    await record(engines);
  }, 60_000);
  afterAll(async () => {
    await sql.close();
    await engines.close();
    data.release();
    await rm(data.path, { recursive: true, force: true, maxRetries: 5 });
  });

  test('gives the same catalog row for row, and every object that was missing or damaged byte for byte', async () => {
    const lines: string[] = [];
    const [rowsBefore, before] = [await dump(sql), await objects(engines)];
    const empty = Object.entries(rowsBefore).filter(([, rows]) => rows.length === 0);
    expect(empty.filter(([table]) => !table.includes('merge'))).toEqual([]);
    expect(before.size).toBe(PARTITIONS * ROUNDS);
    const [missing = '', damaged = '', , ...others] = before.keys();
    const blocks = await engines.blocks();
    await damage(engines, damaged);
    for (const key of [missing, ...others]) await blocks.delete(key);

    expect(await run(engines, { plan: { ...ALL, objects: 'check', catalog: false } })).toBe(false);
    expect(await run(engines, { plan: ALL, lines })).toBe(true);
    expect(await objects(engines)).toEqual(before);
    expect(await dump(sql)).toEqual(rowsBefore);
    expect(lines.filter((line) => line.includes('made again from its uploads'))).toHaveLength(2 + others.length);
    expect(lines).toContainEqual(expect.stringMatching(/partition 0: 3 objects of 3 flushes and 0 merges, .* MB, 2 made again, all whole/));
    expect(lines).toContainEqual(expect.stringMatching(/partition 1: 3 of 3 flushes and merges, \d+ signals, \d+ facts of sessions/));
    expect(await run(engines, { plan: { ...ALL, objects: 'check', catalog: false } })).toBe(true);
  });

  test('fills a catalog whose tables were thrown away by hand', async () => {
    const lines: string[] = [];
    const rowsBefore = await dump(sql);
    const thrownAway = Object.keys(rowsBefore).filter((table) => table !== 'stored_views');
    for (const name of thrownAway) await sql.command(`DROP TABLE playhead.${name} SYNC`);
    await (await engines.catalog()).migrate();
    expect(await run(engines, { plan: { ...ALL, objects: 'skip' }, lines })).toBe(true);
    expect(await dump(sql)).toEqual(rowsBefore);
    // Nothing was there to be lost, so nothing was read for it.
    expect(lines.join('\n')).not.toMatch(/Objects/);
  });

  test('drops nothing when it is stopped before, and while processors work', async () => {
    const rowsBefore = await dump(sql);
    const stop = new AbortController();
    stop.abort();
    await expect(run(engines, { plan: ALL, signal: stop.signal })).rejects.toBeInstanceOf(GivenUp);
    const processors = await allProcessors(engines);
    await expect(run(engines, { plan: ALL, clock: IMPATIENT })).rejects.toBeInstanceOf(ProcessorsAtWork);
    expect(await run(engines, { plan: { ...ALL, catalog: false } })).toBe(true);
    await processors.stop();
    expect(await dump(sql)).toEqual(rowsBefore);
  });

  test('gives way to processors that are started meanwhile: they fill the catalog on', async () => {
    const rowsBefore = await dump(sql);
    const started = Promise.withResolvers<Awaited<ReturnType<typeof allProcessors>>>();
    const lines = {
      push: (line: string): number => {
        if (line.startsWith('Catalog: filling')) started.resolve(allProcessors(engines));
        return 0;
      },
    };
    await expect(run(engines, { plan: { ...ALL, objects: 'skip' }, lines })).rejects.toThrow('processors were started');
    const processors = await started.promise;
    await vi.waitFor(async () => expect(await dump(sql)).toEqual(rowsBefore), { timeout: 20_000, interval: 200 });
    await processors.stop();
  });

  test('drops nothing while the catalog alone knows signals of objects that are lost, and goes on without them when told', async () => {
    const lines: string[] = [];
    const rowsBefore = await dump(sql);
    const [lost = ''] = (await objects(engines)).keys();
    await (await engines.blocks()).delete(lost);
    await (await engines.log()).trim(Date.now() + TOO_LATE_MS);
    for (const plan of [ALL, { ...ALL, objects: 'skip' } as const]) {
      const refused = run(engines, { plan, lines });
      await expect(refused).rejects.toBeInstanceOf(RebuildRefused);
      await expect(refused).rejects.toThrow(/The catalog alone knows \d+ signals/);
    }
    expect(await dump(sql)).toEqual(rowsBefore);
    expect(lines).toContainEqual(expect.stringMatching(/is missing: LOST/));

    expect(await run(engines, { plan: { ...ALL, acceptLoss: true } })).toBe(false);
    const rowsAfter = await dump(sql);
    expect(rowsAfter['stored_blocks']).toEqual(rowsBefore['stored_blocks']);
    expect(rowsAfter['stored_events']?.length).toBeLessThan(rowsBefore['stored_events']?.length ?? 0);
  });

  test('drops nothing when the catalog knows more than the log: it is another log, or not all of it', async () => {
    const flush = aFlush({ objectKey: '', blocks: [], lastOffset: toOffset(1_000_000) });
    await (await engines.catalog()).applyFlush(flush, toOffset(100), []);
    const rowsBefore = await dump(sql);
    await expect(run(engines, { plan: ALL })).rejects.toThrow(/Partition 0: the catalog knows more than the log has/);
    expect(await dump(sql)).toEqual(rowsBefore);
  });
});
