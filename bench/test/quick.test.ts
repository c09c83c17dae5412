import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { chromiumPath, NO_CHROMIUM } from '@playhead/e2e/chromium';
import { expect, test, vi } from 'vitest';
import { noRecording } from '../src/workload.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
/** It takes a tenth of that on a machine with nothing else to do. */
const TOTAL_MS_MAX = 240_000;
vi.setConfig({ testTimeout: TOTAL_MS_MAX + 10_000 });

/** `npm run bench -- NAME ... --quick`, to its end or until it takes too long. */
async function benchQuickly(names: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [MAIN, '--quick', ...names], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const late = setTimeout(() => child.kill('SIGTERM'), TOTAL_MS_MAX);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { code, output };
}

async function expectToRun(names: readonly string[]): Promise<void> {
  const { code, output } = await benchQuickly(names);
  expect(output).not.toContain('left out');
  expect(code).toBe(0);
  expect([...output.matchAll(/^## (\S+)$/gm)].map(([, name]) => name)).toEqual([...names, 'Summary']);
  // What shows only that benchmarks run is not kept.
  expect(output).not.toContain('kept in');
}

test('benchmarks of one process run through', () => expectToRun(['log-append', 'ingest', 'live', 'fan-out']));

test('benchmarks of many sessions run through', () => expectToRun(['growth', 'start-up']));

test.runIf(noRecording === '')(`benchmarks of a real page run through${noRecording && ` (${noRecording})`}`, () =>
  expectToRun(['block-codec', 'join', 'compaction', 'session-hour']),
);

test.runIf(chromiumPath)(`a benchmark of two browsers runs through${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () =>
  expectToRun(['watched']),
);

test('what is no benchmark is refused, with the names of those that are', async () => {
  const { code, output } = await benchQuickly(['speed']);
  expect(code).toBe(2);
  expect(output).toMatch(/^no benchmark speed; there are .*\bingest\b/);
});
