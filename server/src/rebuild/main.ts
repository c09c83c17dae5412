import process from 'node:process';
import type { Logger } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import { GivenUp, ProcessorsAtWork } from '@playhead/processors';
import { PlayheadError } from '@playhead/schemas';
import { DataDirectoryBusy, openDataDirectory, readProjects } from '../data-directory.ts';
import type { Engines } from '../engines.ts';
import { openLogger } from '../logging.ts';
import type { Settings } from '../settings.ts';
import { readSettings, SettingFault } from '../settings.ts';
import type { RebuildPlan } from './rebuild.ts';
import { RebuildRefused, rebuild } from './rebuild.ts';

const HELP = `Makes again, from the log, what is projected from it: the objects of the block store, and the catalog (ClickHouse).

  npm run rebuild -- [flags]

Stop the server first; in a cluster its processors. With --blocks or --check alone, a cluster may work on.

  --blocks          Read every object that the log names, and make those that are missing or damaged again from the uploads that
                    the log still has (72 h by default). Bytes that are not the same as before are never written.
  --check           Read the objects and change nothing.
  --catalog         Drop what ClickHouse has from the log, and fill it again. Who watched what is kept.
  --accept-loss     Drop it also where it alone knows something: signals of objects that are gone, or more than the log has.
  -h, --help        This text.

Without any of the first three: --blocks, then --catalog. Where things are is said as to the server, by flags or the environment:
--data, or --kafka-brokers and what a cluster's processors need (npm start -- --help).

Ends with 0 when everything is whole, with 1 when something is lost or was refused, with 2 when a flag is wrong.
`;

const OWN_FLAGS = ['--blocks', '--check', '--catalog', '--accept-loss'] as const;
type OwnFlag = (typeof OWN_FLAGS)[number];

function isOwn(word: string): word is OwnFlag {
  return (OWN_FLAGS as readonly string[]).includes(word);
}

function planOf(flags: ReadonlySet<OwnFlag>): RebuildPlan {
  const acceptLoss = flags.has('--accept-loss');
  if (flags.has('--check')) return { objects: 'check', catalog: flags.has('--catalog'), acceptLoss };
  if (!flags.has('--blocks') && !flags.has('--catalog')) return { objects: 'rebuild', catalog: true, acceptLoss };
  return { objects: flags.has('--blocks') ? 'rebuild' : 'skip', catalog: flags.has('--catalog'), acceptLoss };
}

const ALIVE_MS = 60_000;

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const settings = readSettings(
    words.filter((word) => !isOwn(word)),
    process.env,
    'processors',
  );
  if (settings === 'help') {
    process.stdout.write(HELP);
    return;
  }
  const plan = planOf(new Set(words.filter(isOwn)));
  const logger = openLogger(settings, process.stderr.isTTY);
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);

  const { engines, place, close } = await open(settings, logger);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const startedAtMs = Date.now();
  // The work may wait on nothing but our clock, whose timers do not keep a process alive.
  const alive = setInterval(() => undefined, ALIVE_MS);
  try {
    print(`Rebuilding from ${place}`);
    const deps = { engines, clock: systemClock, logger, random: Math.random, print, signal: stop.signal };
    const isWhole = await rebuild(deps, plan);
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
    print(isWhole ? `Done in ${seconds} s: everything is whole.` : `Done in ${seconds} s. Something is lost: see above.`);
    if (!isWhole) process.exitCode = 1;
  } finally {
    clearInterval(alive);
    await close();
  }
}

/** The engines that the settings name, of one process or of a cluster. */
async function open(
  settings: Settings,
  logger: Logger,
): Promise<{ readonly engines: Engines; readonly place: string; readonly close: () => Promise<void> }> {
  if (settings.kafkaBrokers.length > 0) {
    const { clusterEngines } = await import('../cluster-engines.ts');
    const engines = clusterEngines(settings, logger);
    return { engines, place: `Kafka at ${settings.kafkaBrokers.join(', ')}`, close: () => engines.close() };
  }
  // A directory that is not there would be made: a slip of the pen must not look like an empty log.
  await readProjects(settings.data).catch((cause: unknown) => {
    throw new SettingFault(`--data=${settings.data}: there is no data directory of Playhead`, { cause });
  });
  const data = await openDataDirectory(settings.data);
  const { embeddedEngines } = await import('../embedded-engines.ts');
  const engines = embeddedEngines(settings, data);
  const close = async (): Promise<void> => {
    await engines.close();
    data.release();
  };
  return { engines, place: data.path, close };
}

main().then(
  // What is left over (a client's timers) is of no use any more.
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(error instanceof SettingFault ? 2 : 1);
  },
);

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SettingFault) return `${error.message}\nnpm run rebuild -- --help lists the flags.`;
  if (error instanceof ProcessorsAtWork)
    return `Processors are at work: ${error.message}. Stop them first. One that was killed holds its own for 10 s.`;
  if (error instanceof GivenUp)
    return `Stopped: ${error.message}. What was made again stays. A catalog that is not full yet is gone on with by the processors as they start, or made again by this command.`;
  if (error instanceof DataDirectoryBusy || error instanceof RebuildRefused || error instanceof PlayheadError) return error.message;
  return error.stack ?? error.message;
}
