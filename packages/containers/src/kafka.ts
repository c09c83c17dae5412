import { createServer } from 'node:net';
import type { StartedTestContainer } from 'testcontainers';
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import type { Freezable } from './freezable.ts';
import { freezable } from './freezable.ts';
import { HARDLY_EVER_ASKED, IMAGES } from './images.ts';

export interface KafkaContainer extends Freezable {
  /** `host:port` of the one broker. */
  readonly brokers: readonly string[];
  readonly container: StartedTestContainer;
  /** Stops the broker and starts it again, at the same address and with what it had stored; resolves when it answers. */
  restart(): Promise<void>;
}

const CLIENTS_PORT = 9092;
const STARTUP_TIMEOUT_MS = 120_000;

/** Formats its storage at the first start only: not every image bears what it finds at the second one. Both starts compile sparingly. */
const START = `
if [ -e /tmp/started ]; then
  exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
fi
touch /tmp/started
exec /etc/kafka/docker/run`;

/**
 * Starts a Kafka broker that is its own controller (KRaft), without topics of its own making.
 *
 * Clients are told the broker's address by itself, so it has to know the published port before it starts: a free one is
 * chosen here and published as it is.
 */
export async function startKafka(): Promise<KafkaContainer> {
  const runtime = await getContainerRuntimeClient();
  const { host } = runtime.info.containerRuntime;
  const port = await freePort();
  const container = await new GenericContainer(IMAGES.kafka)
    .withCommand(['bash', '-c', START])
    .withExposedPorts({ container: CLIENTS_PORT, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_LISTENERS: `PLAINTEXT://:${CLIENTS_PORT},CONTROLLER://:9093`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '4',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    // The broker opens its port when it is ready. Seen from inside: outside, the engine's proxy answers before the broker.
    .withWaitStrategy(Wait.forSuccessfulCommand(`bash -c 'exec 3<>/dev/tcp/127.0.0.1/${CLIENTS_PORT}'`))
    .withHealthCheck(HARDLY_EVER_ASKED)
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  return {
    brokers: [`${host}:${port}`],
    container,
    restart: () => container.restart(),
    ...freezable(container),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
