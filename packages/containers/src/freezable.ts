import type { StartedTestContainer } from 'testcontainers';
import { getContainerRuntimeClient } from 'testcontainers';

/** A server that can be frozen: connections are taken, nothing is answered. */
export interface Freezable {
  pause(): Promise<void>;
  unpause(): Promise<void>;
  stop(): Promise<void>;
}

/** The ways to hold and to end a container. A frozen one does not stop, so `stop` lets it go on first. */
export function freezable(container: StartedTestContainer): Freezable {
  let frozen = false;
  const inRuntime = async () => (await getContainerRuntimeClient()).container.getById(container.getId());
  async function unpause(): Promise<void> {
    if (!frozen) return;
    await (await inRuntime()).unpause();
    frozen = false;
  }
  return {
    async pause() {
      await (await inRuntime()).pause();
      frozen = true;
    },
    unpause,
    async stop() {
      await unpause();
      await container.stop();
    },
  };
}
