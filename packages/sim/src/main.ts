import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { RunResult, RunStats } from './run.ts';
import { runSimulation } from './run.ts';
import type { WorkerSeeds } from './worker.ts';

const USAGE = `npm run sim -- [--seed 42] [--runs 1000] [--jobs ${availableParallelism()}] [--trace] [--hash]

Runs the real drivers on faulty fakes under a virtual clock, one run a seed, from --seed on. Prints the seed of a run in which a
promise does not hold, and how to see it again; ends with 1 then.

  --jobs   threads, each with seeds of its own
  --trace  prints everything that happens
  --hash   prints a hash of everything that happens, per run`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '42' },
    runs: { type: 'string', default: '1000' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'boolean', default: false },
    hash: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const SAY_EVERY_MS = 10_000;

async function main(): Promise<number> {
  const [first, runs, jobs] = [values.seed, values.runs, values.jobs].map(Number) as [number, number, number];
  const isUsable = Number.isSafeInteger(first) && Number.isSafeInteger(runs) && runs >= 1 && Number.isSafeInteger(jobs) && jobs >= 1;
  if (values.help || !isUsable) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const beganMs = performance.now();
  let saidMs = beganMs;
  let count = 0;
  const totals = new Map<string, number>();
  const results = values.trace || values.hash ? runHere(first, runs) : runOnThreads(first, runs, jobs);
  for await (const { seed, problems, stats } of results) {
    count++;
    if (problems.length > 0) {
      console.log(`seed ${seed}:`);
      for (const problem of problems) console.log(`  ${problem}`);
      console.log(`see it again: npm run sim -- --seed ${seed} --runs 1 --trace`);
      return 1;
    }
    for (const name of Object.keys(stats) as (keyof RunStats)[]) totals.set(name, (totals.get(name) ?? 0) + stats[name]);
    if (performance.now() - saidMs < SAY_EVERY_MS) continue;
    saidMs = performance.now();
    console.log(`${count} of ${runs} runs`);
  }
  console.log(`${runs} runs from seed ${first}: every promise held (${((performance.now() - beganMs) / 1000).toFixed(0)} s)`);
  for (const [name, total] of totals) console.log(`  ${name}: ${total}`);
  return 0;
}

/** One run after the other, with what happens in them. */
async function* runHere(first: number, runs: number): AsyncGenerator<RunResult> {
  for (let seed = first; seed < first + runs; seed++) {
    const hash = createHash('sha256');
    const result = await runSimulation(seed, (line) => {
      hash.update(line).update('\n');
      if (values.trace) console.log(line);
    });
    if (values.hash) console.log(`${seed} ${hash.digest('hex')}`);
    yield result;
  }
}

/** Results as they come, of threads that share the seeds. They end when nobody wants more. */
async function* runOnThreads(first: number, runs: number, jobs: number): AsyncGenerator<RunResult> {
  const { readable, writable } = new TransformStream<RunResult, RunResult>();
  const writer = writable.getWriter();
  const workers = Array.from({ length: Math.min(jobs, runs) }, (_, i) => {
    const workerData: WorkerSeeds = { first: first + i, step: jobs, end: first + runs };
    return new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  });
  const ended = workers.map(
    (worker) =>
      new Promise<void>((resolve, reject) => {
        worker.on('message', (result: RunResult) => void writer.write(result).catch(() => undefined));
        worker.once('error', reject).once('exit', () => resolve());
      }),
  );
  Promise.all(ended).then(
    // Closed already, when nobody wants more.
    () => writer.close().catch(() => undefined),
    (error: unknown) => writer.abort(error),
  );
  try {
    yield* readable;
  } finally {
    for (const worker of workers) void worker.terminate();
  }
}

process.exitCode = await main();
