import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Circumstances } from './results.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Those of this process. @throws {Error} outside of a git repository */
export function circumstances(atMs: number): Circumstances {
  const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  return {
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cpuCount: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    atMs,
    commit: git('rev-parse', '--short', 'HEAD'),
    isDirty: git('status', '--porcelain', '--', '.', ':!bench/results') !== '',
  };
}
