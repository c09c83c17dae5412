import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Mutation } from './mutations.ts';
import { MUTATIONS, mutatedText } from './mutations.ts';
import { copyWorkingTree } from './working-copy.ts';

const USAGE = `npm run mutate -- [--only name,name] [--seeds 25]

Breaks a promise on purpose, one at a time, in a throw-away copy of the working tree, and expects tests to fail: a change that no
test notices survives, and the command ends with 1. Prints what caught what, as Markdown.

  --only   only these mutations
  --seeds  how many seeds the simulation tries against each`;

const ROOT = join(import.meta.dirname, '..', '..');
const FIRST_SEED = 42;
/** A mutated program may never end. Whole files take seconds; this is far more than a loaded machine needs. */
const RUN_MAX_MS = 300_000;
const TITLES_SHOWN = 3;

/** Process groups that have to end with this process. */
const running = new Set<number>();

/** What became of one run of tests and simulation. */
interface Outcome {
  /** `file: title` of each test that failed. */
  readonly failed: readonly string[];
  /** How many seeds it took; null when none failed, or none was run. */
  readonly seeds: number | null;
  /** What went wrong besides: a file that does not load, an error that nobody handled. It catches nothing. */
  readonly trouble: readonly string[];
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

async function main(): Promise<number> {
  const options = {
    only: { type: 'string' },
    seeds: { type: 'string', default: '25' },
    help: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ options });
  const seeds = Number(values.seeds);
  const names = values.only?.split(',') ?? MUTATIONS.map(({ name }) => name);
  const chosen = MUTATIONS.filter(({ name }) => names.includes(name));
  if (values.help || chosen.length !== names.length || !Number.isSafeInteger(seeds) || seeds < 1) {
    console.log(`${USAGE}\n\nMutations: ${MUTATIONS.map(({ name }) => name).join(', ')}`);
    return values.help ? 0 : 2;
  }
  const copy = await copyWorkingTree(ROOT);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const pid of running) process.kill(-pid, 'SIGKILL');
      void copy.remove().finally(() => process.exit(1));
    });
  }
  try {
    const baseline = await tryOut(copy.path, [...new Set(chosen.flatMap(({ tests }) => tests))], seeds);
    if (baseline.failed.length > 0 || baseline.seeds !== null || baseline.trouble.length > 0) {
      console.log(`The unchanged copy does not pass:\n  ${[...baseline.failed, ...baseline.trouble].join('\n  ')}`);
      if (baseline.seeds !== null) console.log(`  simulation, seed ${FIRST_SEED + baseline.seeds - 1}`);
      return 1;
    }
    console.log('The unchanged copy passes.');
    const outcomes: [Mutation, Outcome][] = [];
    for (const mutation of chosen) {
      const outcome = await tryMutation(mutation, copy.path, seeds);
      outcomes.push([mutation, outcome]);
      console.log(
        `${mutation.name}: ${isCaught(outcome) ? 'caught' : 'SURVIVED'} (${outcome.failed.length} tests, ${seedsCell(mutation, outcome)})`,
      );
      for (const line of outcome.trouble) console.log(`  ${line}`);
    }
    console.log(`\n${tableOf(outcomes, seeds)}`);
    const survivors = outcomes.filter(([, outcome]) => !isCaught(outcome)).map(([{ name }]) => name);
    console.log(
      `\n${outcomes.length - survivors.length} of ${outcomes.length} caught${survivors.length > 0 ? `; survived: ${survivors.join(', ')}` : ''}`,
    );
    return survivors.length > 0 ? 1 : 0;
  } finally {
    await copy.remove();
  }
}

async function tryMutation(mutation: Mutation, path: string, seeds: number): Promise<Outcome> {
  const file = join(path, mutation.file);
  const original = await readFile(file);
  await writeFile(file, await mutatedText(mutation, path));
  try {
    return await tryOut(path, mutation.tests, mutation.simulated ? seeds : 0);
  } finally {
    await writeFile(file, original);
  }
}

