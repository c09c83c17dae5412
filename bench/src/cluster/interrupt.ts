import process from 'node:process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a shell says of a process that was ended. */
const ENDED = 130;

/** Something that is being opened, and is closed once: by its user, or when this process is told to end. */
export interface Closing<T> {
  readonly opened: Promise<T>;
  close(): Promise<void>;
}

/** Closes what was opened, or is just being opened, before this process ends by Ctrl-C or a signal. */
export function closeAtInterrupt<T extends { close(): Promise<void> }>(opened: Promise<T>): Closing<T> {
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    // What could not be opened has closed what it had.
    const thing = await opened.catch(() => undefined);
    await thing?.close();
  };
  const close = (): Promise<void> => (closing ??= end());
  const onSignal = (): void => {
    process.stderr.write('ending what was started ...\n');
    void close().finally(() => process.exit(ENDED));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    opened,
    close: () =>
      close().finally(() => {
        for (const signal of SIGNALS) process.off(signal, onSignal);
      }),
  };
}
