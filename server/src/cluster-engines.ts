import { openS3Blocks } from '@playhead/blocks-s3';
import type { ClickHouseOptions } from '@playhead/catalog-clickhouse';
import { emptyClickHouseCatalog, openClickHouseCatalog } from '@playhead/catalog-clickhouse';
import { openKafkaLog, openRegistryCodec } from '@playhead/log-kafka';
import type { Logger } from '@playhead/ports';
import type { Engines } from './engines.ts';
import { enginesOf } from './engines.ts';
import type { Settings } from './settings.ts';

/** Kafka, S3 and a ClickHouse server, records by a schema registry, as the settings name them. */
export function clusterEngines(settings: Settings, logger: Logger): Engines {
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey } = settings;
  const { kafkaUser, kafkaPassword, schemaRegistryUser, schemaRegistryPassword } = settings;
  return enginesOf({
    log: async () =>
      openKafkaLog({
        brokers: settings.kafkaBrokers,
        clientId: 'playhead',
        partitions: settings.partitions,
        replication: settings.kafkaReplication,
        client: settings.kafkaClient,
        ...(settings.kafkaTls === 'on' ? { ssl: true } : {}),
        ...(settings.kafkaSasl === 'off' ? {} : { sasl: { mechanism: settings.kafkaSasl, username: kafkaUser, password: kafkaPassword } }),
        codec: await openRegistryCodec({
          url: settings.schemaRegistry,
          ...(schemaRegistryUser === '' ? {} : { auth: { username: schemaRegistryUser, password: schemaRegistryPassword } }),
        }),
        logger,
      }),
    blocks: () =>
      openS3Blocks({
        bucket: settings.s3Bucket,
        endpoint: given(settings.s3Endpoint),
        region: given(settings.s3Region),
        pathStyle: settings.s3PathStyle === 'auto' ? undefined : settings.s3PathStyle === 'on',
        credentials: accessKeyId === '' ? undefined : { accessKeyId, secretAccessKey },
      }),
    catalog: () => openClickHouseCatalog(clickHouseOf(settings, logger)),
    emptyCatalog: () => emptyClickHouseCatalog(clickHouseOf(settings, logger)),
  });
}

function clickHouseOf(settings: Settings, logger: Logger): ClickHouseOptions {
  const { clickhouse: url, clickhouseUser: user, clickhousePassword: password, clickhouseDatabase: database } = settings;
  const cluster = settings.clickhouseCluster === '' ? {} : { cluster: settings.clickhouseCluster };
  return { url, user, password, database, ...cluster, logger };
}

function given(value: string): string | undefined {
  return value === '' ? undefined : value;
}
