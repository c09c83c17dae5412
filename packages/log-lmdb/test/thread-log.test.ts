import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { openThreadLog } from '@playhead/log-lmdb';
import { eventLogContract } from '@playhead/testkit';
import { onTestFinished } from 'vitest';

async function freshPath(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'playhead-log-'));
}

/** A log that another thread writes, as this one sees it. */
eventLogContract('openThreadLog', async (setup) => {
  const path = await freshPath();
  const { partitions } = setup;
  const host = new Worker(new URL('./log-host.ts', import.meta.url), { workerData: { path, partitions } });
  onTestFinished(async () => {
    await host.terminate();
    await rm(path, { recursive: true, force: true });
  });
  const opened = async () => {
    const [port] = (await once(host, 'message')) as [MessagePort];
    return openThreadLog({ port, path, ...setup });
  };
  const reopen = () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    host.postMessage('again');
    return opened();
  };
  return { log: await opened(), reopen };
});
