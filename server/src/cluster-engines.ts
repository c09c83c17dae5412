import { openS3Blocks } from '@playhead/blocks-s3';
import { openClickHouseCatalog } from '@playhead/catalog-clickhouse';
import { openKafkaLog, openRegistryCodec } from '@playhead/log-kafka';
import type { Logger } from '@playhead/ports';
import type { Engines } from './engines.ts';
import { openEngines } from './engines.ts';
import type { Settings } from './settings.ts';

/** Kafka, S3 and a ClickHouse server, records by a schema registry, as the settings name them. */
export async function openClusterEngines(settings: Settings, logger: Logger): Promise<Engines> {
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey } = settings;
  return openEngines({
    log: async () =>
      openKafkaLog({
        brokers: settings.kafkaBrokers,
        clientId: 'playhead',
        partitions: settings.partitions,
        replication: settings.kafkaReplication,
        codec: await openRegistryCodec({ url: settings.schemaRegistry }),
        logger,
      }),
    blocks: () =>
      openS3Blocks({
        bucket: settings.s3Bucket,
        endpoint: given(settings.s3Endpoint),
        region: given(settings.s3Region),
        credentials: accessKeyId === '' ? undefined : { accessKeyId, secretAccessKey },
      }),
    catalog: () => {
      const { clickhouse: url, clickhouseUser: user, clickhousePassword: password, clickhouseDatabase: database } = settings;
      const cluster = settings.clickhouseCluster === '' ? {} : { cluster: settings.clickhouseCluster };
      return openClickHouseCatalog({ url, user, password, database, ...cluster, logger });
    },
  });
}

function given(value: string): string | undefined {
  return value === '' ? undefined : value;
}
