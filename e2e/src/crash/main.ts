import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Where } from './core/cycles.ts';
import { ROLES_OF } from './core/cycles.ts';
import { runCrashes } from './run.ts';
import { tallyTable } from './tally.ts';
import { openTarget } from './target.ts';

const HELP = `Kills processes under load, again and again, and compares everything acknowledged with everything replayable.

  npm run crash -- [--cycles 200] [--seed 1] [--on one-process|cluster]

The cluster's servers run in containers. What is killed when follows from the seed; what a process is just doing then does not.
`;

/** A long run is not to fail because the machine had something else to do. */
const PATIENCE_MS = 900_000;

function readFlags(): { readonly cycles: number; readonly seed: number; readonly on: Where } | undefined {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      on: { type: 'string', default: 'one-process' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [cycles, seed] = [Number(values.cycles), Number(values.seed)];
  const on = (Object.keys(ROLES_OF) as Where[]).find((where) => where === values.on);
  if (values.help || on === undefined || !(cycles >= 1) || !Number.isSafeInteger(cycles) || !Number.isSafeInteger(seed)) return undefined;
  return { cycles, seed, on };
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === undefined) {
    process.stdout.write(HELP);
    return 2;
  }
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const target = await openTarget(flags.on);
  const leave = async (): Promise<void> => {
    say(await logFile(target.log()));
    await target.close();
    process.exit(130);
  };
  process.once('SIGINT', () => void leave()).once('SIGTERM', () => void leave());
  const { tally, findings, seconds, log } = await runCrashes(target, { ...flags, patienceMs: PATIENCE_MS, say });
  await target.close();
  say(`\n${flags.on}, seed ${flags.seed}\n\n${tallyTable(tally, seconds)}`);
  if (findings.length === 0) return 0;
  say(`\nSeed ${flags.seed}: ${findings.length} differences. The processes' log: ${await logFile(log)}\n`);
  for (const { sessionId, reader, what } of findings) say(`${sessionId}, ${reader}: ${what}`);
  return 1;
}

/** Answers where it was written. */
async function logFile(log: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'playhead-crash-')), 'processes.log');
  await writeFile(file, log);
  return file;
}

process.exitCode = await main();
