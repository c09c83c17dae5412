/** What a viewer's connection has to be: the part of `ws` that is used, so that other transports and tests can stand in. */
export interface ViewerSocket {
  /** Bytes handed over and not yet taken by the network. */
  readonly bufferedAmount: number;
  /** `done` is called when the message was taken by the network, or never will be. */
  send(data: Uint8Array | string, done: (error?: Error | null) => void): void;
  close(code: number, reason: string): void;
  /** Cuts the connection without a word. */
  terminate(): void;
}

/**
 * A socket that can be waited for. Nothing is kept here: messages are handed to the socket at once, and who sends looks
 * at `buffered` first.
 */
export class PacedSocket {
  readonly #socket: ViewerSocket;
  readonly #waiters = new Set<() => void>();
  #left = false;
  #taken = 0;

  constructor(socket: ViewerSocket) {
    this.#socket = socket;
  }

  get buffered(): number {
    return this.#left ? 0 : this.#socket.bufferedAmount;
  }

  /** How many messages the network has taken: stands still while the viewer reads nothing. */
  get taken(): number {
    return this.#taken;
  }

  send(data: Uint8Array | string): void {
    if (this.#left) return;
    this.#socket.send(data, () => {
      this.#taken++;
      this.#wake();
    });
  }

  /** Resolves when fewer than `bytes` wait, or the viewer has left. */
  async below(bytes: number): Promise<void> {
    while (this.buffered >= bytes && !this.#left) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  close(code: number, reason: string): void {
    if (this.#left) return;
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The connection is gone. */
  left(): void {
    this.#left = true;
    this.#wake();
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
