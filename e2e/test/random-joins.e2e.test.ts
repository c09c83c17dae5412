import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encodeFrameBundle } from '@playhead/schemas';
import { readProjects } from '@playhead/server/data-directory';
import type { DoorClient } from '@playhead/server/door-client';
import { openDoor } from '@playhead/server/door-client';
import { jpegOf } from '@playhead/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, startServer } from '../src/server-process.ts';
import type { ViewerClient } from '../src/viewer-client.ts';
import { growing, joinSession, payloadHash } from '../src/viewer-client.ts';

/** Short, so that every run has many flushes racing with the joins. */
const FLUSH_AGE_MS = 150;
const BUNDLES = 40;
const FRAMES_PER_BUNDLE = 3;
const BUNDLE_INTERVAL_MS = 25;
const RUN_MS = BUNDLES * BUNDLE_INTERVAL_MS;

let folder: string;
let server: ServerProcess;
let door: DoorClient;
let token: string;
let pictures = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'playhead-joins-'));
  const [port = 0, shopPort = 0] = await freePorts(2);
  server = await startServer({ data: folder, port, shopPort, flags: ['--flush-age-ms', String(FLUSH_AGE_MS)] });
  const { projects } = await readProjects(folder);
  door = openDoor(server.url, projects[0]?.writeKey ?? '');
  token = projects[0]?.viewers[0]?.token ?? '';
}, 60_000);

afterAll(async () => {
  await server?.kill();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** How viewers behave: when each joins, and when it loses its connection (ms after the first upload). */
const viewerPlans = fc.array(
  fc.record({
    joinMs: fc.integer({ min: 0, max: RUN_MS * 1.3 }),
    dropsMs: fc.array(fc.integer({ min: 0, max: RUN_MS }), { maxLength: 3 }),
  }),
  { minLength: 6, maxLength: 10 },
);
/** Which bundles are sent late, and which twice. */
const travel = fc.record({
  late: fc.uniqueArray(fc.integer({ min: 0, max: BUNDLES - 1 }), { maxLength: 6 }),
  twice: fc.uniqueArray(fc.integer({ min: 0, max: BUNDLES - 1 }), { maxLength: 8 }),
});

describe('a running picture session', () => {
  test('whoever joins at any moment, and loses the connection at any other, gets exactly the acknowledged frames, in order, once', async () => {
    await fc.assert(
      fc.asyncProperty(viewerPlans, travel, async (plans, { late, twice }) => {
        const epochMs = Date.now();
        const { sessionId } = await door.start({ source: 'phone', startedAtMs: epochMs });
        const acknowledged: string[] = [];
        const startedAt = performance.now();

        const writing = (async () => {
          const order = [...Array(BUNDLES).keys()].filter((bundle) => !late.includes(bundle)).concat(late);
          for (const [turn, bundle] of order.entries()) {
            await sleep(Math.max(0, turn * BUNDLE_INTERVAL_MS - (performance.now() - startedAt)));
            const frames = Array.from({ length: FRAMES_PER_BUNDLE }, (_, index) => ({
              offsetMs: (bundle * FRAMES_PER_BUNDLE + index) * 300,
              jpeg: jpegOf({ comment: `picture ${pictures++}`, bytesMin: 2000 }),
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
            await door.upload(sessionId, query, body);
            acknowledged.push(...frames.map((frame) => payloadHash(frame.jpeg)));
            if (twice.includes(bundle)) await door.upload(sessionId, query, body);
          }
          await door.end(sessionId);
        })();

        const watching = plans.map(async (plan): Promise<ViewerClient> => {
          await sleep(plan.joinMs);
          const viewer = await joinSession(server.url, token, sessionId, 'start');
          for (const dropMs of plan.dropsMs.toSorted((a, b) => a - b)) {
            await sleep(Math.max(0, dropMs - (performance.now() - startedAt)));
            await viewer.reconnect();
          }
          return viewer;
        });

        await writing;
        const viewers = await Promise.all(watching);
        viewers.push(await joinSession(server.url, token, sessionId, 'start'));
        for (const viewer of viewers) {
          await viewer.until(
            ({ frames, control }) => frames.length >= acknowledged.length && control.some((message) => message.type === 'ended'),
          );
          expect(viewer.frames.map((frame) => payloadHash(frame.payload))).toEqual(acknowledged);
          expect(growing(viewer.frames.map((frame) => frame.position))).toBe(true);
          viewer.close();
        }
      }),
      { numRuns: 6, endOnFailure: true },
    );
  }, 180_000);
});
