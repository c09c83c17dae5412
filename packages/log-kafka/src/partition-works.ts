import type { Clock, PartitionWork } from '@playhead/ports';
import { pause } from '@playhead/ports';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** The work of one member on the partitions that it has. */
export class PartitionWorks {
  readonly #work: PartitionWork;
  readonly #clock: Clock;
  readonly #running = new Map<number, Running>();
  /** Taken away, and not ended yet. */
  readonly #ending = new Map<number, Promise<void>>();

  constructor(work: PartitionWork, clock: Clock) {
    this.#work = work;
    this.#clock = clock;
  }

  /** Partitions that are worked on and were not taken away. */
  get partitions(): readonly number[] {
    return [...this.#running.keys()];
  }

  /** Begins to work, after what is left of earlier work on this partition has ended. */
  start(partition: number): void {
    if (this.#running.has(partition)) return;
    const abort = new AbortController();
    const before = this.#ending.get(partition);
    const ended = before ? before.then(() => this.#run(partition, abort.signal)) : this.#run(partition, abort.signal);
    this.#running.set(partition, { abort, ended });
  }

  /**
   * Aborts the work on these partitions and waits until it has ended, or for `limitMs`.
   *
   * @returns the partitions whose work goes on nevertheless
   */
  async stop(partitions: readonly number[], limitMs: number): Promise<readonly number[]> {
    for (const partition of partitions) {
      const running = this.#running.get(partition);
      if (!running) continue;
      this.#running.delete(partition);
      const ended = running.ended.then(() => {
        if (this.#ending.get(partition) === ended) this.#ending.delete(partition);
      });
      this.#ending.set(partition, ended);
      running.abort.abort();
    }
    const all = Promise.all(partitions.map(async (partition) => this.#ending.get(partition)));
    let cancel = (): void => {};
    const limit = new Promise<void>((resolve) => {
      cancel = this.#clock.setTimer(limitMs, resolve);
    });
    await Promise.race([all, limit]);
    cancel();
    return partitions.filter((partition) => this.#ending.has(partition));
  }

  /** Settles when the signal has aborted and the work has ended. Never rejects. */
  async #run(partition: number, signal: AbortSignal): Promise<void> {
    for (let pauseMs = RETRY_MIN_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS)) {
      try {
        await this.#work(partition, signal);
        await aborted(signal);
      } catch {
        await pause(this.#clock, pauseMs, signal);
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
