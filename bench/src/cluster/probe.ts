import { openClickHouse } from '@playhead/catalog-clickhouse';
import type { Cluster } from '@playhead/e2e/cluster';
import { openKafkaLog } from '@playhead/log-kafka';
import type { RecordCodec } from '@playhead/ports';
import { silentLogger } from '@playhead/testkit';
import { LagProbe } from './lag.ts';
import { PARTITIONS } from './plan.ts';

const unread = (): never => {
  throw new Error('only the ends of the log are looked at');
};
const codec: RecordCodec = { encode: unread, decode: unread };

/** Looks at how far a cluster's catalog is behind its log. */
export async function openProbe({ engines }: Cluster): Promise<LagProbe> {
  const { kafka, clickhouse } = engines;
  const log = await openKafkaLog({
    brokers: kafka.brokers,
    clientId: 'bench',
    partitions: PARTITIONS,
    replication: 1,
    codec,
    logger: silentLogger,
  });
  return new LagProbe(log, openClickHouse(clickhouse), clickhouse.database);
}
