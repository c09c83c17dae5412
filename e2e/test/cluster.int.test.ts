import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { noContainers, startClickHouse, startKafka, startS3, startSchemaRegistry } from '@playhead/containers';
import { encodeFrameBundle } from '@playhead/schemas';
import { openDoor } from '@playhead/server/door-client';
import { jpegOf } from '@playhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RoleProcess } from '../src/server-process.ts';
import { freePorts, startRole } from '../src/server-process.ts';
import { growing, joinSession, payloadHash } from '../src/viewer-client.ts';

const BUCKET = 'playhead';
const WRITE_KEY = 'pk_cluster';
const TOKEN = 'cluster-token';
const PROJECTS = { projects: [{ id: 'default', writeKey: WRITE_KEY, viewers: [{ name: 'owner', token: TOKEN }] }] };

/** Two of each role on real servers. A process that is killed is started again at its port. */
describe.runIf(noContainers === '')(
  `a cluster: two of each role on Kafka, S3 and ClickHouse${noContainers && ` (${noContainers})`}`,
  () => {
    let folder: string;
    let flags: string[];
    let ports: number[];
    const servers: { stop(): Promise<unknown> }[] = [];
    const ingests: RoleProcess[] = [];
    const processors: RoleProcess[] = [];
    const gateways: RoleProcess[] = [];
    const everyProcess = (): RoleProcess[] => [...ingests, ...processors, ...gateways];

    const start = (role: string, at: number): Promise<RoleProcess> => startRole(ports[at] ?? 0, ['--role', role, ...flags]);

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'playhead-cluster-'));
      await writeFile(join(folder, 'projects.json'), JSON.stringify(PROJECTS));
      const kafka = startKafka();
      const registry = startSchemaRegistry();
      const s3 = startS3();
      const clickhouse = startClickHouse();
      for (const starting of [kafka, registry, s3, clickhouse]) servers.push(await starting);
      await (await s3).createBucket(BUCKET);
      const settings = {
        projects: join(folder, 'projects.json'),
        'flush-age-ms': '500',
        'kafka-brokers': (await kafka).brokers.join(','),
        'kafka-replication': '1',
        'schema-registry': (await registry).url,
        's3-bucket': BUCKET,
        's3-endpoint': (await s3).endpoint,
        's3-access-key-id': (await s3).accessKeyId,
        's3-secret-access-key': (await s3).secretAccessKey,
        clickhouse: (await clickhouse).url,
        'clickhouse-user': (await clickhouse).user,
        'clickhouse-password': (await clickhouse).password,
        'clickhouse-database': (await clickhouse).database,
      };
      flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
      ports = await freePorts(6);
      ingests.push(...(await Promise.all([start('ingest', 0), start('ingest', 1)])));
      processors.push(...(await Promise.all([start('processors', 2), start('processors', 3)])));
      gateways.push(...(await Promise.all([start('live-gateway', 4), start('live-gateway', 5)])));
    }, 240_000);

    afterAll(async () => {
      await Promise.all(everyProcess().map((process) => process.kill()));
      await Promise.all(servers.map((server) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    }, 60_000);

    /** Uploads bundles of one session through both ingests in turn; answers the hashes of what was acknowledged, in order. */
    async function record(bundles: number, intervalMs: number): Promise<{ readonly sessionId: string; readonly done: Promise<string[]> }> {
      const doors = ingests.map(({ url }) => openDoor(url, WRITE_KEY));
      const [first] = doors;
      const epochMs = Date.now();
      const { sessionId } = (await first?.start({ source: 'phone', startedAtMs: epochMs })) ?? { sessionId: '' };
      const upload = async (): Promise<string[]> => {
        const acknowledged: string[] = [];
        for (let bundle = 0; bundle < bundles; bundle++) {
          const frames = [0, 1, 2].map((index) => ({
            offsetMs: bundle * 3000 + index * 1000,
            jpeg: jpegOf({ comment: `${sessionId} ${bundle * 3 + index}`, bytesMin: 3000 }),
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
          await doors[bundle % doors.length]?.upload(sessionId, query, body);
          // Some are sent again, to the other ingest.
          if (bundle % 7 === 3) await doors[(bundle + 1) % doors.length]?.upload(sessionId, query, body);
          acknowledged.push(...frames.map((frame) => payloadHash(frame.jpeg)));
          await sleep(intervalMs);
        }
        await first?.end(sessionId);
        return acknowledged;
      };
      return { sessionId, done: upload() };
    }

    async function expectWhole(url: string, sessionId: string, acknowledged: readonly string[]): Promise<void> {
      const viewer = await joinSession(url, TOKEN, sessionId, 'start');
      await viewer.until(
        ({ frames, control }) => frames.length >= acknowledged.length && control.some((message) => message.type === 'ended'),
      );
      expect(viewer.frames.map((frame) => payloadHash(frame.payload))).toEqual(acknowledged);
      expect(growing(viewer.frames.map((frame) => frame.position))).toBe(true);
      viewer.close();
    }

    test('every process is ready, and says so', async () => {
      for (const { url } of everyProcess()) {
        const answer = await fetch(`${url}/readyz`);
        expect(await answer.json()).toEqual({ ready: true, draining: false, dependencies: { log: 'ok', blocks: 'ok', catalog: 'ok' } });
      }
    });

    test('what one ingest or the other acknowledged is seen once, in order, at either gateway, live and afterwards', async () => {
      const { sessionId, done } = await record(30, 60);
      const live = await Promise.all(gateways.map(({ url }) => joinSession(url, TOKEN, sessionId, 'start')));
      const acknowledged = await done;
      for (const viewer of live) {
        await viewer.until(
          ({ frames, control }) => frames.length >= acknowledged.length && control.some((message) => message.type === 'ended'),
        );
        expect(viewer.frames.map((frame) => payloadHash(frame.payload))).toEqual(acknowledged);
        viewer.close();
      }
      for (const { url } of gateways) await expectWhole(url, sessionId, acknowledged);
    }, 90_000);

    test('a processor and a watched gateway killed: every acknowledged picture is there once, and the viewer goes on at the other gateway', async () => {
      const { sessionId, done } = await record(60, 80);
      const [doomed, other] = gateways;
      const viewer = await joinSession(doomed?.url ?? '', TOKEN, sessionId, 'start');
      await viewer.until(({ frames }) => frames.length >= 20);
      await processors[0]?.kill();
      await doomed?.kill();
      await viewer.reconnect(other?.url);
      processors[0] = await start('processors', 2);
      gateways[0] = await start('live-gateway', 4);
      const acknowledged = await done;
      await viewer.until(
        ({ frames, control }) => frames.length >= acknowledged.length && control.some((message) => message.type === 'ended'),
      );
      expect(viewer.frames.map((frame) => payloadHash(frame.payload))).toEqual(acknowledged);
      viewer.close();
      for (const { url } of gateways) await expectWhole(url, sessionId, acknowledged);
    }, 120_000);
  },
);
