import { describe, expect, test } from 'vitest';
import type { ViewerSocket } from '../src/handover/viewer-socket.ts';
import { PacedSocket } from '../src/handover/viewer-socket.ts';

/** A network that takes everything at once, unless it is corked. */
function aSocket() {
  const writes: number[] = [];
  let corks = 0;
  let held: { readonly bytes: number; readonly done: () => void }[] = [];
  const flush = (): void => {
    if (corks > 0 || held.length === 0) return;
    writes.push(held.reduce((sum, { bytes }) => sum + bytes, 0));
    const taken = held;
    held = [];
    for (const { done } of taken) done();
  };
  const socket: ViewerSocket = {
    get bufferedAmount() {
      return held.reduce((sum, { bytes }) => sum + bytes, 0);
    },
    send: (data, done) => {
      held.push({ bytes: data.length, done });
      flush();
    },
    close: () => {},
    terminate: () => {},
    cork: () => void corks++,
    uncork: () => {
      corks--;
      flush();
    },
  };
  return { socket, writes };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a socket of a viewer', () => {
  test('writes small messages of one turn together, also those that are sent when promises settle', async () => {
    const { socket, writes } = aSocket();
    const paced = new PacedSocket(socket);
    paced.send(new Uint8Array(100));
    await Promise.resolve();
    paced.send('a'.repeat(50));
    expect([writes, paced.taken]).toEqual([[], 0]);
    await nextTurn();
    expect([writes, paced.taken, paced.buffered]).toEqual([[150], 2, 0]);
    paced.send(new Uint8Array(7));
    await nextTurn();
    expect(writes).toEqual([150, 7]);
  });

  test('holds nothing large back: what waits is what the network does not take', () => {
    const { socket, writes } = aSocket();
    const paced = new PacedSocket(socket);
    paced.send(new Uint8Array(100));
    paced.send(new Uint8Array(700_000));
    expect([writes, paced.buffered]).toEqual([[700_100], 0]);
  });
});
