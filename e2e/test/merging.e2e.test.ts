import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readProjects } from '@playhead/server/data-directory';
import { afterEach, expect, test, vi } from 'vitest';
import type { OneProcess } from '../src/deployment.ts';
import { openOneProcess } from '../src/deployment.ts';
import { expectReplayable, startPhone } from '../src/phone-load.ts';
import { payloadHash } from '../src/viewer-client.ts';

const PARTITIONS = 2;
const BUNDLES = 12;
const BUNDLE_INTERVAL_MS = 100;
const FLAGS = {
  partitions: PARTITIONS,
  'flush-age-ms': 300,
  'merge-after-ms': 0,
  'merge-age-ms': 0,
  'sweep-every-ms': 1_000,
  'sweep-grace-ms': 1_000,
};
/** A partition looks for what can be merged every 30 s. */
const WAIT = { timeout: 90_000, interval: 250 };
vi.setConfig({ testTimeout: 180_000 });

let server: OneProcess | undefined;
afterEach(() => server?.close());

test('[MG1] [SW1] what phones uploaded is merged when they have ended, the objects of before are removed, and every picture is still there', async () => {
  server = await openOneProcess(Object.entries(FLAGS).flatMap(([name, value]) => [`--${name}`, String(value)]));
  const { url, data } = server;
  const { projects } = await readProjects(data);
  const token = projects[0]?.viewers[0]?.token ?? '';
  const options = { doors: [url], writeKey: projects[0]?.writeKey ?? '', intervalMs: BUNDLE_INTERVAL_MS };
  const phones = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => startPhone(options, partition, PARTITIONS)));
  await Promise.all(phones.map(async (phone) => phone.more(BUNDLES).then(() => phone.stop())));
  await vi.waitFor(async () => expect((await objects(data, 'uploads')).length).toBeGreaterThan(PARTITIONS), WAIT);
  await vi.waitFor(async () => {
    expect(await objects(data, 'uploads')).toEqual([]);
    expect(await objects(data, 'merged')).not.toEqual([]);
  }, WAIT);
  for (const phone of phones) {
    await expectReplayable([url], token, phone);
    expect(await pictures(url, token, phone.sessionId)).toEqual(phone.acknowledged);
  }
  // And so it is after a start that knows nothing of before.
  await server.kill();
  await server.start();
  for (const phone of phones) await expectReplayable([url], token, phone);
});

/** Hashes of the pictures of a session, one by one from the read API. */
async function pictures(url: string, token: string, sessionId: string): Promise<string[]> {
  const get = async (path: string): Promise<Response> => {
    const answer = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${answer.status} for ${path}`);
    return answer;
  };
  const { blocks } = (await (await get(`/v1/sessions/${sessionId}/blocks`)).json()) as { blocks: { frames: { href?: string }[] }[] };
  const hrefs = blocks.flatMap(({ frames }) => frames.flatMap(({ href }) => href ?? []));
  return Promise.all(hrefs.map(async (href) => payloadHash(new Uint8Array(await (await get(href)).arrayBuffer()))));
}

async function objects(data: string, folder: 'uploads' | 'merged'): Promise<string[]> {
  const entries = await readdir(join(data, 'blocks', 'objects', folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
