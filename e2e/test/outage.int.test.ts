import { noContainers } from '@playhead/containers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../src/cluster.ts';
import { openCluster } from '../src/cluster.ts';
import { clusterTarget } from '../src/outage/cluster-target.ts';
import type { OutageReport, ProcessReport } from '../src/outage/outage.ts';
import { outage } from '../src/outage/outage.ts';

const PARTITIONS = 4;
const FLAGS = ['--partitions', String(PARTITIONS), '--flush-age-ms', '500', '--log-format', 'json'];
const ONE = { ingest: 1, processors: 1, 'live-gateway': 1, player: 0 };
const LOAD = { intervalMs: 1_000, beforeMs: 2_000 };
/** How much more a process may hold while something is away. */
const MORE_MB_MAX = 150;

/**
 * Shorter than `npm run outage -- --minutes 10 --of log`, by the same steps. That uploads go on without S3 and ClickHouse is in
 * cluster.int.test.ts; here is what processes hold and say.
 */
describe.runIf(noContainers === '')(`a cluster without its log, or its block store${noContainers && ` (${noContainers})`}`, () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster(FLAGS, ONE);
  }, 240_000);

  afterAll(async () => {
    await cluster?.close();
  }, 60_000);

  const of = (report: OutageReport, name: string): ProcessReport => {
    const found = report.processes.find((process) => process.name === name);
    if (!found) throw new Error(`nobody looked at ${name}`);
    return found;
  };

  function expectBounded({ processes }: OutageReport): void {
    for (const { name, peakMb, said } of processes) {
      expect(said.mostInASecond, `lines of ${name} in a second`).toBeLessThanOrEqual(20);
      // Where there is no /proc there is nothing to compare.
      expect(peakMb.away ?? 0, `memory of ${name}`).toBeLessThanOrEqual((peakMb.before ?? 0) + MORE_MB_MAX);
    }
  }

  test('no worse than 503 without the log: nobody is ready, everybody says why, and everything acknowledged is replayed', async () => {
    const report = await outage(clusterTarget(cluster, 'log', PARTITIONS), { ...LOAD, awayMs: 20_000 });
    expect(Object.keys(report.refused)).toEqual(['503']);
    expect(report.acknowledged.after).toBeGreaterThan(0);
    for (const name of ['ingest', 'processors', 'live-gateway']) {
      const { readyz, healthz, said } = of(report, name);
      expect(Object.keys(readyz).some((answer) => answer.startsWith('503') && answer.includes('log'))).toBe(true);
      expect(healthz).toMatchObject({ status: 'ok', waiting: expect.arrayContaining([expect.objectContaining({ engine: 'log' })]) });
      expect(said.longestSilenceMs, `silence of ${name}`).toBeLessThanOrEqual(15_000);
    }
    expectBounded(report);
  }, 180_000);

  test('every upload is taken without the block store: processors say what they wait for, ingest has nothing to say', async () => {
    const report = await outage(clusterTarget(cluster, 's3', PARTITIONS), { ...LOAD, awayMs: 20_000 });
    expect(report.refused).toEqual({});
    expect(of(report, 'ingest')).toMatchObject({ said: { lines: 0 }, healthz: { waiting: [] } });
    expect(Object.keys(of(report, 'ingest').readyz).every((answer) => answer.startsWith('200'))).toBe(true);
    const { healthz, said } = of(report, 'processors');
    expect(healthz).toMatchObject({ waiting: expect.arrayContaining([expect.objectContaining({ engine: 'blocks', operation: 'put' })]) });
    expect(said.longestSilenceMs).toBeLessThanOrEqual(15_000);
    expectBounded(report);
  }, 180_000);
});
