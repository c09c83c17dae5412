import type { ViewerSocket } from '@playhead/live-gateway';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

/** Numbers of RFC 6455: the connection broke without a word. */
const BROKEN = 1006;

interface ClientListeners {
  readonly message: ((event: { readonly data: unknown }) => void)[];
  readonly close: ((event: { readonly code: number }) => void)[];
}

/**
 * A viewer's connection: the gateway's end is a {@link ViewerSocket}, the viewer's end is a browser's WebSocket as far as the
 * player uses it. Messages take time by their size; what was sent and not taken yet is what the gateway sees as buffered.
 */
export class Connection {
  readonly #world: World;
  readonly #gateway: SimProcess;
  readonly #bytesPerMs: number;
  readonly #listeners: ClientListeners = { message: [], close: [] };
  readonly #gone = new AbortController();
  readonly #queue: { readonly data: Uint8Array | string; readonly done: () => void }[] = [];
  #buffered = 0;
  #isPumping = false;
  #isOver = false;
  binaryType: 'arraybuffer' | 'blob' = 'arraybuffer';
  bufferedMost = 0;

  constructor(world: World, gateway: SimProcess, bytesPerMs: number) {
    this.#world = world;
    this.#gateway = gateway;
    this.#bytesPerMs = bytesPerMs;
    gateway.death.addEventListener('abort', () => this.cut());
  }

  /** Aborts, in the gateway, when the connection is over. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number }) => void): void;
  addEventListener(type: 'message' | 'close', listener: (event: never) => void): void {
    (this.#listeners[type] as ((event: never) => void)[]).push(listener);
  }

  /** The viewer leaves. */
  close(): void {
    this.#end(BROKEN, false);
  }

  /** The network breaks: both ends hear of it, each in its time; what was under way is lost. */
  cut(): void {
    this.#end(BROKEN, true);
  }

  /** The gateway's end. */
  readonly gatewayEnd: ViewerSocket = Object.defineProperty(
    {
      bufferedAmount: 0,
      send: (data: Uint8Array | string, done: (error?: Error | null) => void) => this.#send(data, done),
      close: (code: number) => this.#end(code, true),
      terminate: () => this.#end(BROKEN, true),
      cork: () => {},
      uncork: () => {},
    },
    'bufferedAmount',
    { get: () => this.#buffered },
  );

  #send(data: Uint8Array | string, done: (error?: Error | null) => void): void {
    if (this.#isOver) return done(new Error('the connection is over'));
    this.#buffered += data.length;
    this.bufferedMost = Math.max(this.bufferedMost, this.#buffered);
    // The bytes as they are now: whoever sent them may use the buffer again.
    this.#queue.push({ data: typeof data === 'string' ? data : data.slice(), done: () => done() });
    this.#pump();
  }

  #pump(): void {
    if (this.#isPumping) return;
    const head = this.#queue[0];
    if (head === undefined) return;
    this.#isPumping = true;
    this.#world.time.after(Math.ceil(head.data.length / this.#bytesPerMs), () => {
      this.#isPumping = false;
      if (this.#isOver) return;
      this.#queue.shift();
      this.#gateway.post(() => {
        this.#buffered -= head.data.length;
        head.done();
      });
      const data = typeof head.data === 'string' ? head.data : head.data.buffer;
      for (const listener of this.#listeners.message) listener({ data });
      this.#pump();
    });
  }

  #end(code: number, tellViewer: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { time, random } = this.#world;
    time.after(random.int(0, 50), () => this.#gateway.post(() => this.#gone.abort()));
    if (!tellViewer) return;
    time.after(random.int(0, 50), () => {
      for (const listener of this.#listeners.close) listener({ code });
    });
  }
}
