import { setTimeout as sleep } from 'node:timers/promises';
import { payloadHash } from '@playhead/e2e/viewer-client';
import type { ControlMessage } from '@playhead/schemas';
import { decodeFramesMessage } from '@playhead/schemas';

const JOIN_MS_MAX = 30_000;
const LAST_MS_MAX = 15_000;
const LOOK_MS = 20;

/**
 * How long pictures take from the beginning of their upload's request to the hands of a viewer, by one clock: that of this process,
 * which is recorder and viewer.
 */
export class Freshness {
  readonly #sockets: WebSocket[] = [];
  /** When the request began, ms, by session and picture. */
  readonly #under = new Map<string, number>();
  #ms: number[] = [];

  /** Joins a session; resolves when the stream is live. */
  async watch(gateway: string, token: string, sessionId: string): Promise<void> {
    const address = new URL(`/v1/sessions/${sessionId}/live?from=start&token=${token}`, gateway);
    address.protocol = 'ws:';
    const socket = new WebSocket(address);
    this.#sockets.push(socket);
    socket.binaryType = 'arraybuffer';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`${sessionId} is not live after ${JOIN_MS_MAX} ms`)), JOIN_MS_MAX);
    socket.addEventListener('message', ({ data }) => {
      const message = data as string | ArrayBuffer;
      if (typeof message !== 'string') return this.#arrived(sessionId, new Uint8Array(message));
      const control = JSON.parse(message) as ControlMessage;
      if (control.type === 'state' && control.state === 'live') resolve();
    });
    socket.addEventListener('close', ({ code, reason }) => reject(new Error(`${sessionId} was refused: ${code} ${reason}`)));
    socket.addEventListener('error', () => reject(new Error(`cannot join ${sessionId}`)));
    await promise.finally(() => clearTimeout(timer));
  }

  /** The request of an upload with this picture begins now. */
  sent(sessionId: string, picture: string): void {
    this.#under.set(`${sessionId} ${picture}`, performance.now());
  }

  /** An upload that was refused is not waited for. */
  refused(sessionId: string, picture: string): void {
    this.#under.delete(`${sessionId} ${picture}`);
  }

  /** What was measured since the last call, ms, ascending; waits for what is under way, and tells how many never came. */
  async taken(): Promise<{ readonly ms: readonly number[]; readonly missing: number }> {
    const deadline = performance.now() + LAST_MS_MAX;
    while (this.#under.size > 0 && performance.now() < deadline) await sleep(LOOK_MS);
    const result = { ms: this.#ms.toSorted((a, b) => a - b), missing: this.#under.size };
    this.#ms = [];
    this.#under.clear();
    return result;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #arrived(sessionId: string, bytes: Uint8Array): void {
    const now = performance.now();
    for (const { payload } of decodeFramesMessage(bytes).frames) {
      const key = `${sessionId} ${payloadHash(payload)}`;
      const began = this.#under.get(key);
      if (began === undefined) continue;
      this.#under.delete(key);
      this.#ms.push(now - began);
    }
  }
}
