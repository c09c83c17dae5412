import type { Cluster, Member } from '@playhead/e2e/cluster';
import { CLUSTER_TOKEN, CLUSTER_WRITE_KEY, openCluster } from '@playhead/e2e/cluster';
import type { OneProcess } from '@playhead/e2e/deployment';
import { openOneProcess } from '@playhead/e2e/deployment';
import { closeAtInterrupt } from './interrupt.ts';
import { FLAGS } from './plan.ts';

/** Where a load goes and where it is watched. */
export interface Target {
  readonly name: string;
  /** Origins of processes that take uploads, and their process ids. */
  readonly doors: readonly string[];
  readonly pids: readonly number[];
  readonly gateway: string;
  readonly key: string;
  readonly token: string;
}

/** The baseline: one process with everything, on LMDB, a folder and chDB. @param flags win over those that every process is told */
export async function withOneProcess<T>(
  use: (target: Target, process: OneProcess) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const closing = closeAtInterrupt(openOneProcess([...FLAGS, '--shop', 'off', ...flags]));
  try {
    const process = await closing.opened;
    const { url, link, pid } = process;
    const { writeKey } = (await (await fetch(`${url}/v1/app-config`)).json()) as { readonly writeKey: string };
    const token = new URL(link).searchParams.get('token') ?? '';
    return await use({ name: 'one process (LMDB)', doors: [url], pids: [pid], gateway: url, key: writeKey, token }, process);
  } finally {
    await closing.close();
  }
}

/** The other side: one ingest, one processor, one gateway, on Kafka, S3 and ClickHouse in containers. */
export async function withCluster<T>(use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const closing = closeAtInterrupt(openCluster(FLAGS, { ingest: 1, processors: 1, 'live-gateway': 1, player: 0 }));
  try {
    return await use(await closing.opened);
  } finally {
    await closing.close();
  }
}

/** The processes of a cluster that take part, past its proxy. */
export function targetOf(cluster: Cluster): Target {
  const ingests = running(cluster, 'ingest');
  const [gateway] = running(cluster, 'live-gateway');
  return {
    name: `cluster, ${ingests.length} ingest`,
    doors: ingests.map(({ url }) => url),
    pids: pidsOf(ingests),
    gateway: gateway?.url ?? '',
    key: CLUSTER_WRITE_KEY,
    token: CLUSTER_TOKEN,
  };
}

export function running(cluster: Cluster, role: Member['role']): readonly Member[] {
  return cluster.members(role).filter((member) => member.runs);
}

export function pidsOf(members: readonly Member[]): readonly number[] {
  return members.flatMap(({ pid }) => pid ?? []);
}

/** Ends the processes of a role and starts as many as are wanted: nobody remembers what came before. */
export async function startAnew(cluster: Cluster, role: Member['role'], count: number): Promise<void> {
  await Promise.all(cluster.members(role).map((member) => member.stop()));
  await Promise.all(
    cluster
      .members(role)
      .slice(0, count)
      .map((member) => member.start()),
  );
  await cluster.settled();
}
