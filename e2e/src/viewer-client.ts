import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlMessage, Position, PositionedFrame } from '@playhead/schemas';
import { comparePositions, decodeFramesMessage, formatPosition } from '@playhead/schemas';

/** What a viewer of the wire protocol has got so far, over all of its connections. */
export interface ViewerClient {
  readonly frames: readonly PositionedFrame[];
  readonly control: readonly ControlMessage[];
  /** How often it tried to join again by itself. */
  readonly rejoins: number;
  /** Behind which it first came back: from there on it is sent everything. Undefined while it has not. */
  readonly resumedBehind: Position | undefined;
  /** Cuts the connection and joins again behind the last position, at the same server or another one. */
  reconnect(url?: string): Promise<void>;
  /** Cuts the connection as a lost network does: with `rejoins` it joins again by itself. */
  drop(): void;
  /** Resolves when `holds` is true, looked at after every message; rejects when the viewer was sent away for good, and after two minutes. */
  until(holds: (viewer: ViewerClient) => boolean): Promise<void>;
  close(): void;
}

export interface ViewerOptions {
  /** Joins again behind the last position, at the same address, when a connection ends that nobody closed for good. */
  readonly rejoins?: boolean;
}

/** An application's close code, from here on: sent away for good. */
const CLOSED_FOR_GOOD = 4000;
const REJOIN_PAUSE_MS = 100;
const WAIT_MS_MAX = 120_000;

/** Joins a session as the player does. @param url origin of the server */
export async function joinSession(
  url: string,
  token: string,
  sessionId: string,
  from: string,
  options: ViewerOptions = {},
): Promise<ViewerClient> {
  const frames: PositionedFrame[] = [];
  const control: ControlMessage[] = [];
  const waiting = new Set<() => void>();
  let socket: WebSocket;
  let refusal = '';
  let rejoins = 0;
  let resumedBehind: Position | undefined;
  const leaving = new AbortController();

  const lookAgain = (): void => {
    for (const look of waiting) look();
  };
  const open = async (start: string, server = url): Promise<void> => {
    const address = new URL(`/v1/sessions/${sessionId}/live?from=${start}&token=${token}`, server);
    address.protocol = 'ws:';
    const opened = new WebSocket(address);
    socket = opened;
    opened.binaryType = 'arraybuffer';
    opened.addEventListener('message', (event) => {
      if (socket !== opened) return;
      const message = event.data as string | ArrayBuffer;
      if (typeof message === 'string') control.push(JSON.parse(message) as ControlMessage);
      else frames.push(...decodeFramesMessage(new Uint8Array(message)).frames);
      lookAgain();
    });
    let isIn = false;
    opened.addEventListener('close', ({ code, reason }) => {
      if (socket !== opened || !isIn) return;
      if (code >= CLOSED_FOR_GOOD) refusal = `${code} ${reason}`;
      else if (options.rejoins) void rejoin();
      lookAgain();
    });
    await new Promise<void>((resolve, reject) => {
      opened.addEventListener('open', () => {
        isIn = true;
        resolve();
      });
      opened.addEventListener('error', () => reject(new Error(`cannot join ${sessionId}`)));
    });
  };
  const openBehindLast = (server?: string): Promise<void> => {
    const last = frames.at(-1);
    resumedBehind ??= last?.position;
    return open(last ? formatPosition(last.position) : from, server);
  };
  async function rejoin(): Promise<void> {
    while (!leaving.signal.aborted) {
      rejoins++;
      try {
        await openBehindLast();
        if (leaving.signal.aborted) socket.close();
        return;
      } catch {
        await sleep(REJOIN_PAUSE_MS);
      }
    }
  }

  await open(from);
  const viewer: ViewerClient = {
    frames,
    control,
    get rejoins() {
      return rejoins;
    },
    get resumedBehind() {
      return resumedBehind;
    },
    async reconnect(other) {
      const cut = socket;
      await openBehindLast(other);
      cut.close();
    },
    drop() {
      socket.close();
    },
    async until(holds) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (refusal !== '') reject(new Error(`${sessionId} was refused: ${refusal}`));
        else if (holds(viewer)) resolve();
      };
      const state = (): string => `${frames.length} frames, ${rejoins} times joined again, then ${JSON.stringify(control.slice(-5))}`;
      const late = setTimeout(() => reject(new Error(`${sessionId} has waited ${WAIT_MS_MAX} ms: ${state()}`)), WAIT_MS_MAX);
      waiting.add(look);
      look();
      await promise.finally(() => {
        waiting.delete(look);
        clearTimeout(late);
      });
    },
    close() {
      leaving.abort();
      socket.close();
    },
  };
  return viewer;
}

/** Hash of a frame's payload, to compare what was sent with what arrived. */
export function payloadHash(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 16);
}

/** True when every position is behind the one before it: in order, and nothing twice. */
export function growing(positions: readonly Position[]): boolean {
  return positions.every((position, index) => {
    const before = positions[index - 1];
    return before === undefined || comparePositions(before, position) < 0;
  });
}
