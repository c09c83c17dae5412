import type { Clock, Logger } from './runtime.ts';

/** Lines of one message in one stretch of time. */
const LINES_MAX = 3;
const STRETCH_MS = 10_000;
/** Messages that are counted at a time. They are texts of the code, so this is never reached. */
const MESSAGES_MAX = 1_000;

interface Counted {
  beganMs: number;
  lines: number;
  leftOut: number;
}

/**
 * The same logger, but of warnings and errors with one message (numbers in it aside) at most 3 in 10 s are written. The first
 * one after that says how many were left out: what fails for everybody at once, or many times a second, must not fill the
 * disk and hide the rest.
 */
export function sparingLogger(logger: Logger, clock: Pick<Clock, 'now'>): Logger {
  const counts = new Map<string, Counted>();

  function sparingly(write: (data: object, message: string) => void): (data: object, message: string) => void {
    return (data, message) => {
      const nowMs = clock.now();
      const name = message.replaceAll(/\d+/g, '#');
      let counted = counts.get(name);
      if (counted === undefined) {
        if (counts.size >= MESSAGES_MAX) counts.clear();
        counted = { beganMs: nowMs, lines: 0, leftOut: 0 };
        counts.set(name, counted);
      } else if (nowMs - counted.beganMs >= STRETCH_MS) {
        counted.beganMs = nowMs;
        counted.lines = 0;
      }
      if (counted.lines >= LINES_MAX) {
        counted.leftOut++;
        return;
      }
      counted.lines++;
      const { leftOut } = counted;
      counted.leftOut = 0;
      write(leftOut === 0 ? data : { ...data, leftOut }, message);
    };
  }

  return {
    debug: (data, message) => logger.debug(data, message),
    info: (data, message) => logger.info(data, message),
    warn: sparingly((data, message) => logger.warn(data, message)),
    error: sparingly((data, message) => logger.error(data, message)),
  };
}
