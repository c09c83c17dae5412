import type { Clock } from '@playhead/ports';
import type { ErrorCode } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';

/** Whether an engine is there: a test takes it away and brings it back. */
export class Presence {
  readonly #clock: Clock;
  readonly #code: ErrorCode;
  #hangMs: number | null = null;
  #leaving = Promise.withResolvers<void>();

  /** @param code of the errors while it is away: `log_unavailable` or `unavailable` */
  constructor(clock: Clock, code: ErrorCode) {
    this.#clock = clock;
    this.#code = code;
  }

  /** From now on nothing answers: calls fail after `hangMs`, as with a time limit; readers that wait fail likewise. */
  leave(hangMs = 0): void {
    this.#hangMs = hangMs;
    this.#leaving.resolve();
  }

  comeBack(): void {
    this.#hangMs = null;
    this.#leaving = Promise.withResolvers();
  }

  /** The same engine, as long as it is there. Joining a group and closing are left alone. */
  of<T extends object>(engine: T): T {
    return new Proxy(engine, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        const call = (...given: unknown[]): unknown => Reflect.apply(member, target, given);
        if (key === 'join' || key === 'close') return call;
        if (key === 'read' || key === 'list') return (...given: unknown[]) => this.#items(() => call(...given) as AsyncIterable<unknown>);
        return async (...given: unknown[]) => {
          await this.#isHere();
          return call(...given);
        };
      },
    });
  }

  async #isHere(): Promise<void> {
    const hangMs = this.#hangMs;
    if (hangMs === null) return;
    if (hangMs > 0) await new Promise<void>((resolve) => this.#clock.setTimer(hangMs, resolve));
    throw this.#absence();
  }

  #absence(): PlayheadError {
    return new PlayheadError(this.#code, 'taken away by the test');
  }

  async *#items(begin: () => AsyncIterable<unknown>): AsyncGenerator {
    await this.#isHere();
    const items = begin()[Symbol.asyncIterator]();
    for (;;) {
      const left = this.#leaving.promise.then(async () => {
        await this.#isHere();
        throw this.#absence();
      });
      left.catch(() => undefined);
      const result = await Promise.race([items.next(), left]);
      if (result.done === true) return;
      yield result.value;
    }
  }
}
