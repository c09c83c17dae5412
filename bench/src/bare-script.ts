import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Target } from './cluster/target.ts';

/** Runs a baseline in a process of its own: a script that serves, and prints the port that it listens on. */
export async function withScript<T>(name: string, script: URL, use: (target: Target) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, [fileURLToPath(script)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = `http://127.0.0.1:${line.toString().trim()}`;
    return await use({ name, doors: [url], pids: [child.pid ?? 0], gateway: url, key: 'key', token: '' });
  } finally {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  }
}
