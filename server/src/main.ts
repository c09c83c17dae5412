import process from 'node:process';
import { DataDirectoryBusy, openDataDirectory } from './data-directory.ts';
import { openEmbeddedEngines } from './engines.ts';
import { openLogger } from './logging.ts';
import { startRoles } from './roles.ts';
import { helpText, readSettings, SettingFault } from './settings.ts';

/** The longest that a clean end may take before the process ends anyway; what is acknowledged is in the log. */
const STOP_MS_MAX = 20_000;

async function main(): Promise<number | undefined> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === 'help') {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  const logger = openLogger(settings, process.stderr.isTTY);
  const data = await openDataDirectory(settings.data);
  const server = await startRoles(settings, await openEmbeddedEngines(settings, data), data.projects, logger);

  process.stdout.write(`\n  Playhead is running. Open this link, it signs you in:\n\n    ${server.link}\n\n`);
  if (server.shopUrl !== undefined) process.stdout.write(`  The demo shop, recorded live:  ${server.shopUrl}/\n`);
  process.stdout.write(`  Data:                          ${data.path}\n  Ctrl-C ends it.\n\n`);

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, 'ending: flushing what is buffered');
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    server.stop().then(
      () => {
        data.release();
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
  if (error instanceof DataDirectoryBusy) return error.message;
  if ('code' in error && error.code === 'EADDRINUSE')
    return `${error.message}\nAnother program listens there. Choose another with --port and --shop-port.`;
  return error.stack ?? error.message;
}
