import { GenericContainer, Wait } from 'testcontainers';
import { IMAGES } from './images.ts';

export interface HaproxyOptions {
  /** Files of its configuration, by name; read in order of name. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
}

export interface HaproxyContainer {
  stop(): Promise<void>;
}

const FOLDER = '/usr/local/etc/haproxy';

/** Starts HAProxy in the network of this machine, so that it reaches processes that listen on loopback. Where it listens is said by its configuration. */
export async function startHaproxy({ configuration, environment }: HaproxyOptions): Promise<HaproxyContainer> {
  const files = Object.entries(configuration).map(([name, content]) => ({ target: `${FOLDER}/${name}`, content }));
  const container = await new GenericContainer(IMAGES.haproxy)
    .withNetworkMode('host')
    .withCommand(['haproxy', '-f', FOLDER])
    .withCopyContentToContainer(files)
    .withEnvironment(environment)
    // Listening is for its user to see: where, only the configuration knows.
    .withWaitStrategy(Wait.forSuccessfulCommand('true'))
    .start();
  return {
    async stop() {
      await container.stop();
    },
  };
}
