import { ClickHouseLogLevel } from '@clickhouse/client';
import type { Logger } from '@playhead/ports';

interface ClientLine {
  readonly message: string;
  readonly module?: string;
  readonly args?: Record<string, unknown>;
  readonly err?: Error;
}

/**
 * What the client would print, to our logger instead; nothing without one. A failed request is a detail there: the call
 * that it was for fails, and whoever made it says so.
 */
export function clientLog(logger: Logger | undefined) {
  if (!logger) return { level: ClickHouseLogLevel.OFF };
  const log = logger;
  class ClientLog {
    trace(_line: ClientLine): void {}
    debug(_line: ClientLine): void {}
    info({ message, args }: ClientLine): void {
      log.debug({ ...args }, message);
    }
    warn({ message, args, err }: ClientLine): void {
      log.warn({ ...args, ...(err && { err }) }, message);
    }
    error({ message, args, err }: ClientLine): void {
      log.debug({ ...args, ...(err && { err }) }, message);
    }
  }
  return { level: ClickHouseLogLevel.WARN, LoggerClass: ClientLog };
}
