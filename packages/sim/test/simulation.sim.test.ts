import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { RunStats } from '../src/run.ts';
import { runSimulation } from '../src/run.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');

/** What a process of its own says of everything that happened in some runs. */
async function hashesOf(seed: number, runs: number): Promise<string> {
  const flags = ['--seed', String(seed), '--runs', String(runs), '--hash'];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...flags]);
  return stdout
    .split('\n')
    .filter((line) => /^\d+ [0-9a-f]{64}$/.test(line))
    .join('\n');
}

test('the same seed is the same run, event by event, in every process; another seed is another', async () => {
  const [one, other, next] = await Promise.all([hashesOf(42, 6), hashesOf(42, 6), hashesOf(48, 6)]);
  expect(one.split('\n')).toHaveLength(6);
  expect(other).toBe(one);
  expect(new Set([...one.split('\n'), ...next.split('\n')].map((line) => line.split(' ')[1])).size).toBe(12);
});

test('a run does not depend on the runs before it', async () => {
  const trace = async (seed: number): Promise<string[]> => {
    const lines: string[] = [];
    await runSimulation(seed, (line) => lines.push(line));
    return lines;
  };
  const first = await trace(7);
  await trace(8);
  expect(await trace(7)).toEqual(first);
});

/** Of `npm run sim`; the long run's figures are in docs/proof.md. */
const SEEDS = { first: 42, runs: 150 };

test(`over ${SEEDS.runs} seeds every promise holds: acknowledged, seen by every viewer, in blocks and in the catalog, in order, once`, async () => {
  const broken: string[] = [];
  const totals: Partial<Record<keyof RunStats, number>> = {};
  for (let seed = SEEDS.first; seed < SEEDS.first + SEEDS.runs; seed++) {
    const { problems, stats } = await runSimulation(seed);
    for (const problem of problems) broken.push(`npm run sim -- --seed ${seed} --runs 1: ${problem}`);
    for (const name of Object.keys(stats) as (keyof RunStats)[]) totals[name] = (totals[name] ?? 0) + stats[name];
  }
  expect(broken).toEqual([]);
  // The troubles are real: processes died, races were lost, recorders repeated, viewers came again.
  const { deaths, invalidFlushes, duplicatesInLog, gaps, viewerConnections } = totals;
  const happened = { deaths, invalidFlushes, duplicatesInLog, gaps, viewerConnections };
  expect(Object.entries(happened).filter(([, count]) => !(count !== undefined && count > 5))).toEqual([]);
}, 300_000);
