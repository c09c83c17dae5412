import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openDiskBlocks } from '@playhead/blocks-disk';
import { describe, expect, onTestFinished, test } from 'vitest';

async function freshPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'playhead-blocks-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Starts the putting process. `exec` keeps the process id. */
function putting(path: string, underWay: number, prefix: string, limit = ''): ChildProcess {
  const args = [join(import.meta.dirname, 'put-forever.ts'), path, `${underWay}`, prefix];
  const child = spawn('bash', ['-c', `${limit} exec "$@"`, 'bash', process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** The keys that the process has put; calls `seen` with their count. A short line goes through a pipe whole or not at all. */
async function keysPutBy(child: ChildProcess, seen: (count: number) => void = () => {}): Promise<string[]> {
  if (!child.stdout) throw new Error('no output');
  const keys: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    keys.push(line);
    seen(keys.length);
  }
  return keys;
}

/** Keys of all objects; each must be as long, and filled, as its name says. */
async function wholeObjects(path: string): Promise<Set<string>> {
  const blocks = await openDiskBlocks({ path });
  const keys = new Set<string>();
  for await (const { key, bytes } of blocks.list('')) {
    const [mine = Number.NaN, length] = (key.split('/').at(-1) ?? '').split('-').map(Number);
    expect(bytes).toBe(length);
    expect((await blocks.get(key)).every((byte) => byte === mine % 251)).toBe(true);
    keys.add(key);
  }
  await blocks.close();
  return keys;
}

describe('a block store whose process dies', () => {
  test('BS7 has every object that was put, and every object that it has is whole', async () => {
    const path = await freshPath();
    const all: string[] = [];
    for (const [round, killAfter] of [1, 25, 60].entries()) {
      const child = putting(path, 6, `round-${round}`);
      const exited = once(child, 'exit');
      const keys = await keysPutBy(child, (count) => {
        if (count === killAfter) child.kill('SIGKILL');
      });
      await exited;
      expect(child.signalCode).toBe('SIGKILL');
      expect(keys.length).toBeGreaterThanOrEqual(killAfter);
      all.push(...keys);
      const held = await wholeObjects(path);
      expect(all.filter((key) => !held.has(key))).toEqual([]);
      expect(await readdir(join(path, 'incoming'))).toEqual([]);
    }
  });

  test('BS7 on a full disk a put fails with unavailable and leaves nothing', async () => {
    const path = await freshPath();
    // No file of the process grows beyond 200 KiB.
    const child = putting(path, 1, 'full', 'ulimit -f 200;');
    const errors: string[] = [];
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
    const exited = once(child, 'exit');
    const keys = await keysPutBy(child);
    expect(await exited).toEqual([0, null]);
    expect(errors).toContain('unavailable');
    expect(keys.length).toBeGreaterThan(5);
    expect([...(await wholeObjects(path))].toSorted()).toEqual(keys.toSorted());
    expect(await readdir(join(path, 'incoming'))).toEqual([]);
  });
});
