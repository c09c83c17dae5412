import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OneProcess } from '../src/deployment.ts';
import { openOneProcess } from '../src/deployment.ts';
import { oneProcessTarget } from '../src/outage/one-process-target.ts';
import { outage } from '../src/outage/outage.ts';

const PARTITIONS = 4;
const FLAGS = ['--partitions', String(PARTITIONS), '--flush-age-ms', '500', '--flush-bytes-max', '1048576', '--log-format', 'json'];
/** How much more the process may hold while the store is away: a flush a partition, what was read behind it, and the engine's own moods. */
const MORE_MB_MAX = 250;

describe('one process, its blocks taken away under the load of one hot session and several others', () => {
  let server: OneProcess;

  beforeAll(async () => {
    server = await openOneProcess(FLAGS);
  }, 60_000);

  afterAll(async () => {
    await server?.close();
  });

  test('takes every upload, shows it live, says what it waits for, grows no further, and has everything when they are back', async () => {
    const report = await outage(await oneProcessTarget(server, PARTITIONS), { awayMs: 11_000, intervalMs: 1_000, beforeMs: 3_000 });
    expect(report.refused).toEqual({});
    expect(report.acknowledged.away).toBeGreaterThan(report.acknowledgedHot / 10);
    expect(report.replayed).toBeGreaterThan(0);
    const [process] = report.processes;
    const put = { engine: 'blocks', operation: 'put', error: expect.stringContaining('disk') };
    expect(process?.healthz).toMatchObject({ status: 'ok', waiting: expect.arrayContaining([expect.objectContaining(put)]) });
    expect(Object.keys(process?.readyz ?? {}).some((answer) => answer.startsWith('503') && answer.includes('directory is not there'))).toBe(
      true,
    );
    expect(process?.said.longestSilenceMs).toBeLessThanOrEqual(11_000);
    expect(process?.said.mostInASecond).toBeLessThanOrEqual(15);
    // Where there is no /proc there is nothing to compare.
    expect(process?.peakMb.away ?? 0).toBeLessThanOrEqual((process?.peakMb.before ?? 0) + MORE_MB_MAX);
  }, 120_000);
});
