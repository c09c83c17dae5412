import { noContainers } from '@playhead/containers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../src/cluster.ts';
import { openCluster } from '../src/cluster.ts';
import { clusterTarget } from '../src/outage/cluster-target.ts';
import { outage } from '../src/outage/outage.ts';

const PARTITIONS = 4;
const FLAGS = ['--partitions', String(PARTITIONS), '--flush-age-ms', '500', '--log-format', 'json'];
const ONE = { ingest: 1, processors: 1, 'live-gateway': 1, player: 0 };
const LOAD = { intervalMs: 1_000, beforeMs: 2_000 };
/** How much more a process may hold while something is away. */
const MORE_MB_MAX = 150;

/**
 * Shorter than `npm run outage -- --minutes 10 --of log`, by the same steps; `--of s3,clickhouse` is what cluster.int.test.ts does for
 * half a minute, with what processes hold and say.
 */
describe.runIf(noContainers === '')(`a cluster without its log${noContainers && ` (${noContainers})`}`, () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await openCluster(FLAGS, ONE);
  }, 240_000);

  afterAll(async () => {
    await cluster?.close();
  }, 60_000);

  test('no worse than 503 without the log: nobody is ready, everybody says why, nobody grows, and everything acknowledged is replayed', async () => {
    const report = await outage(clusterTarget(cluster, 'log', PARTITIONS), { ...LOAD, awayMs: 15_000 });
    expect(Object.keys(report.refused)).toEqual(['503']);
    expect(report.acknowledged.after).toBeGreaterThan(0);
    expect(report.processes.map(({ name }) => name)).toEqual(['ingest', 'processors', 'live-gateway']);
    for (const { name, readyz, healthz, said, peakMb } of report.processes) {
      expect(Object.keys(readyz).some((answer) => answer.startsWith('503') && answer.includes('log'))).toBe(true);
      expect(healthz).toMatchObject({ status: 'ok', waiting: expect.arrayContaining([expect.objectContaining({ engine: 'log' })]) });
      expect(said.longestSilenceMs, `silence of ${name}`).toBeLessThanOrEqual(11_000);
      expect(said.mostInASecond, `lines of ${name} in a second`).toBeLessThanOrEqual(20);
      // Where there is no /proc there is nothing to compare.
      expect(peakMb.away ?? 0, `memory of ${name}`).toBeLessThanOrEqual((peakMb.before ?? 0) + MORE_MB_MAX);
    }
  }, 180_000);
});
