import { spawnSync } from 'node:child_process';
import process from 'node:process';

/**
 * Runs a turbo task of all packages, quietly: its output is shown when it fails. Turbo's telemetry is off: what is run on a
 * machine is nobody else's business.
 */
const task = process.argv[2] ?? 'build';
const { status, stdout, stderr } = spawnSync('turbo', ['run', task, '--output-logs=errors-only', '--log-prefix=none'], {
  encoding: 'utf8',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  shell: process.platform === 'win32',
});
if (status !== 0) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}turbo run ${task} failed\n`);
process.exit(status ?? 1);