/** A test has to notice: the simulation is looked at besides, since it is luck how many seeds it takes. */
function isCaught({ failed }: Outcome): boolean {
  return failed.length > 0;
}

async function tryOut(path: string, tests: readonly string[], seeds: number): Promise<Outcome> {
  const [tested, simulated] = await Promise.all([runTests(path, tests), seeds > 0 ? simulate(path, seeds) : null]);
  return {
    failed: tested.failed,
    seeds: simulated?.seeds ?? null,
    trouble: [...tested.trouble, ...(simulated?.trouble ?? [])],
  };
}

async function runTests(path: string, tests: readonly string[]): Promise<Omit<Outcome, 'seeds'>> {
  const reportFile = join(path, 'mutate-report.json');
  await writeFile(reportFile, '');
  const flags = ['run', '--project', 'parts', '--reporter', 'json', '--outputFile', reportFile, ...tests];
  const { code, output } = await run(path, ['node_modules/vitest/vitest.mjs', ...flags]);
  const written = await readFile(reportFile, 'utf8');
  if (written === '')
    return { failed: [], trouble: [code === null ? 'the tests did not end' : `the tests did not run: ${output.slice(-2_000)}`] };
  const { testResults } = JSON.parse(written) as Report;
  const failed = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ title }) => `${basename(name)}: ${title}`),
  );
  const trouble = testResults
    .filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'))
    .map(({ name, message }) => `${relative(path, name)} does not load: ${message}`);
  if (code !== 0 && failed.length === 0 && trouble.length === 0) trouble.push(`the tests ended with ${code}: ${output.slice(-2_000)}`);
  return { failed, trouble };
}

async function simulate(path: string, seeds: number): Promise<Omit<Outcome, 'failed'>> {
  const { code, output } = await run(path, ['packages/sim/src/main.ts', '--seed', String(FIRST_SEED), '--runs', String(seeds)]);
  if (code === 0) return { seeds: null, trouble: [] };
  const seed = /^seed (\d+):$/m.exec(output)?.[1];
  if (seed !== undefined) return { seeds: Number(seed) - FIRST_SEED + 1, trouble: [] };
  return { seeds: null, trouble: [code === null ? 'the simulation did not end' : `the simulation broke: ${output.slice(-2_000)}`] };
}

/** Runs this Node in the copy. `code` is null when it did not end in time. */
function run(cwd: string, args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that its workers end with it.
    const child = spawn(process.execPath, [...args], { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output = `${output}${chunk.toString()}`.slice(-100_000);
      });
    }
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    const timer = setTimeout(() => {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    }, RUN_MAX_MS);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      if (pid !== undefined) running.delete(pid);
      resolve({ code, output });
    });
  });
}

function seedsCell({ simulated }: Mutation, { seeds, trouble }: Outcome): string {
  if (!simulated) return 'not simulated';
  if (seeds !== null) return `seed ${seeds}`;
  return trouble.some((line) => line.startsWith('the simulation')) ? 'simulation breaks' : 'no seed';
}

function tableOf(outcomes: readonly (readonly [Mutation, Outcome])[], seeds: number): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const rows = outcomes.map(([mutation, outcome]) => {
    const { failed } = outcome;
    const more = failed.length > TITLES_SHOWN ? [`and ${failed.length - TITLES_SHOWN} more`] : [];
    const caughtBy = failed.length === 0 ? '**nothing**' : [...failed.slice(0, TITLES_SHOWN), ...more].join('<br>');
    return `| ${[mutation.name, mutation.broken, `\`${mutation.file}\``, caughtBy, seedsCell(mutation, outcome)].map(cell).join(' | ')} |`;
  });
  return [`| mutation | what is broken | where | tests that fail | simulation, of ${seeds} seeds |`, '|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

process.exitCode = await main();
