import type { Socket } from '@playhead/player/live-stream';
import { LiveStream } from '@playhead/player/live-stream';
import type { ControlMessage, FramesMessage, Position } from '@playhead/schemas';
import { comparePositions, crc32, decodeFramesMessage, formatPosition, parsePosition } from '@playhead/schemas';
import type { PlannedViewer } from '../plan.ts';
import { Connection } from '../world/connection.ts';
import type { World } from '../world/world.ts';
import type { Gateway } from './gateway.ts';

/** A frame as the oracle compares it. */
export interface SeenFrame {
  readonly position: Position;
  readonly windowId: string;
  readonly track: string;
  /** A window can be drawn from here. */
  readonly isBeginning: boolean;
  /** Position, window, track, flag, time and checksum of the payload. */
  readonly print: string;
}

/** What viewers do that no viewer may see. */
export type Complain = (problem: string) => void;

/** How viewers reach gateways; undefined when none is up. */
export type AnyGateway = () => Gateway | undefined;

export function printOf(frame: FramesMessage['frames'][number]): SeenFrame {
  const { position, windowId, track, keyframe, part, timestampMs, payload } = frame;
  const flags = `${keyframe ? ' key' : ''}${part === undefined ? '' : ` part ${part.number}${part.continues ? '+' : ''}`}`;
  const print = `${formatPosition(position)} ${windowId} ${track}${flags} ${timestampMs} ${payload.length}:${crc32(payload)}`;
  return { position, windowId, track, isBeginning: keyframe, print };
}

/** A connection whose raw messages are looked at before anybody can hide a fault in them. */
function connect(
  world: World,
  anyGateway: AnyGateway,
  { sessionId, from, bytesPerMs, name }: { sessionId: string; from: string; bytesPerMs: number; name: string },
  complain: Complain,
  onBuffered: (bytes: number) => void,
): Connection | null {
  const gateway = anyGateway();
  if (gateway === undefined) return null;
  const connection = new Connection(world, gateway.process, bytesPerMs);
  let last = parsePosition(from);
  connection.addEventListener('message', ({ data }) => {
    onBuffered(connection.bufferedMost);
    if (!(data instanceof ArrayBuffer)) return;
    for (const { position } of decodeFramesMessage(new Uint8Array(data)).frames) {
      if (last !== undefined && comparePositions(position, last) <= 0) {
        complain(`${name}: ${formatPosition(position)} came behind ${formatPosition(last)} in one connection (from=${from})`);
      }
      last = position;
    }
  });
  world.time.after(world.random.int(1, 40), () => {
    world.trace(() => `${name} connects to ${gateway.process.name} from ${from}`);
    gateway.process.post(() => gateway.accept(connection, sessionId, from));
  });
  return connection;
}

/** A viewer with the player's own stream: reconnects, resumes, gives every frame once. */
export class Viewer {
  readonly planned: PlannedViewer;
  readonly name: string;
  readonly frames: SeenFrame[] = [];
  readonly gaps: Extract<ControlMessage, { type: 'gap' }>[] = [];
  endsHeard = 0;
  bufferedMost = 0;
  connections = 0;
  #connection: Connection | null = null;
  readonly #stream: LiveStream;

  constructor(world: World, name: string, planned: PlannedViewer, anyGateway: AnyGateway, complain: Complain) {
    this.name = name;
    this.planned = planned;
    const { sessionId, bytesPerMs } = planned;
    const random = world.random.fork();
    this.#stream = new LiveStream(
      planned.join,
      {
        open: (from): Socket => {
          this.connections++;
          const wanted = { sessionId, from, bytesPerMs, name };
          const onBuffered = (bytes: number): void => {
            this.bufferedMost = Math.max(this.bufferedMost, bytes);
          };
          this.#connection = connect(world, anyGateway, wanted, complain, onBuffered);
          return this.#connection ?? refusedSocket(world);
        },
        probe: async () => {
          await world.time.sleep(20);
          return null;
        },
        setTimer: (ms, run) => world.time.after(ms, run),
        random: () => random.unit(),
      },
      {
        control: (message) => {
          if (message.type === 'gap') this.gaps.push(message);
          if (message.type === 'ended') this.endsHeard++;
        },
        frames: (message) => {
          this.frames.push(...message.frames.map(printOf));
          world.trace(() => `${name} got ${message.frames.length} frames up to ${this.frames.at(-1)?.print}`);
        },
        dropped: () => world.trace(() => `${name} lost its connection`),
        refused: (why) => complain(`${name} was refused: ${why}`),
        fault: (cause) => complain(`${name} got what is no message: ${String(cause)}`),
      },
    );
    for (const atMs of planned.cutsAtMs) world.time.after(atMs - world.sinceStartMs(), () => this.#connection?.cut());
  }

  close(): void {
    this.#stream.close();
  }
}

/** Nobody listens. */
function refusedSocket(world: World): Socket {
  return {
    binaryType: 'arraybuffer',
    addEventListener: (type: string, listener: (event: never) => void) => {
      if (type === 'close') world.time.after(10, () => (listener as (event: { code: number }) => void)({ code: 1006 }));
    },
    close: () => undefined,
  };
}

/** Joins behind a position once, looks at the order of what comes, and leaves. */
export function probe(
  world: World,
  anyGateway: AnyGateway,
  wanted: { sessionId: string; from: string; name: string },
  forMs: number,
  complain: Complain,
): void {
  const connection = connect(world, anyGateway, { ...wanted, bytesPerMs: 1_000 }, complain, () => undefined);
  connection?.addEventListener('close', ({ code }) => {
    if (code >= 4400 && code !== 4503) complain(`${wanted.name} was refused with ${code}`);
  });
  world.time.after(forMs, () => connection?.close());
}
