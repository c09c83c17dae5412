import type { ControlMessage, FramesMessage, Position, PositionedFrame } from '@playhead/schemas';
import { CLOSE_CODES, comparePositions, decodeFramesMessage, formatPosition, LIMITS } from '@playhead/schemas';
import { reconnectDelayMs } from '../core/backoff.ts';
import type { JoinMode } from '../core/join.ts';
import type { Refusal } from '../core/words.ts';

/** What a socket has to offer; a browser's WebSocket does. */
export interface Socket {
  binaryType: 'arraybuffer' | 'blob';
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number }) => void): void;
  close(): void;
}

/** What the stream needs of its surroundings. */
export interface StreamSurroundings {
  /** Opens the stream at `start`, `keyframe` or the position after which it continues. */
  readonly open: (from: string) => Socket;
  /** Why no connection can be had; null when it is worth another try. Asked when a connection failed before it stood. */
  readonly probe: () => Promise<Refusal | null>;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** 0 .. 1. */
  readonly random: () => number;
}

export interface StreamListener {
  control(message: ControlMessage): void;
  /** Frames that were not given before, in order of position. */
  frames(message: FramesMessage): void;
  dropped(): void;
  refused(why: Refusal): void;
  /** Bytes that are no message of the protocol. */
  fault(cause: unknown): void;
}

/** A connection that says nothing for this long is dead: the gateway speaks every LIMITS.viewerHeartbeatMs. */
const SILENCE_MAX_MS = LIMITS.viewerHeartbeatMs * 6;

/**
 * ... or it is so slow that one message takes longer. A browser tells nothing of a message before it is whole, so after each connection
 * that was given up for its silence the next one is given twice the time, at most 32 times, until frames come.
 */
const SILENCE_DOUBLINGS_MAX = 5;

const REFUSALS = new Map<number, Refusal>([
  [CLOSE_CODES.unauthorized, 'unauthorized'],
  [CLOSE_CODES.forbidden, 'forbidden'],
  [CLOSE_CODES.session_not_found, 'not-found'],
  [CLOSE_CODES.invalid_request, 'invalid'],
  // The log never gave that position out: what was shown comes from another log.
  [CLOSE_CODES.position_gone, 'changed'],
]);

/**
 * The stream of one session: connects, reconnects behind the last position it got, and gives every frame once.
 *
 * Starts at once; `close` ends it for good.
 */
export class LiveStream {
  readonly #around: StreamSurroundings;
  readonly #listener: StreamListener;
  readonly #join: JoinMode;
  #socket: Socket | null = null;
  #last: Position | null = null;
  #attempt = 0;
  /** Connections given up for their silence since frames came last. */
  #silences = 0;
  #welcomed = false;
  #closed = false;
  #cancelTimer: () => void = () => undefined;

  constructor(join: JoinMode, around: StreamSurroundings, listener: StreamListener) {
    this.#join = join;
    this.#around = around;
    this.#listener = listener;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#forget();
  }

  #forget(): void {
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect(): void {
    this.#welcomed = false;
    const from = this.#last === null ? this.#join : formatPosition(this.#last);
    const socket = this.#around.open(from);
    socket.binaryType = 'arraybuffer';
    // A socket that was given up may still speak: it is not listened to.
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket === socket) this.#take(data);
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket === socket) this.#lost(code);
    });
    this.#socket = socket;
    this.#watchSilence();
  }

  #watchSilence(): void {
    this.#cancelTimer();
    const patienceMs = SILENCE_MAX_MS * 2 ** Math.min(this.#silences, SILENCE_DOUBLINGS_MAX);
    this.#cancelTimer = this.#around.setTimer(patienceMs, () => {
      this.#silences++;
      this.#forget();
      this.#lost(0);
    });
  }

  #take(data: unknown): void {
    this.#watchSilence();
    try {
      if (typeof data === 'string') this.#control(JSON.parse(data) as ControlMessage);
      else if (data instanceof ArrayBuffer) this.#frames(decodeFramesMessage(new Uint8Array(data)));
    } catch (cause) {
      this.#listener.fault(cause);
    }
  }

  #control(message: ControlMessage): void {
    if (message.type === 'welcome') {
      this.#welcomed = true;
      this.#attempt = 0;
    }
    this.#listener.control(message);
  }

  #frames(message: FramesMessage): void {
    const last = this.#last;
    const fresh: PositionedFrame[] = [];
    for (const frame of message.frames) {
      if (last === null || comparePositions(frame.position, last) > 0) fresh.push(frame);
    }
    const newest = fresh.at(-1);
    if (!newest) return;
    this.#silences = 0;
    this.#last = newest.position;
    this.#listener.frames({ ...message, frames: fresh });
  }

  #lost(code: number): void {
    this.#cancelTimer();
    this.#socket = null;
    if (this.#closed) return;
    const refusal = REFUSALS.get(code);
    if (refusal) {
      this.#closed = true;
      this.#listener.refused(refusal);
      return;
    }
    this.#listener.dropped();
    const again = (): void => {
      if (this.#closed) return;
      this.#cancelTimer = this.#around.setTimer(reconnectDelayMs(this.#attempt++, this.#around.random()), () => this.#connect());
    };
    if (this.#welcomed) {
      again();
      return;
    }
    // A browser does not tell why an upgrade failed; the session's own address does.
    void this.#around.probe().then((why) => {
      if (this.#closed) return;
      if (why === null) again();
      else {
        this.#closed = true;
        this.#listener.refused(why);
      }
    });
  }
}
