import process from 'node:process';
import { parseArgs } from 'node:util';
import { noContainers } from '@playhead/containers';
import { openCluster } from '../cluster.ts';
import { openOneProcess } from '../deployment.ts';
import { clusterTarget, STORES } from './cluster-target.ts';
import { oneProcessTarget } from './one-process-target.ts';
import type { OutageTarget } from './outage.ts';
import { outage } from './outage.ts';

const { values } = parseArgs({
  options: {
    /** Stores of a cluster, one outage after the other; or `blocks`, those of one process. */
    of: { type: 'string', default: 'blocks' },
    minutes: { type: 'string', default: '1' },
    'interval-ms': { type: 'string', default: '8000' },
  },
});
const asked = values.of.split(',');
const stores = STORES.filter((name) => asked.includes(name));
const isOneProcess = values.of === 'blocks';
if (!isOneProcess && stores.length < asked.length) throw new Error(`--of is blocks, or some of ${STORES.join(',')}`);
if (!isOneProcess && noContainers) throw new Error(noContainers);

const PARTITIONS = 4;
const BEFORE_MS = 20_000;
const FLAGS = ['--partitions', String(PARTITIONS), '--log-format', 'json'];
const ONE = { ingest: 1, processors: 1, 'live-gateway': 1, player: 1 };

let close = async (): Promise<void> => {};
// What was made is removed also when somebody ends this.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close().finally(() => process.exit(1)));
try {
  if (isOneProcess) {
    const server = await openOneProcess(FLAGS);
    close = () => server.close();
    await tell('blocks', await oneProcessTarget(server, PARTITIONS));
  } else {
    const cluster = await openCluster(FLAGS, ONE);
    close = () => cluster.close();
    for (const store of stores) await tell(store, clusterTarget(cluster, store, PARTITIONS));
  }
} finally {
  await close();
}
process.exit(0);

async function tell(of: string, target: OutageTarget): Promise<void> {
  const awayMs = Number(values.minutes) * 60_000;
  const report = await outage(target, { awayMs, intervalMs: Number(values['interval-ms']), beforeMs: BEFORE_MS });
  process.stdout.write(`${JSON.stringify({ of, ...report }, null, 2)}\n`);
}
