import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { StartedClickHouse } from '@playhead/containers';
import { noContainers, startClickHouse } from '@playhead/containers';
import type { Catalog } from '@playhead/ports';
import { toOffset } from '@playhead/schemas';
import { catalogContract } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClickHouseOptions, SqlClient } from '../src/index.ts';
import { openClickHouse, openClickHouseCatalog } from '../src/index.ts';
import { MIGRATIONS } from '../src/migrate.ts';
import { expectSameAsMemory } from './any-history.ts';
import { numberedFlush } from './numbered-flush.ts';

const MIGRATING_PROCESS = fileURLToPath(new URL('./migrating-process.ts', import.meta.url));

describe.runIf(noContainers === '')(`a catalog on a real ClickHouse server${noContainers && ` (${noContainers})`}`, () => {
  let server: StartedClickHouse;
  let sql: SqlClient;

  beforeAll(async () => {
    server = await startClickHouse();
    sql = openClickHouse(server);
  }, 180_000);
  afterAll(async () => {
    await sql?.close();
    await server?.stop();
  });

  /** Options of a database of its own on the one server. */
  function aDatabase(): ClickHouseOptions & { readonly database: string } {
    const { url, user, password } = server;
    return { url, user, password, database: `test_${randomBytes(6).toString('hex')}` };
  }
  const dropped = (database: string): Promise<void> => sql.command(`DROP DATABASE IF EXISTS ${database} SYNC`);

  async function withCatalog(work: (catalog: Catalog, options: ReturnType<typeof aDatabase>) => Promise<void>): Promise<void> {
    const options = aDatabase();
    const catalog = await openClickHouseCatalog(options);
    try {
      await work(catalog, options);
    } finally {
      await catalog.close();
      await dropped(options.database);
    }
  }

  catalogContract('ClickHouse server', async () => {
    const options = aDatabase();
    const opened: Catalog[] = [];
    const open = async (): Promise<Catalog> => {
      const catalog = await openClickHouseCatalog(options);
      opened.push(catalog);
      return catalog;
    };
    return {
      catalog: await open(),
      reopen: async () => {
        await Promise.all(opened.splice(0).map((catalog) => catalog.close()));
        return open();
      },
      alongside: open,
      dispose: async () => {
        await Promise.all(opened.map((catalog) => catalog.close()));
        await dropped(options.database);
      },
    };
  });

  test('answers as the one in memory does, whatever the log brings', async () => {
    await expectSameAsMemory(withCatalog, Number(process.env.PLAYHEAD_RUNS ?? 3));
  }, 120_000);

  test('[CA1] several processes and clients that start at once with an empty server make one schema', async () => {
    const options = aDatabase();
    const { url, user, password, database } = options;
    const start = async (): Promise<string> => {
      const { stdout } = await promisify(execFile)(process.execPath, [MIGRATING_PROCESS, url, user, password, database]);
      return stdout.trim();
    };
    const [clients, processes] = await Promise.all([
      Promise.all([openClickHouseCatalog(options), openClickHouseCatalog(options), openClickHouseCatalog(options)]),
      Promise.all([start(), start()]),
    ]);
    try {
      expect(processes).toEqual(['-1', '-1']);
      const { flush, signals } = numberedFlush(0);
      await clients[0].applyFlush(flush, toOffset(1), signals);
      for (const catalog of clients) expect((await catalog.progress(0)).chainEnd).toBe(0);
      const steps = await sql.query(`SELECT DISTINCT id FROM ${database}.migrations ORDER BY id`);
      expect(steps.map((row) => Number(row.id))).toEqual(MIGRATIONS.map(({ id }) => id));
      expect(await start()).toBe('0');
    } finally {
      await Promise.all(clients.map((catalog) => catalog.close()));
      await dropped(database);
    }
  }, 60_000);

  test('[CA2] the same insert that comes again is left out by the server, the one after it is not', async () => {
    await withCatalog(async (_catalog, { database }) => {
      const view = (id: string) => ({ project_id: 'shop', session_id: 'session-a', watch_id: id, viewer: 'ann', started_at_ms: 1 });
      const client = openClickHouse(server);
      const rows = async (): Promise<number> => {
        const [counted] = await client.query(`SELECT count() AS n FROM ${database}.stored_views`);
        return Number(counted?.n);
      };
      // Merges would make one row of two as well: what is looked at here is that the second one is never written.
      await client.command(`SYSTEM STOP MERGES ${database}.stored_views`);
      for (let time = 0; time < 3; time++) await client.insert(`${database}.stored_views`, [view('watch-1')]);
      expect(await rows()).toBe(1);
      await client.insert(`${database}.stored_views`, [view('watch-1'), view('watch-2')]);
      expect(await rows()).toBe(3);
      await client.close();
    });
  });

  test('the server knows an insert by the name that it is given, not by what it makes of it', async () => {
    await withCatalog(async (_catalog, { database }) => {
      const client = openClickHouse(server);
      // What the server itself adds differs each time, so by content the two would be two.
      await client.command(
        `CREATE TABLE ${database}.named (id UInt8, made UUID DEFAULT generateUUIDv4()) ENGINE = MergeTree ORDER BY id
         SETTINGS non_replicated_deduplication_window = 10`,
      );
      for (const id of [1, 1, 2, 1]) await client.insert(`${database}.named`, [{ id }]);
      expect(await client.query(`SELECT id FROM ${database}.named ORDER BY id`)).toEqual([{ id: 1 }, { id: 2 }]);
      await client.close();
    });
  });

  test('an insert that is larger than one statement arrives whole', async () => {
    await withCatalog(async (catalog) => {
      const { flush, signals } = numberedFlush(0);
      const blocks = flush.blocks.map((block) => ({ ...block, frameIndex: new Uint8Array(randomBytes(600_000)) }));
      await catalog.applyFlush({ ...flush, blocks }, toOffset(1), signals);
      for (const block of blocks) {
        const stored = await catalog.blocks('shop', block.sessionId, 0);
        expect(Buffer.compare(stored.blocks[0]?.frameIndex ?? new Uint8Array(), block.frameIndex)).toBe(0);
      }
    });
  });

  test('a page of 500 sessions with long names is one answer', async () => {
    await withCatalog(async (catalog) => {
      const { flush } = numberedFlush(0);
      const [block] = flush.blocks;
      if (!block) throw new Error('no block');
      const blocks = Array.from({ length: 501 }, (_, i) => ({ ...block, sessionId: `${'é'.repeat(60)}-${i}`, firstTimestampMs: i + 1 }));
      await catalog.applyFlush({ ...flush, blocks }, toOffset(1), []);
      expect(await catalog.sessions({ projectId: 'shop', limit: 500 })).toHaveLength(500);
    });
  });

  test('a cluster that the server does not know is refused before anything is made', async () => {
    const options = { ...aDatabase(), cluster: 'nowhere' };
    await expect(openClickHouseCatalog(options)).rejects.toThrow('The server knows no cluster nowhere.');
    expect(await sql.query('SELECT name FROM system.databases WHERE name = {name:String}', { name: options.database })).toEqual([]);
  });

  test('tables that were not made for a cluster are not taken for one', async () => {
    await withCatalog(async (_catalog, options) => {
      await expect(openClickHouseCatalog({ ...options, cluster: 'main' })).rejects.toThrow(/not made for a cluster/);
    });
  });

  test('a wrong password is told as unavailable, with the reason of the server', async () => {
    const refused = openClickHouseCatalog({ ...aDatabase(), password: 'wrong' });
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(/password/i) });
  });

  test('while the server is frozen calls fail in time with unavailable; afterwards the same flush changes nothing twice', async () => {
    const timeoutMs = 1500;
    const options = { ...aDatabase(), timeoutMs, connectionsMax: 2 };
    const catalog = await openClickHouseCatalog(options);
    const { flush, signals } = numberedFlush(0);
    const next = numberedFlush(1);
    await catalog.applyFlush(flush, toOffset(1), signals);

    await server.pause();
    const startedAt = performance.now();
    // More calls than connections: those that wait for one have no more time than the others.
    const frozen = await Promise.allSettled([
      catalog.progress(0),
      catalog.sessions({ projectId: 'shop', limit: 10 }),
      catalog.blocks('shop', 'session-0', 0),
      catalog.signals('shop', 'session-0'),
      catalog.applyFlush(next.flush, toOffset(2), next.signals),
      openClickHouseCatalog(options),
    ]);
    const tookMs = performance.now() - startedAt;
    await server.unpause();
    for (const answer of frozen) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryable: true } });
    expect(tookMs).toBeLessThan(timeoutMs * 2);

    // What was sent into the frozen server may run now, also after what is sent next.
    for (const again of [next, next, { flush, signals }]) {
      await catalog.applyFlush(again.flush, toOffset(again.flush.lastOffset + 1), again.signals);
    }
    expect(await catalog.progress(0)).toMatchObject({ chainEnd: 1, flushesNext: 2 });
    expect((await catalog.blocks('shop', 'session-0', 0)).blocks).toHaveLength(2);
    expect(await catalog.signals('shop', 'session-0')).toHaveLength(2);
    expect((await catalog.session('shop', 'session-0'))?.counts.clicks).toBe(2);
    await catalog.close();
    await dropped(options.database);
  }, 60_000);

  test('a server that is not there is told as unavailable at once', async () => {
    const away = openClickHouseCatalog({ ...aDatabase(), url: 'http://localhost:1' });
    await expect(away).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('ECONNREFUSED') });
  });
});
