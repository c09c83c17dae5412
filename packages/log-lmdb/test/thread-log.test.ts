import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { openThreadLog } from '@playhead/log-lmdb';
import { toOffset } from '@playhead/schemas';
import { eventLogContract } from '@playhead/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { openLmdbStore } from '../src/lmdb-store.ts';
import { keyOf } from '../src/record-layout.ts';

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

test('a store grows beyond its first map, and beyond others, while another thread reads it', async () => {
  const path = await freshPath();
  const store = await openLmdbStore(path, 1024 * 1024);
  const reader = new Worker(new URL('./scanning-thread.ts', import.meta.url), { workerData: path });
  onTestFinished(async () => {
    await reader.terminate();
    await store.close();
    await rm(path, { recursive: true, force: true });
  });
  await once(reader, 'online');
  for (let i = 0; i < 250; i++) {
    await store.commit({ puts: [{ key: keyOf('playhead.uploads', 0, toOffset(i)), value: Buffer.alloc(50_000, i % 251) }] });
  }
  const said = once(reader, 'message');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  reader.postMessage('end');
  const [{ seen, damaged }] = (await said) as [{ seen: number; damaged: number | null }];
  expect(damaged).toBeNull();
  expect(seen).toBeGreaterThan(0);
});
