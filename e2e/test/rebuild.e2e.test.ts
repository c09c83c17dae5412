import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionInfo } from '@playhead/schemas';
import { readProjects } from '@playhead/server/data-directory';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Phone } from '../src/phone-load.ts';
import { expectReplayable, startPhone } from '../src/phone-load.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, runCommand, startServer } from '../src/server-process.ts';

const SESSIONS = 3;
const PARTITIONS = 4;
/** Of each phone, at least. */
const BUNDLES = 16;
const BUNDLE_INTERVAL_MS = 60;
const WAIT = { timeout: 30_000, interval: 100 };
vi.setConfig({ testTimeout: 90_000 });

describe('npm run rebuild on the data directory of a server that phones have uploaded to', () => {
  let folder: string;
  let data: string;
  let token: string;
  let start: () => Promise<ServerProcess>;
  let server: ServerProcess | undefined;
  let phones: readonly Phone[];
  let listed: readonly SessionInfo[];
  let stored: ReadonlyMap<string, string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-rebuild-'));
    data = join(folder, 'data');
    const [port = 0, shopPort = 0] = await freePorts(2);
    start = () => startServer({ data, port, shopPort, flags: ['--flush-age-ms', '300', '--partitions', String(PARTITIONS)] });
    server = await start();
    const { projects } = await readProjects(data);
    token = projects[0]?.viewers[0]?.token ?? '';
    const options = { doors: [server.url], writeKey: projects[0]?.writeKey ?? '', intervalMs: BUNDLE_INTERVAL_MS };
    phones = await Promise.all(Array.from({ length: SESSIONS }, (_, partition) => startPhone(options, partition, PARTITIONS)));
    await Promise.all(phones.map(async (phone) => phone.more(BUNDLES).then(() => phone.stop())));
    const { url } = server;
    await vi.waitFor(async () => {
      listed = await sessions(url);
      const acknowledged = phones.reduce((sum, phone) => sum + phone.acknowledged.length, 0);
      const projected = listed.reduce((sum, { live, counts }) => sum + (live ? 0 : counts.images), 0);
      if (projected !== acknowledged) throw new Error(`${projected} of ${acknowledged} pictures are in sessions that have ended`);
    }, WAIT);
  }, 120_000);

  afterAll(async () => {
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const rebuild = (args: readonly string[] = [], killAt?: RegExp): ReturnType<typeof runCommand> =>
    runCommand('rebuild', ['--data', data, '--partitions', String(PARTITIONS), ...args], killAt);

  async function sessions(url: string): Promise<readonly SessionInfo[]> {
    const answer = await fetch(new URL('/v1/sessions', url), { headers: { authorization: `Bearer ${token}` } });
    return ((await answer.json()) as { sessions: SessionInfo[] }).sessions;
  }

  /** Path and hash of every object of a flush. */
  async function objects(): Promise<ReadonlyMap<string, string>> {
    const entries = await readdir(join(data, 'blocks', 'objects', 'uploads'), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const hashes = paths.toSorted().map(
      async (path) =>
        [
          path,
          createHash('sha256')
            .update(await readFile(path))
            .digest('hex'),
        ] as const,
    );
    return new Map(await Promise.all(hashes));
  }

  async function damage(path: string): Promise<void> {
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }

  /** Everything that was acknowledged is there once, in order, and the list says what it said. */
  async function expectAsBefore(): Promise<void> {
    server = await start();
    expect(await sessions(server.url)).toEqual(listed);
    for (const phone of phones) await expectReplayable([server.url], token, phone);
    expect(await server.stop()).toBe(0);
  }

  test('is refused while the server runs', async () => {
    const { code, output } = await rebuild();
    expect(output).toContain('Another Playhead process is using');
    expect(code).toBe(1);
  });

  test('makes missing and damaged objects again byte for byte, and the same catalog; then the server goes on', async () => {
    expect(await server?.stop()).toBe(0);
    stored = await objects();
    const [missing = '', damaged = '', ...others] = stored.keys();
    expect(others.length).toBeGreaterThan(SESSIONS);
    await rm(missing);
    await damage(damaged);

    const checked = await rebuild(['--check']);
    expect(checked.output).toMatch(/is missing: left as it is[^]*is damaged: left as it is/);
    expect(checked.code).toBe(1);
    const rebuilt = await rebuild();
    expect(rebuilt.output).toMatch(/2 made again, all whole[^]*Catalog: filling[^]*everything is whole/);
    expect(rebuilt.code).toBe(0);
    expect(await objects()).toEqual(stored);
    expect((await rebuild(['--check'])).code).toBe(0);
    await expectAsBefore();
  });

  test('makes all objects again', async () => {
    await rm(join(data, 'blocks'), { recursive: true });
    const { code, output } = await rebuild(['--blocks']);
    expect(output).not.toContain('Catalog');
    expect(code).toBe(0);
    expect(await objects()).toEqual(stored);
    await expectAsBefore();
  });

  test.each([/Catalog: dropping/, /Catalog: filling/])(
    'may be killed when it says %s: the server fills the catalog as it starts',
    async (line) => {
      const killed = await rebuild(['--catalog'], line);
      expect(killed.code).toBeNull();
      server = await start();
      const { url } = server;
      await vi.waitFor(async () => expect(await sessions(url)).toEqual(listed), WAIT);
      expect(await server.stop()).toBe(0);
      await expectAsBefore();
    },
  );

  test('says how it is used, and makes nothing where there is nothing', async () => {
    expect(await runCommand('rebuild', ['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--accept-loss') });
    expect(await rebuild(['--block'])).toMatchObject({ code: 2, output: expect.stringContaining('npm run rebuild -- --help') });
    const elsewhere = join(folder, 'elsewhere');
    const { code, output } = await runCommand('rebuild', ['--data', elsewhere]);
    expect(output).toContain(`--data=${elsewhere}: there is no data directory of Playhead`);
    expect(code).toBe(2);
    await expect(stat(elsewhere)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
