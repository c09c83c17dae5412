import process from 'node:process';
import type { GenericContainer } from 'testcontainers';

type HealthCheck = Parameters<GenericContainer['withHealthCheck']>[0];

/** The images of the servers, each a variable whose default is the public image: the same variables as in infra/docker-compose.yml. */
export const IMAGES = {
  kafka: process.env['PLAYHEAD_IMAGE_KAFKA'] ?? 'apache/kafka:4.4.0',
  schemaRegistry: process.env['PLAYHEAD_IMAGE_SCHEMA_REGISTRY'] ?? 'apicurio/apicurio-registry:3.3.3',
  s3: process.env['PLAYHEAD_IMAGE_S3'] ?? 'versity/versitygw:v1.8.0',
  haproxy: process.env['PLAYHEAD_IMAGE_HAPROXY'] ?? 'haproxy:3.2',
  clickhouse: process.env['PLAYHEAD_IMAGE_CLICKHOUSE'] ?? 'clickhouse/clickhouse-server:26.7',
} as const;

/**
 * Tests ask the servers themselves. Some images have the runtime ask every second, with a process of its own in each container: with
 * four of them that is a good part of a small machine. Duration in milliseconds.
 */
export const HARDLY_EVER_ASKED = { test: ['CMD', 'true'], interval: 3_600_000 } satisfies HealthCheck;
