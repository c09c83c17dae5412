import type { Clock, Logger } from '@playhead/ports';

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly data: object;
  readonly message: string;
  /** When it was said, Unix ms; 0 where there is no clock. */
  readonly atMs: number;
}

/** Keeps what it is told, for tests that promise a log line. */
export function keepingLogger(clock?: Pick<Clock, 'now'>): Logger & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const keep =
    (level: LogLine['level']) =>
    (data: object, message: string): void =>
      void lines.push({ level, data, message, atMs: clock?.now() ?? 0 });
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** How often something was said in a stretch of time. */
export interface LineRate {
  readonly lines: number;
  /** Lines in the busiest second. */
  readonly mostInASecond: number;
  /** The longest time without a line, the ends of the stretch included. */
  readonly longestSilenceMs: number;
}

/** @param times Unix ms, ascending; those outside of the stretch do not count */
export function lineRate(times: readonly number[], fromMs: number, toMs: number): LineRate {
  const within = times.filter((time) => time >= fromMs && time <= toMs);
  let [mostInASecond, longestSilenceMs, first] = [0, 0, 0];
  for (const [at, time] of within.entries()) {
    while ((within[first] ?? time) <= time - 1000) first++;
    mostInASecond = Math.max(mostInASecond, at - first + 1);
  }
  for (const [at, time] of [...within, toMs].entries()) longestSilenceMs = Math.max(longestSilenceMs, time - (within[at - 1] ?? fromMs));
  return { lines: within.length, mostInASecond, longestSilenceMs };
}
