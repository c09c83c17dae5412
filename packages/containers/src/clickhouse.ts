import type { StartedTestContainer } from 'testcontainers';
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { IMAGES } from './images.ts';

export interface StartedClickHouse {
  /** Of the HTTP interface: `http://host:port`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** An empty database; the user may make others. */
  readonly database: string;
  readonly container: StartedTestContainer;
  /** Freezes the server: connections are taken, nothing is answered. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  stop(): Promise<void>;
}

const PORT = 8123;
const STARTUP_TIMEOUT_MS = 120_000;
const ACCOUNT = { user: 'playhead', password: 'playhead-password', database: 'playhead' } as const;

/** Starts a ClickHouse server; resolves when it answers. */
export async function startClickHouse(): Promise<StartedClickHouse> {
  const container = await new GenericContainer(IMAGES.clickhouse)
    .withEnvironment({
      CLICKHOUSE_USER: ACCOUNT.user,
      CLICKHOUSE_PASSWORD: ACCOUNT.password,
      CLICKHOUSE_DB: ACCOUNT.database,
    })
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/ping', PORT).forStatusCode(200))
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  const frozen = { is: false };
  const byId = async () => (await getContainerRuntimeClient()).container.getById(container.getId());
  async function unpause(): Promise<void> {
    if (!frozen.is) return;
    await (await byId()).unpause();
    frozen.is = false;
  }
  return {
    ...ACCOUNT,
    url: `http://${container.getHost()}:${container.getMappedPort(PORT)}`,
    container,
    async pause() {
      await (await byId()).pause();
      frozen.is = true;
    },
    unpause,
    async stop() {
      await unpause();
      await container.stop();
    },
  };
}
