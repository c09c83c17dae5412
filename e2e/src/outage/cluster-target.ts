import type { Cluster } from '../cluster.ts';
import { CLUSTER_TOKEN, CLUSTER_WRITE_KEY, ROLES } from '../cluster.ts';
import type { OutageTarget } from './outage.ts';

/** What of a cluster may be away. */
export const STORES = ['s3', 'clickhouse', 'log'] as const;
export type Store = (typeof STORES)[number];

/** A cluster whose `store` is frozen: connections are taken, nothing is answered. The first process of each role is looked at. */
export function clusterTarget(cluster: Cluster, store: Store, partitions: number): OutageTarget {
  const { s3, clickhouse, kafka } = cluster.engines;
  const members = ROLES.flatMap((role) =>
    cluster
      .members(role)
      .filter(({ runs }) => runs)
      .slice(0, 1),
  );
  return {
    url: cluster.url,
    writeKey: CLUSTER_WRITE_KEY,
    token: CLUSTER_TOKEN,
    partitions,
    processes: members.map((member) => ({ name: member.role, url: member.url, pid: member.pid, log: () => member.log() })),
    store: { s3, clickhouse, log: kafka }[store],
  };
}
