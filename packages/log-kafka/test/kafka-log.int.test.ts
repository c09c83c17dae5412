import type { KafkaContainer } from '@playhead/containers';
import { noContainers, startKafka } from '@playhead/containers';
import { eventLogContract, silentLogger } from '@playhead/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { openKafkaLog } from '../src/index.ts';

describe.runIf(noContainers === '')(`Kafka${noContainers && ` (left out: ${noContainers})`}`, () => {
  let kafka: KafkaContainer;
  let logs = 0;
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka.stop());

  eventLogContract(
    'openKafkaLog',
    async ({ partitions, codec }) => {
      logs += 1;
      const topicPrefix = `contract-${logs}.`;
      const open = () =>
        openKafkaLog({
          brokers: kafka.brokers,
          clientId: 'contract',
          partitions,
          replication: 1,
          codec,
          topicPrefix,
          logger: silentLogger,
        });
      return { log: await open(), reopen: open };
    },
    { trims: false },
  );
});
