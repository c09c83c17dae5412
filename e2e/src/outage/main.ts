import process from 'node:process';
import { parseArgs } from 'node:util';
import { noContainers } from '@playhead/containers';
import { openCluster } from '../cluster.ts';
import { clusterTarget, STORES } from './cluster-target.ts';
import { outage } from './outage.ts';

const { values } = parseArgs({
  options: {
    of: { type: 'string', default: 's3' },
    minutes: { type: 'string', default: '1' },
    'interval-ms': { type: 'string', default: '8000' },
  },
});
const stores = values.of.split(',').map((asked) => STORES.find((name) => name === asked));
if (stores.includes(undefined)) throw new Error(`--of names some of ${STORES.join(',')}: one outage after the other`);
if (noContainers) throw new Error(noContainers);

const PARTITIONS = 4;
const BEFORE_MS = 20_000;
const one = { ingest: 1, processors: 1, 'live-gateway': 1, player: 1 };
const cluster = await openCluster(['--partitions', String(PARTITIONS), '--log-format', 'json'], one);
// The cluster's folder and containers are removed also when somebody ends this.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void cluster.close().finally(() => process.exit(1)));
try {
  const awayMs = Number(values.minutes) * 60_000;
  const intervalMs = Number(values['interval-ms']);
  for (const store of stores) {
    if (store === undefined) continue;
    const report = await outage(clusterTarget(cluster, store, PARTITIONS), { awayMs, intervalMs, beforeMs: BEFORE_MS });
    process.stdout.write(`${JSON.stringify({ of: store, ...report }, null, 2)}\n`);
  }
} finally {
  await cluster.close();
}
process.exit(0);
