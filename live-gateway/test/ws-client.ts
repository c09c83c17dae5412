import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { ControlMessage, PositionedFrame } from '@playhead/schemas';
import { decodeFramesMessage, formatPosition } from '@playhead/schemas';

/** What a client was sent, in order. */
export type Heard = { readonly control: ControlMessage } | { readonly frames: readonly PositionedFrame[] };

/**
 * A WebSocket client on a bare socket (RFC 6455): unlike a browser's it can send any header and can stop reading, which is
 * what a slow viewer does.
 */
export class WsClient {
  readonly heard: Heard[] = [];
  /** Close code and reason, once the server has closed. */
  closed: { readonly code: number; readonly reason: string } | null = null;
  /** Status of the answer to the upgrade; 0 before it. */
  status = 0;
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #waiters: (() => void)[] = [];

  constructor(port: number, path: string, headers: Readonly<Record<string, string>> = {}) {
    this.#socket = connect(port, '127.0.0.1');
    const lines = Object.entries({
      host: `127.0.0.1:${port}`,
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}`);
    this.#socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    this.#socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#parse();
      this.#wake();
    });
    this.#socket.on('close', () => {
      this.closed ??= { code: 1006, reason: '' };
      this.#wake();
    });
    this.#socket.on('error', () => {});
  }

  get controls(): ControlMessage[] {
    return this.heard.flatMap((one) => ('control' in one ? [one.control] : []));
  }

  get frames(): PositionedFrame[] {
    return this.heard.flatMap((one) => ('frames' in one ? [...one.frames] : []));
  }

  get positions(): string[] {
    return this.frames.map((frame) => formatPosition(frame.position));
  }

  /** Everything that is not a frame, in short: states by name, other messages by type; heartbeats left out. */
  get story(): string[] {
    return this.controls.flatMap((one) => (one.type === 'heartbeat' ? [] : [one.type === 'state' ? one.state : one.type]));
  }

  /** Waits until `holds`; fails after 10 s. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`waited in vain; heard ${this.story.join(', ')}, ${this.positions.length} frames`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection without a close frame, as a lost network does. */
  drop(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #parse(): void {
    if (this.status === 0) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.status = Number(this.#bytes.subarray(9, 12).toString());
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    if (this.status !== 101) return;
    for (;;) {
      if (this.#bytes.length < 2) return;
      const opcode = this.#bytes.readUInt8(0) & 15;
      let length = this.#bytes.readUInt8(1) & 127;
      let head = 2;
      if (length === 126) {
        if (this.#bytes.length < 4) return;
        length = this.#bytes.readUInt16BE(2);
        head = 4;
      } else if (length === 127) {
        if (this.#bytes.length < 10) return;
        length = Number(this.#bytes.readBigUInt64BE(2));
        head = 10;
      }
      if (this.#bytes.length < head + length) return;
      const payload = this.#bytes.subarray(head, head + length);
      this.#bytes = this.#bytes.subarray(head + length);
      if (opcode === 1) this.heard.push({ control: JSON.parse(payload.toString()) as ControlMessage });
      else if (opcode === 2) this.heard.push({ frames: decodeFramesMessage(payload).frames });
      else if (opcode === 8) {
        this.closed = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
        this.#socket.end(Uint8Array.of(0x88, 0x80, 0, 0, 0, 0));
      }
    }
  }
}
