import type { StartedTestContainer } from 'testcontainers';
import { GenericContainer, Wait } from 'testcontainers';
import type { Freezable } from './freezable.ts';
import { freezable } from './freezable.ts';
import { HARDLY_EVER_ASKED, IMAGES } from './images.ts';

export interface StartedClickHouse extends Freezable {
  /** Of the HTTP interface: `http://host:port`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** An empty database; the user may make others. */
  readonly database: string;
  readonly container: StartedTestContainer;
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
    .withHealthCheck(HARDLY_EVER_ASKED)
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  return {
    ...ACCOUNT,
    url: `http://${container.getHost()}:${container.getMappedPort(PORT)}`,
    container,
    ...freezable(container),
  };
}
