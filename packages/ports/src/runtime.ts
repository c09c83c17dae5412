/** Time as an argument: production passes `systemClock`, tests a clock of their own. */
export interface Clock {
  /** Unix time in ms. */
  now(): number;
  /** Calls `run` once after `ms`; the answer cancels it. Timers do not keep the process alive. */
  setTimer(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** What services need of a logger; pino has this shape. */
export interface Logger {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Who may record and who may view. */
export interface Projects {
  /** The project of a recorder's write key. */
  projectOfWriteKey(key: string): string | undefined;
  /** The project and the name of the viewer that a token stands for. */
  viewerOfToken(token: string): Viewer | undefined;
}

export interface Viewer {
  readonly projectId: string;
  readonly viewer: string;
}
