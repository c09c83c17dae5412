import { setTimeout as sleep } from 'node:timers/promises';
import type { StartedTestContainer } from 'testcontainers';
import { getContainerRuntimeClient } from 'testcontainers';

/** A server that can be frozen: connections are taken, nothing is answered. */
export interface Freezable {
  pause(): Promise<void>;
  unpause(): Promise<void>;
  stop(): Promise<void>;
}

/** On a busy machine the kernel does not always stop a container's processes in the time that the runtime gives it. */
const FREEZES_MAX = 10;
const FREEZE_PAUSE_MS = 500;

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
      for (let tries = 1; !frozen; tries++) {
        try {
          await (await inRuntime()).pause();
          frozen = true;
        } catch (error) {
          if (tries >= FREEZES_MAX || !String(error).includes('unable to freeze')) throw error;
          await sleep(FREEZE_PAUSE_MS);
        }
      }
    },
    unpause,
    async stop() {
      await unpause();
      await container.stop();
    },
  };
}
