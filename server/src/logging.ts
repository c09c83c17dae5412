import type { Logger } from 'pino';
import { pino } from 'pino';
import { build as prettyStream } from 'pino-pretty';
import type { Settings } from './settings.ts';

/** The process's log: lines for people on a terminal, JSON elsewhere, unless told. Goes to stderr; stdout is for the link. */
export function openLogger(settings: Pick<Settings, 'logLevel' | 'logFormat'>, terminal: boolean): Logger {
  const pretty = settings.logFormat === 'pretty' || (settings.logFormat === 'auto' && terminal);
  const options = { level: settings.logLevel, base: null };
  if (!pretty) return pino(options, pino.destination({ dest: 2, sync: true }));
  return pino(
    options,
    prettyStream({ destination: 2, sync: true, colorize: terminal, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }),
  );
}
