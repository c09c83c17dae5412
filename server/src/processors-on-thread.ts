import process from 'node:process';
import type { MessagePort } from 'node:worker_threads';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Logger, Waiting } from '@playhead/ports';
import { ThreadCalls } from '@playhead/ports';
import type { RunningProcessors } from './run-processors.ts';
import type { Settings } from './settings.ts';
import type { SharedEngines } from './shared-engines.ts';

/** What the thread is started with. */
export interface ThreadStart {
  readonly settings: Settings;
  /** Whether stderr is a terminal. */
  readonly terminal: boolean;
  readonly port: MessagePort;
}

export type ThreadQuestion =
  | { readonly kind: 'start'; readonly engines: SharedEngines }
  /** Answered with {@link Waiting}. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'stop' };

/**
 * A thread of their own for the processors of one process, so that their flushes, merges and garbage hold up neither uploads nor
 * viewers. It loads its program while the engines are opened.
 *
 * The process does not outlive the thread: when that breaks, this ends the process, with what it said.
 */
export class ProcessorsThread {
  readonly #worker: Worker;
  readonly #calls: ThreadCalls<ThreadQuestion>;
  #ending = false;

  constructor(settings: Settings, logger: Logger) {
    const { port1, port2 } = new MessageChannel();
    const workerData: ThreadStart = { settings, terminal: process.stderr.isTTY, port: port2 };
    this.#worker = new Worker(new URL('./processors-thread.ts', import.meta.url), { workerData, transferList: [port2] });
    this.#calls = new ThreadCalls(port1, 'unavailable');
    const die = (error: unknown): void => {
      if (this.#ending) return;
      logger.error({ err: error }, 'the processors broke: the process ends; what was acknowledged is in the log');
      process.exit(1);
    };
    this.#worker.on('error', die);
    this.#worker.on('exit', (code) => die(new Error(`the thread of the processors ended with ${code}`)));
  }

  /** @throws {PlayheadError} */
  async start(engines: SharedEngines): Promise<RunningProcessors> {
    await this.#calls.ask({ kind: 'start', engines }, [engines.logPort, engines.catalogPort]);
    return {
      waiting: async () => (await this.#calls.ask({ kind: 'waiting' })) as readonly Waiting[],
      stop: async () => {
        await this.#calls.ask({ kind: 'stop' });
        this.#ending = true;
        await this.#worker.terminate();
      },
    };
  }
}
