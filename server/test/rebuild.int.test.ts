import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SqlClient } from '@playhead/catalog-clickhouse';
import { openClickHouse } from '@playhead/catalog-clickhouse';
import type { StartedS3 } from '@playhead/containers';
import { noContainers, startClickHouse, startKafka, startS3, startSchemaRegistry } from '@playhead/containers';
import { ProcessorsAtWork } from '@playhead/processors';
import { silentLogger } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { clusterEngines } from '../src/cluster-engines.ts';
import type { Engines } from '../src/engines.ts';
import type { Settings } from '../src/settings.ts';
import { readSettings } from '../src/settings.ts';
import { ALL, allProcessors, damage, dump, IMPATIENT, objects, PARTITIONS, ROUNDS, record, run } from './rebuild-world.ts';

const COMMAND = join(import.meta.dirname, '..', 'src', 'rebuild', 'main.ts');

describe.runIf(noContainers === '')(`a rebuild of what a cluster stored${noContainers && ` (${noContainers})`}`, () => {
  vi.setConfig({ testTimeout: 60_000 });
  const closers: (() => Promise<unknown>)[] = [];
  let flags: readonly string[];
  let engines: Engines;
  let sql: SqlClient;
  let s3: StartedS3;

  beforeAll(async () => {
    const kept = async <T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> => {
      const server = await starting;
      closers.push(() => server.stop());
      return server;
    };
    const servers = [kept(startKafka()), kept(startSchemaRegistry()), kept(startS3()), kept(startClickHouse())] as const;
    await Promise.allSettled(servers);
    const [kafka, registry, , clickhouse] = await Promise.all(servers);
    s3 = await servers[2];
    flags = Object.entries({
      'kafka-brokers': kafka.brokers.join(','),
      'kafka-replication': '1',
      'schema-registry': registry.url,
      's3-bucket': 'playhead',
      's3-endpoint': s3.endpoint,
      's3-access-key-id': s3.accessKeyId,
      's3-secret-access-key': s3.secretAccessKey,
      clickhouse: clickhouse.url,
      'clickhouse-user': clickhouse.user,
      'clickhouse-password': clickhouse.password,
      partitions: String(PARTITIONS),
    }).flatMap(([name, value]) => [`--${name}`, value]);
    engines = clusterEngines(readSettings(flags, {}, 'processors') as Settings, silentLogger);
    closers.push(() => engines.close());
    sql = openClickHouse(clickhouse);
    closers.push(() => sql.close());
    await record(engines);
  }, 240_000);
  afterAll(async () => {
    for (const close of closers.toReversed()) await close();
  }, 60_000);

  test('gives the same catalog row for row, and every object that was missing or damaged byte for byte', async () => {
    const [rowsBefore, before] = [await dump(sql), await objects(engines)];
    expect(rowsBefore['sessions']).toHaveLength(4);
    expect(before.size).toBe(PARTITIONS * ROUNDS);
    const [missing = '', damaged = '', rotten = ''] = before.keys();
    await (await engines.blocks()).delete(missing);
    await damage(engines, damaged);
    // Below S3, so that its own checksum does not fit any more.
    await s3.container.exec(['sh', '-c', `printf X | dd of=/data/playhead/${rotten} bs=1 seek=100 conv=notrunc`]);
    const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...flags]);
    expect(stdout).toMatch(/3 made again[^]*everything is whole/);
    expect(await objects(engines)).toEqual(before);
    expect(await dump(sql)).toEqual(rowsBefore);
  });

  test('leaves the catalog alone while processors work, makes objects again beside them, and takes nothing from them for good', async () => {
    const [rowsBefore, before] = [await dump(sql), await objects(engines)];
    const other = clusterEngines(readSettings(flags, {}, 'processors') as Settings, silentLogger);
    const processors = await allProcessors(other);
    try {
      await expect(run(engines, { plan: ALL, clock: IMPATIENT })).rejects.toBeInstanceOf(ProcessorsAtWork);
      for (const key of before.keys()) await (await engines.blocks()).delete(key);
      expect(await run(engines, { plan: { ...ALL, catalog: false } })).toBe(true);
      await vi.waitFor(() => expect(processors.stats()).toHaveLength(PARTITIONS), { timeout: 20_000, interval: 50 });
    } finally {
      await processors.stop();
      await other.close();
    }
    expect(await objects(engines)).toEqual(before);
    expect(await dump(sql)).toEqual(rowsBefore);
  });
});
