import type { Clock } from '@playhead/ports';
import type { World } from './world.ts';

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/**
 * A simulated process: the code that was started with its clock and its ports. It may be frozen (nothing reaches it until
 * it thaws: a zombie in the making), its clock may jump, and it may be killed: then nothing that it waits for ever comes.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  readonly #life = new AbortController();
  #frozenUntilMs = 0;
  #clockOffsetMs = 0;
  #undelivered: (() => void)[] = [];
  /** Questions to ports that have no answer yet, and the most there ever were. */
  #asking = 0;
  askingMost = 0;

  constructor(world: World, name: string, clockOffsetMs = 0) {
    this.name = name;
    this.#world = world;
    this.#clockOffsetMs = clockOffsetMs;
    this.clock = {
      now: () => world.time.nowMs + this.#clockOffsetMs,
      setTimer: (ms, run) => {
        let isOff = false;
        const cancel = world.time.after(ms, () => this.post(() => isOff || run()));
        return () => {
          isOff = true;
          cancel();
        };
      },
    };
  }

  get isAlive(): boolean {
    return !this.#life.signal.aborted;
  }

  /** Aborts at the death of the process. For the world's own code: nobody in the process hears of it. */
  get death(): AbortSignal {
    return this.#life.signal;
  }

  get isFrozen(): boolean {
    return this.#frozenUntilMs > this.#world.time.nowMs;
  }

  kill(): void {
    if (!this.isAlive) return;
    this.#world.trace(() => `${this.name} dies`);
    this.#undelivered = [];
    this.#life.abort();
  }

  freeze(ms: number): void {
    const { time } = this.#world;
    this.#world.trace(() => `${this.name} freezes for ${ms} ms`);
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, time.nowMs + ms);
    time.after(this.#frozenUntilMs - time.nowMs, () => {
      if (this.isFrozen) return;
      const late = this.#undelivered;
      this.#undelivered = [];
      for (const run of late) if (this.isAlive) run();
    });
  }

  /** Somebody sets the clock of the machine. Timers count as before. */
  jump(ms: number): void {
    this.#world.trace(() => `the clock of ${this.name} jumps by ${ms} ms`);
    this.#clockOffsetMs += ms;
  }

  /** Something reaches the process: now, when it thaws, or never. */
  post(run: () => void): void {
    if (!this.isAlive) return;
    if (this.isFrozen || this.#undelivered.length > 0) this.#undelivered.push(run);
    else run();
  }

  /** The process gets on after `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.time.after(ms, () => this.post(resolve)));
  }

  /** An answer of the world as the process gets it: not at all when it is dead by then. */
  async ask<T>(answer: () => Promise<T>): Promise<T> {
    if (!this.isAlive) return never();
    this.askingMost = Math.max(this.askingMost, ++this.#asking);
    try {
      const outcome = await answer();
      return this.isAlive ? outcome : never();
    } catch (error) {
      if (!this.isAlive) return never();
      throw error;
    } finally {
      this.#asking--;
    }
  }
}
