import { GenericContainer, Wait } from 'testcontainers';
import { HARDLY_EVER_ASKED, IMAGES } from './images.ts';

export interface SchemaRegistryContainer {
  /** Of the interface that Confluent's clients speak. */
  readonly url: string;
  stop(): Promise<void>;
}

const PORT = 8080;
const CONFLUENT_INTERFACE = '/apis/ccompat/v7';
const STARTUP_TIMEOUT_MS = 120_000;

/** Starts a schema registry that keeps its schemas in memory. */
export async function startSchemaRegistry(): Promise<SchemaRegistryContainer> {
  const container = await new GenericContainer(IMAGES.schemaRegistry)
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp(`${CONFLUENT_INTERFACE}/subjects`, PORT).forStatusCode(200))
    .withHealthCheck(HARDLY_EVER_ASKED)
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  return {
    url: `http://${container.getHost()}:${container.getMappedPort(PORT)}${CONFLUENT_INTERFACE}`,
    async stop() {
      await container.stop();
    },
  };
}
