/** A flag that a loop sleeps on. Timers, readers and callers set it; only the loop acts. */
export class Wake {
  #set = false;
  #waiter: (() => void) | null = null;

  set(): void {
    this.#set = true;
    this.#waiter?.();
    this.#waiter = null;
  }

  /** Resolves when the flag is set, at once when it is already, and takes it down. One loop waits at a time. */
  async wait(): Promise<void> {
    if (!this.#set) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
    this.#set = false;
  }
}
