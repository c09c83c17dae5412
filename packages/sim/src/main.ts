import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { RunResult, RunStats } from './run.ts';
import { runSimulation } from './run.ts';

const USAGE = `npm run sim -- [--seed 42] [--runs 1000] [--trace] [--hash]

Runs the real drivers on faulty fakes under a virtual clock, one run a seed, from --seed on. Prints the seed of the first run in
which a promise does not hold, and how to see it again; ends with 1 then.

  --trace  prints everything that happens
  --hash   prints a hash of everything that happens, per run`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '42' },
    runs: { type: 'string', default: '1000' },
    trace: { type: 'boolean', default: false },
    hash: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const SAY_EVERY_MS = 10_000;

async function main(): Promise<number> {
  const first = Number(values.seed);
  const runs = Number(values.runs);
  if (values.help || !Number.isSafeInteger(first) || !Number.isSafeInteger(runs) || runs < 1) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const beganMs = performance.now();
  let saidMs = beganMs;
  const totals = new Map<keyof RunStats, number>();
  for (let seed = first; seed < first + runs; seed++) {
    const result = await runOne(seed);
    if (result.problems.length > 0) {
      console.log(`seed ${seed}:`);
      for (const problem of result.problems) console.log(`  ${problem}`);
      console.log(`see it again: npm run sim -- --seed ${seed} --runs 1 --trace`);
      return 1;
    }
    for (const [name, value] of Object.entries(result.stats)) {
      if (typeof value === 'number') totals.set(name as keyof RunStats, (totals.get(name as keyof RunStats) ?? 0) + value);
    }
    if (performance.now() - saidMs > SAY_EVERY_MS) {
      saidMs = performance.now();
      console.log(`${seed - first + 1} of ${runs} runs`);
    }
  }
  const seconds = (performance.now() - beganMs) / 1000;
  console.log(`${runs} runs from seed ${first}: every promise held (${seconds.toFixed(0)} s)`);
  for (const [name, total] of totals) console.log(`  ${name}: ${total}`);
  return 0;
}

async function runOne(seed: number): Promise<RunResult> {
  if (!values.hash && !values.trace) return runSimulation(seed);
  const hash = createHash('sha256');
  const result = await runSimulation(seed, (line) => {
    hash.update(line).update('\n');
    if (values.trace) console.log(line);
  });
  if (values.hash) console.log(`${seed} ${hash.digest('hex')}`);
  return result;
}

process.exitCode = await main();
