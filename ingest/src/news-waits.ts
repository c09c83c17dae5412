import type { Clock } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { WaitingRoom } from './core/waiting-room.ts';

/** Requests that are held until their session has news. Who waits is known to {@link WaitingRoom}; this holds timers and promises. */
export class NewsWaits {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #room: WaitingRoom<() => void>;
  #closed = false;

  /**
   * @param waitMs nobody waits longer
   * @param waitsMax that wait at a time
   */
  constructor(clock: Clock, waitMs: number, waitsMax: number) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#room = new WaitingRoom(waitsMax);
  }

  /**
   * Resolves at {@link tell} of the key, after `waitMs`, when the client leaves, or at {@link close}; its place is free by then.
   *
   * @param gone resolves when the client has left
   * @throws {PlayheadError} `overloaded` when too many wait
   */
  async wait(key: string, gone: Promise<void>): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!this.#room.enter(key, resolve)) throw new PlayheadError('overloaded', 'Too many requests wait for word of a watch.');
    void gone.then(resolve);
    const cancel = this.#clock.setTimer(this.#waitMs, resolve);
    await promise;
    cancel();
    this.#room.leave(key, resolve);
  }

  /** There is news of a session. */
  tell(key: string): void {
    for (const resolve of this.#room.call(key)) resolve();
  }

  /** Answers all who wait, and whoever comes later at once. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#room.callAll()) resolve();
  }
}
