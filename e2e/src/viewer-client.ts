import { createHash } from 'node:crypto';
import type { ControlMessage, Position, PositionedFrame } from '@playhead/schemas';
import { comparePositions, decodeFramesMessage, formatPosition } from '@playhead/schemas';

/** What a viewer of the wire protocol has got so far, over all of its connections. */
export interface ViewerClient {
  readonly frames: readonly PositionedFrame[];
  readonly control: readonly ControlMessage[];
  /** Cuts the connection and joins again behind the last position, at the same server or another one. */
  reconnect(url?: string): Promise<void>;
  /** Resolves when `holds` is true, looked at after every message; rejects when the viewer was sent away for good. */
  until(holds: (viewer: ViewerClient) => boolean): Promise<void>;
  close(): void;
}

/** Joins a session as the player does. @param url origin of the server */
export async function joinSession(url: string, token: string, sessionId: string, from: string): Promise<ViewerClient> {
  const frames: PositionedFrame[] = [];
  const control: ControlMessage[] = [];
  const waiting = new Set<() => void>();
  let socket: WebSocket;
  let refusal = '';

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
      for (const look of waiting) look();
    });
    // A viewer that is sent away for good (an application's close code) will get nothing more.
    opened.addEventListener('close', ({ code, reason }) => {
      if (socket !== opened || code < 4000) return;
      refusal = `${code} ${reason}`;
      for (const look of waiting) look();
    });
    await new Promise<void>((resolve, reject) => {
      opened.addEventListener('open', () => resolve());
      opened.addEventListener('error', () => reject(new Error(`cannot join ${sessionId}`)));
    });
  };

  await open(from);
  const viewer: ViewerClient = {
    frames,
    control,
    async reconnect(other) {
      const last = frames.at(-1);
      const cut = socket;
      await open(last ? formatPosition(last.position) : from, other);
      cut.close();
    },
    async until(holds) {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (refusal === '' && !holds(viewer)) return;
          waiting.delete(look);
          if (refusal === '') resolve();
          else reject(new Error(`${sessionId} was refused: ${refusal}`));
        };
        waiting.add(look);
        look();
      });
    },
    close: () => socket.close(),
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
