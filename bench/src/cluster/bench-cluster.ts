import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { noContainers } from '@playhead/containers';
import type { Cluster } from '@playhead/e2e/cluster';
import type { BenchTable } from '../table.ts';
import type { LagProbe } from './lag.ts';
import type { Latency } from './latency.ts';
import { latencyTable, measureLatency } from './latency.ts';
import { benchOpenSessions } from './open-sessions.ts';
import { FLUSH_AGE_MS, LARGE_BYTES, PLAN, SMALL_BYTES } from './plan.ts';
import { openProbe } from './probe.ts';
import { benchRisingLoad } from './rising-load.ts';
import type { Target } from './target.ts';
import { startAnew, targetOf, withCluster, withOneProcess } from './target.ts';
import type { Uploads } from './uploads.ts';
import { measureUploads, uploadsTable } from './uploads.ts';

export type Part = 'uploads' | 'latency' | 'lag' | 'sessions';
export const PARTS: readonly Part[] = ['uploads', 'latency', 'lag', 'sessions'];

const LIGHT_PER_S = 20;
const QUIET_S_MAX = 60;
/** Then it is told to end, as by Ctrl-C. */
const TOTAL_MS_MAX = 20 * 60_000;

/** What one side of the first two tables has shown. */
interface Measured {
  readonly uploads: readonly Uploads[];
  readonly latencies: readonly Latency[];
}

/**
 * The processes of a cluster on real servers, beside one process with everything. Ends what it starts, also when this process is told to end.
 *
 * @param report takes the table of each part when it is there
 */
export async function benchCluster(parts: readonly Part[], report: (table: BenchTable) => void): Promise<void> {
  if (noContainers) throw new Error(noContainers);
  const late = setTimeout(() => process.kill(process.pid, 'SIGTERM'), TOTAL_MS_MAX);
  const has = (part: Part): boolean => parts.includes(part);
  const settle = (): Promise<void> => sleep(2 * FLUSH_AGE_MS);
  try {
    const baseline = has('uploads') || has('latency') ? await withOneProcess((target) => measure(target, has, settle)) : undefined;
    await withCluster(async (cluster) => {
      const probe = await openProbe(cluster);
      try {
        await measureCluster(cluster, probe, has, baseline, report);
      } finally {
        await probe.close();
      }
    });
  } finally {
    clearTimeout(late);
  }
}

async function measureCluster(
  cluster: Cluster,
  probe: LagProbe,
  has: (part: Part) => boolean,
  baseline: Measured | undefined,
  report: (table: BenchTable) => void,
): Promise<void> {
  const settle = async (): Promise<void> => void (await probe.drained(QUIET_S_MAX));
  const one = await measure(targetOf(cluster), has, settle);
  if (baseline && has('uploads')) {
    const uploads = [...baseline.uploads, ...one.uploads, ...(await uploadsOfTwo(cluster, settle))];
    report(uploadsTable(uploads.toSorted((a, b) => a.bodyBytes - b.bodyBytes)));
  }
  if (baseline && has('latency')) {
    const latencies = [...baseline.latencies, ...one.latencies];
    report(latencyTable(latencies.toSorted((a, b) => a.step - b.step)));
  }
  const fullPerS = one.uploads[0]?.perS ?? 0;
  if (has('lag')) report(await benchRisingLoad(cluster, probe, fullPerS));
  if (has('sessions')) report(await benchOpenSessions(cluster, probe, fullPerS));
}

/** What the tables ask for; without the first of them, a look at how many small uploads the target takes. @param settle resolves when it has rest again */
async function measure(target: Target, has: (part: Part) => boolean, settle: () => Promise<void>): Promise<Measured> {
  const uploads: Uploads[] = [];
  for (const bytes of has('uploads') ? [SMALL_BYTES, LARGE_BYTES] : [SMALL_BYTES]) {
    uploads.push(await measureUploads(target, bytes, has('uploads') ? PLAN.loopS : PLAN.glanceS));
    await settle();
  }
  const latencies: Latency[] = [];
  const half = (uploads[0]?.perS ?? 0) / 2;
  for (const [step, load, perS] of has('latency')
    ? ([
        [0, 'light', LIGHT_PER_S],
        [1, 'half of its maximum', half],
      ] as const)
    : []) {
    latencies.push({ ...(await measureLatency(target, load, perS)), step });
    await settle();
  }
  return { uploads, latencies };
}

async function uploadsOfTwo(cluster: Cluster, settle: () => Promise<void>): Promise<readonly Uploads[]> {
  await startAnew(cluster, 'ingest', 2);
  const uploads: Uploads[] = [];
  for (const bytes of [SMALL_BYTES, LARGE_BYTES]) {
    uploads.push(await measureUploads(targetOf(cluster), bytes));
    await settle();
  }
  await startAnew(cluster, 'ingest', 1);
  return uploads;
}
