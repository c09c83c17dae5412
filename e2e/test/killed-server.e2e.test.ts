import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encodeFrameBundle } from '@playhead/schemas';
import { readProjects } from '@playhead/server/data-directory';
import { openDoor } from '@playhead/server/door-client';
import { jpegOf } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, startServer } from '../src/server-process.ts';
import { growing, joinSession, payloadHash } from '../src/viewer-client.ts';

const SESSIONS = 3;
const BUNDLES = 60;
const KILLS = 4;
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
    start = () => startServer({ data: folder, port, shopPort, flags: ['--flush-age-ms', '400'] });
    server = await start();
  }, 60_000);

  afterAll(async () => {
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('has every acknowledged picture once afterwards, in the order of acknowledgement, for whoever joins', async () => {
    const { projects } = await readProjects(folder);
    const door = openDoor(server.url, projects[0]?.writeKey ?? '');
    const token = projects[0]?.viewers[0]?.token ?? '';

    const phones = Array.from({ length: SESSIONS }, async (_, phone) => {
      const epochMs = Date.now();
      const { sessionId } = await door.start({ source: 'phone', startedAtMs: epochMs });
      const acknowledged: string[] = [];
      for (let bundle = 0; bundle < BUNDLES; bundle++) {
        const frames = [0, 1, 2].map((index) => ({
          offsetMs: bundle * 3000 + index * 1000,
          jpeg: jpegOf({ comment: `phone ${phone}, picture ${bundle * 3 + index}`, bytesMin: 4000 }),
        }));
        const body = new Uint8Array(gzipSync(encodeFrameBundle(frames), { level: 9 }));
        const query = {
          window: 'app',
          upload: `bundle-${bundle}`,
          format: 'frame-bundle',
          codec: 'gzip',
          sentAtMs: Date.now(),
          epochMs,
        } as const;
        // The client repeats until it is acknowledged, so a kill between commit and answer sends the same upload twice.
        await door.upload(sessionId, query, body);
        acknowledged.push(...frames.map((frame) => payloadHash(frame.jpeg)));
        await sleep(BUNDLE_INTERVAL_MS);
      }
      await door.end(sessionId);
      return { sessionId, acknowledged };
    });

    for (const lifeMs of LIFE_MS.slice(0, KILLS)) {
      await sleep(lifeMs);
      await server.kill();
      server = await start();
    }

    for (const { sessionId, acknowledged } of await Promise.all(phones)) {
      const viewer = await joinSession(server.url, token, sessionId, 'start');
      await viewer.until(({ control }) => control.some((message) => message.type === 'ended'));
      expect(viewer.frames.map((frame) => payloadHash(frame.payload))).toEqual(acknowledged);
      expect(growing(viewer.frames.map((frame) => frame.position))).toBe(true);
      viewer.close();
    }
  }, 120_000);
});
