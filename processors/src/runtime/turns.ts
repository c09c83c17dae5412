import { orGivenUp } from './retry.ts';

/** Work of which only one is under way in a process at a time; the others wait, in the order in which they came. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** @throws {GivenUp} when the signal aborts before its turn has come; what `work` throws */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#last;
    const done = Promise.withResolvers<void>();
    this.#last = done.promise;
    try {
      await orGivenUp(before, signal);
    } catch (error) {
      // Whoever stands behind waits for those before, not for who has left.
      void before.then(() => done.resolve());
      throw error;
    }
    try {
      return await work();
    } finally {
      done.resolve();
    }
  }
}
