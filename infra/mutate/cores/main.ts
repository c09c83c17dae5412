import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { copyWorkingTree } from '../working-copy.ts';

/**
 * `npm run mutate:core [-- --mutate <files>]`: Stryker changes pure code in every way that it knows, in a throw-away copy, and tells
 * which changes no test notices. Takes about a second a change, and there are thousands: name files.
 */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const CORES = join('infra', 'mutate', 'cores');

async function run(cwd: string, command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { cwd, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

// Who stops it stops what it runs, too: then the copy goes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
const copy = await copyWorkingTree(ROOT);
try {
  const installed = await run(join(copy.path, CORES), 'npm', ['ci', '--ignore-scripts', '--loglevel=error']);
  const stryker = join(CORES, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js');
  const flags = ['run', join(CORES, 'stryker.config.json'), ...process.argv.slice(2)];
  process.exitCode = installed === 0 ? await run(copy.path, process.execPath, [stryker, ...flags]) : installed;
} finally {
  await copy.remove();
}
