import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbLog } from '@playhead/log-lmdb';
import { partitionOf } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { anUpload } from '@playhead/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readProjects } from '../src/data-directory.ts';
import { openDoor } from '../src/door-client.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');
const PARTITIONS = 2;

async function freshData(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'playhead-thread-'));
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

interface Launched {
  readonly child: ChildProcess;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  readonly exited: Promise<unknown[]>;
  /** Where it listens; rejects when it ended before. */
  readonly up: Promise<string>;
}

function launch(data: string, nodeFlags: readonly string[] = []): Launched {
  const flags = ['--data', data, '--port', '0', '--shop', 'off', '--partitions', `${PARTITIONS}`, '--flush-age-ms', '600000'];
  const child = spawn(process.execPath, [...nodeFlags, MAIN, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let written = '';
  child.stderr.on('data', (part: Buffer) => (written += part.toString()));
  const exited = once(child, 'exit');
  const up = new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
      const [url] = /http:\/\/[^/\s]+/.exec(said) ?? [];
      if (url !== undefined) resolve(url);
    });
    void exited.then(() => reject(new Error(written)));
  });
  up.catch(() => undefined);
  return { child, log: () => written, exited, up };
}

describe('processors on a thread of their own', () => {
  test('a thread that breaks ends the process, and it is said why', async () => {
    const { exited, log } = launch(await freshData(), ['--import', import.meta.resolve('./break-thread.ts')]);
    expect(await exited).toEqual([1, null]);
    expect(log()).toContain('the processors broke');
    expect(log()).toContain('planted');
  });

  test('are asked by the process whether it is ready', async () => {
    const { up } = launch(await freshData());
    const answer = await fetch(`${await up}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { ready: true, draining: false, dependencies: { log: 'ok', blocks: 'ok', catalog: 'ok', processors: 'ok' } },
    ]);
  });

  test.runIf(process.platform === 'linux')('let uploads and viewers go first, which keep the priority that they have', async () => {
    const { up, child } = launch(await freshData());
    await up;
    const tasks = join('/proc', `${child.pid}`, 'task');
    const stats = await Promise.all(
      (await readdir(tasks)).map(async (id) => [id, await readFile(join(tasks, id, 'stat'), 'utf8')] as const),
    );
    // proc_pid_stat(5): behind the name in parentheses the nice value is the seventeenth field.
    const nices = new Map(stats.map(([id, stat]) => [Number(id), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])]));
    expect([...nices.values()].filter((nice) => nice === 10)).toHaveLength(1);
    expect(nices.get(child.pid ?? 0)).toBe(0);
  });

  test('have flushed what was acknowledged when the process has ended cleanly', async () => {
    const data = await freshData();
    const { child, up, exited } = launch(data);
    const url = await up;
    const { projects } = await readProjects(data);
    const door = openDoor(url, projects[0]?.writeKey ?? '');
    const { sessionId } = await door.start({ source: 'web', startedAtMs: Date.now() });
    const { windowId, uploadId, body } = anUpload();
    const query = { window: windowId, upload: uploadId, format: 'frames', codec: 'identity', sentAtMs: Date.now() } as const;
    await door.upload(sessionId, query, new Uint8Array(body));
    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);

    const log = await openLmdbLog({ path: join(data, 'log'), partitions: PARTITIONS, codec: avroCodec });
    onTestFinished(() => log.close());
    const partition = partitionOf(sessionId, PARTITIONS);
    const { first } = await log.bounds('playhead.flushes', partition);
    for await (const { records } of log.read('playhead.flushes', partition, first, { signal: AbortSignal.timeout(5_000) })) {
      const sessions = records.flatMap(({ record }) => record?.blocks ?? []).map((block) => block.sessionId);
      expect(sessions).toEqual([sessionId]);
      return;
    }
    expect.unreachable('no flush');
  });
});
