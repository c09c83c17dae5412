import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readProjects } from '@playhead/server/data-directory';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { expectReplayable, startPhone } from '../src/phone-load.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, startServer } from '../src/server-process.ts';

const SESSIONS = 3;
const PARTITIONS = 4;
/** Of each phone, at least. */
const BUNDLES = 60;
const BUNDLE_INTERVAL_MS = 120;

/** How long the server lives before each kill, ms: irregular, so that the kill meets different moments of a flush. */
const LIFE_MS = [700, 1900, 1100, 2300];

describe('a server that is killed again and again while phones upload', () => {
  let folder: string;
  let server: ServerProcess;
  let start: () => Promise<ServerProcess>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-killed-'));
    const [port = 0, shopPort = 0] = await freePorts(2);
    const flags = ['--flush-age-ms', '400', '--partitions', String(PARTITIONS)];
    start = () => startServer({ data: folder, port, shopPort, flags });
    server = await start();
  }, 60_000);

  afterAll(async () => {
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('has every acknowledged picture once afterwards, in the order of acknowledgement, for whoever joins', async () => {
    const { projects } = await readProjects(folder);
    const options = { doors: [server.url], writeKey: projects[0]?.writeKey ?? '', intervalMs: BUNDLE_INTERVAL_MS };
    // They repeat until it is acknowledged, so a kill between commit and answer sends the same upload twice.
    const phones = await Promise.all(Array.from({ length: SESSIONS }, (_, partition) => startPhone(options, partition, PARTITIONS)));
    const enough = Promise.all(phones.map((phone) => phone.more(BUNDLES)));

    for (const lifeMs of LIFE_MS) {
      await sleep(lifeMs);
      await server.kill();
      server = await start();
    }
    await enough;

    for (const phone of phones) {
      await phone.stop();
      await expectReplayable([server.url], projects[0]?.viewers[0]?.token ?? '', phone);
    }
  }, 120_000);
});
