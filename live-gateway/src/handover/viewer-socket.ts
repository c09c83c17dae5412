import process from 'node:process';

/** What a viewer's connection has to be: the part of `ws` that is used, so that other transports and tests can stand in. */
export interface ViewerSocket {
  /** Bytes handed over and not yet taken by the network. */
  readonly bufferedAmount: number;
  /** `done` is called when the message was taken by the network, or never will be. */
  send(data: Uint8Array | string, done: (error?: Error | null) => void): void;
  close(code: number, reason: string): void;
  /** Cuts the connection without a word. */
  terminate(): void;
  /** What is sent from here on goes out together when it is uncorked. */
  cork(): void;
  uncork(): void;
}

/** Messages that go out together, bytes: more are not held back, so that what waits in the socket is what the network does not take. */
const GATHERED_BYTES_MAX = 16 * 1024;

/**
 * A socket that can be waited for. Nothing is kept here: messages are handed to the socket at once, and who sends looks
 * at `buffered` first. Small ones of one turn of the event loop go out as one write, which costs several times what they do.
 */
export class PacedSocket {
  readonly #socket: ViewerSocket;
  readonly #waiters = new Set<() => void>();
  #left = false;
  #taken = 0;
  #isCorked = false;

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
    this.#cork();
    this.#socket.send(data, () => {
      this.#taken++;
      this.#wake();
    });
    if (this.#socket.bufferedAmount >= GATHERED_BYTES_MAX) this.#uncork();
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

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    // Behind all that is settled already: whoever has more to send has sent it by then.
    process.nextTick(() => this.#uncork());
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
