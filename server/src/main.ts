import process from 'node:process';
import type { Logger } from '@playhead/ports';
import { sparingLogger, systemClock } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { DataDirectoryBusy, openDataDirectory } from './data-directory.ts';
import type { Engines } from './engines.ts';
import { everyEngine } from './engines.ts';
import { openLogger } from './logging.ts';
import { ProcessorsThread } from './processors-on-thread.ts';
import type { ProjectsFile } from './projects-file.ts';
import { readProjectsFile } from './projects-file.ts';
import type { RunningServer } from './roles.ts';
import { startRoles } from './roles.ts';
import type { RunningProcessors } from './run-processors.ts';
import type { Settings } from './settings.ts';
import { helpText, readSettings, SettingFault } from './settings.ts';

/** The longest that a clean end may take before the process ends anyway; what is acknowledged is in the log. */
const STOP_MS_MAX = 20_000;

async function main(): Promise<number | undefined> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === 'help') {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  const logger = sparingLogger(openLogger(settings, process.stderr.isTTY), systemClock);
  const { server, place } = await start(settings, logger);
  announce(server, place);

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'ending: flushing what is buffered');
    setTimeout(() => process.exit(1), STOP_MS_MAX + settings.drainMs).unref();
    server.stop().then(
      () => {
        logger.info({}, 'ended');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'could not end cleanly; what was acknowledged is in the log');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return undefined;
}

/** Starts the roles on the engines that the settings name. */
async function start(settings: Settings, logger: Logger): Promise<{ readonly server: RunningServer; readonly place: string }> {
  if (settings.kafkaBrokers.length > 0) {
    // Loaded where it is needed: a laptop's start does not pay for the clients of a cluster, nor the other way round.
    const { clusterEngines } = await import('./cluster-engines.ts');
    const { runProcessors } = await import('./run-processors.ts');
    const projects = settings.projects === '' ? NO_PROJECTS : await readProjectsFile(settings.projects);
    const engines = clusterEngines(settings, logger);
    const startProcessors = async (watched: Engines): Promise<RunningProcessors> =>
      runProcessors(settings, await everyEngine(watched), logger);
    const server = await startRoles(settings, engines, projects, logger, startProcessors);
    return { server, place: `Kafka at ${settings.kafkaBrokers.join(', ')}` };
  }
  const data = await openDataDirectory(settings.data);
  const projects = settings.projects === '' ? data.projects : await readProjectsFile(settings.projects);
  // Without a cluster a process has all roles.
  const processors = new ProcessorsThread(settings, logger);
  const { embeddedEngines } = await import('./embedded-engines.ts');
  const { shareEngines } = await import('./shared-engines.ts');
  const engines = embeddedEngines(settings, data);
  const startProcessors = async (): Promise<RunningProcessors> => processors.start(await shareEngines(engines, data));
  const server = await startRoles(settings, engines, projects, logger, startProcessors);
  const stop = async (): Promise<void> => {
    await server.stop();
    data.release();
  };
  return { server: { ...server, stop }, place: data.path };
}

/** Of a process that serves neither recorders nor viewers. */
const NO_PROJECTS: ProjectsFile = { projects: [] };

function announce(server: RunningServer, place: string): void {
  const lines =
    server.link === undefined
      ? [`Playhead is running at ${server.url}`, '']
      : ['Playhead is running. Open this link, it signs you in:', '', `  ${server.link}`, ''];
  if (server.shopUrl !== undefined) lines.push(`The demo shop, recorded live:  ${server.shopUrl}/`);
  lines.push(`Data:                          ${place}`, 'Ctrl-C ends it.');
  process.stdout.write(`\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n\n`);
}

main().then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(error instanceof SettingFault ? 2 : 1);
  },
);

/** What an operator can act on, without a stack; a stack for everything else. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SettingFault) return `${error.message}\nnpm start -- --help lists the settings.`;
  if (error instanceof DataDirectoryBusy || error instanceof PlayheadError) return error.message;
  if ('code' in error && error.code === 'EADDRINUSE')
    return `${error.message}\nAnother program listens there. Choose another with --port and --shop-port.`;
  return error.stack ?? error.message;
}
