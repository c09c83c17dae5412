import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Cost } from '../src/cost.ts';
import { PEAK_RESET } from '../src/cost.ts';

const PROGRAM = fileURLToPath(new URL('../src/cost.ts', import.meta.url));
const TABLE = new URL('../src/decoders.ts', import.meta.url).href;
const PLANTED = new URL('planted.ts', import.meta.url).href;
/** V8's heap; what the C library frees goes back to the system at once. */
const MEMORY_FLAGS = ['--expose-gc', '--max-old-space-size=256', '--max-semi-space-size=2'];
const MEMORY_ENV = { MALLOC_MMAP_THRESHOLD_: '8192', MALLOC_ARENA_MAX: '1' };
/** Code that was optimised is not counted. */
const STEPS_FLAGS = ['--no-opt', '--no-maglev', '--no-sparkplug'];
/** Other processes share the machine. */
const PATIENCE_MS = 300_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

async function costs(what: 'memory' | 'steps', table: string): Promise<readonly Cost[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...(what === 'memory' ? MEMORY_FLAGS : STEPS_FLAGS), PROGRAM, what, table],
    { env: { ...process.env, ...(what === 'memory' ? MEMORY_ENV : {}) }, maxBuffer: OUTPUT_BYTES_MAX },
  );
  return JSON.parse(stdout) as readonly Cost[];
}

const tooMuch = (all: readonly Cost[]) => all.filter(({ outcome, cost, costMax }) => cost > costMax || outcome.startsWith('crash'));

it.skipIf(!existsSync(PEAK_RESET))(
  'memory stays within the bound of the table, for bombs and lies too (needs /proc)',
  { timeout: PATIENCE_MS },
  async () => {
    const all = await costs('memory', TABLE);
    expect(tooMuch(all)).toEqual([]);
    expect(all.length).toBeGreaterThan(50);
  },
);

it.skipIf(!existsSync(PEAK_RESET))('memory beyond the bound would be noticed (needs /proc)', async () => {
  expect(tooMuch(await costs('memory', PLANTED)).map(({ decoder }) => decoder)).toEqual(['swelling']);
});

it('work grows with the bytes and no faster: no place of our sources runs more than a few times a byte', {
  timeout: PATIENCE_MS,
}, async () => {
  const all = await costs('steps', TABLE);
  expect(tooMuch(all)).toEqual([]);
  expect(Math.max(...all.map(({ cost }) => cost))).toBeGreaterThan(10_000);
});
