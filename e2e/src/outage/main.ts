import process from 'node:process';
import { parseArgs } from 'node:util';
import { noContainers } from '@playhead/containers';
import { openCluster } from '../cluster.ts';
import { outage, STORES } from './outage.ts';

const { values } = parseArgs({
  options: {
    of: { type: 'string', default: 's3' },
    minutes: { type: 'string', default: '1' },
    'interval-ms': { type: 'string', default: '8000' },
  },
});
const store = STORES.find((name) => name === values.of);
if (store === undefined) throw new Error(`--of is one of ${STORES.join(', ')}`);
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
  const report = await outage(cluster, { of: store, awayMs, partitions: PARTITIONS, intervalMs, beforeMs: BEFORE_MS });
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  await cluster.close();
}
process.exit(0);
