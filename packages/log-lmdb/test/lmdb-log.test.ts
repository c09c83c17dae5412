import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbLog } from '@playhead/log-lmdb';
import { eventLogContract } from '@playhead/testkit';
import { onTestFinished } from 'vitest';

eventLogContract('openLmdbLog', async (setup) => {
  const path = await mkdtemp(join(tmpdir(), 'playhead-log-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const open = () => openLmdbLog({ path, ...setup });
  return { log: await open(), reopen: open };
});
