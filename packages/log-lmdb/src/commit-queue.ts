import { PlayheadError } from '@playhead/schemas';
import { messageOf } from './lmdb-store.ts';

export interface PendingPut {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface Entry {
  readonly put: PendingPut;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One transaction takes at most this; LMDB keeps its pages in memory until it commits. */
const COMMIT_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Group commit: while one transaction is synced, what comes gathers for the next one. Transactions follow each other, so
 * puts become durable in the order in which they were added.
 */
export class CommitQueue {
  readonly #commit: (puts: readonly PendingPut[]) => Promise<void>;
  readonly #timeoutMs: number;
  #waiting: Entry[] = [];
  #working: Promise<void> | undefined;
  #broken: unknown;

  /**
   * @param timeoutMs a transaction that is not answered in this time is taken for lost, and the queue for broken: LMDB
   *   can neither tell its outcome nor go on
   */
  constructor(commit: (puts: readonly PendingPut[]) => Promise<void>, timeoutMs: number) {
    this.#commit = commit;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves when the put is durable.
   *
   * @throws {PlayheadError} `log_unavailable`
   */
  add(put: PendingPut): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(unavailable(this.#broken));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ put, resolve, reject });
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined;
      });
    });
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    // What else is appended in this turn shares the first transaction.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const entries = this.#take();
      try {
        await this.#inTime(this.#commit(entries.map((entry) => entry.put)));
        for (const entry of entries) entry.resolve();
      } catch (error) {
        for (const entry of entries) entry.reject(unavailable(error));
      }
      if (this.#broken !== undefined) {
        for (const entry of this.#waiting.splice(0)) entry.reject(unavailable(this.#broken));
      }
    }
  }

  #take(): Entry[] {
    let bytes = 0;
    let count = 0;
    for (const { put } of this.#waiting) {
      bytes += put.value.length;
      if (count > 0 && bytes > COMMIT_BYTES_MAX) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #inTime(commit: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#broken = new Error(`a commit was not answered in ${this.#timeoutMs} ms`);
        reject(this.#broken);
      }, this.#timeoutMs);
    });
    try {
      await Promise.race([commit, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function unavailable(cause: unknown): PlayheadError {
  if (cause instanceof PlayheadError) return cause;
  return new PlayheadError('log_unavailable', `the log did not take the record: ${messageOf(cause)}`, { cause });
}
