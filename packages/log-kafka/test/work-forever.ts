import process from 'node:process';
import type { KafkaClientName } from '@playhead/log-kafka';
import { openKafkaLog } from '@playhead/log-kafka';
import { avroCodec } from '@playhead/schemas/records';
import { silentLogger } from '@playhead/testkit';

/**
 * A member of a group in a process of its own, to be killed: says on standard output which partitions it has been given.
 *
 *     node work-forever.ts <broker> <topic prefix> <partitions> <session time-out, ms> <client>
 */
const [broker = '', topicPrefix = '', partitions = '', sessionTimeoutMs = '', client] = process.argv.slice(2);
const log = await openKafkaLog({
  client: client as KafkaClientName,
  brokers: [broker],
  clientId: 'work-forever',
  partitions: Number(partitions),
  replication: 1,
  codec: avroCodec,
  topicPrefix,
  logger: silentLogger,
  groups: { sessionTimeoutMs: Number(sessionTimeoutMs) },
});
await log.join('group', async (partition, signal) => {
  process.stdout.write(`+${partition}\n`);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  process.stdout.write(`-${partition}\n`);
});
setInterval(() => {}, 1_000);
