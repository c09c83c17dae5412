import type { PositionedFrame, SessionInfo } from '@playhead/schemas';
import { CLOSE_CODES, encodeFramesMessage, formatPosition, toOffset } from '@playhead/schemas';
import { describe, expect, test } from 'vitest';
import type { JoinMode } from '../core/join.ts';
import type { Refusal } from '../core/words.ts';
import type { Socket } from './live-stream.ts';
import { LiveStream } from './live-stream.ts';

const frame = (offset: number, index = 0): PositionedFrame => ({
  position: { offset: toOffset(offset), index },
  windowId: 'w1',
  track: 'dom',
  keyframe: false,
  timestampMs: 1,
  payload: new Uint8Array(),
});

type Listeners = { message: ((event: { data: unknown }) => void)[]; close: ((event: { code: number }) => void)[] };

/** A network of one viewer: opens sockets that the test speaks through, and timers that it fires. */
function aNetwork(join: JoinMode = 'start', refusal: Refusal | null = null) {
  const opened: { from: string; closed: boolean; listeners: Listeners }[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const heard: string[] = [];
  const stream = new LiveStream(
    join,
    {
      open: (from) => {
        const entry = { from, closed: false, listeners: { message: [], close: [] } as Listeners };
        opened.push(entry);
        const socket = {
          binaryType: 'blob',
          addEventListener: (type: keyof Listeners, listener: never) => entry.listeners[type].push(listener),
          close: () => {
            entry.closed = true;
          },
        };
        return socket as unknown as Socket;
      },
      probe: () => Promise.resolve(refusal),
      setTimer: (ms, run) => {
        const timer = { ms, run };
        timers.push(timer);
        return () => {
          const at = timers.indexOf(timer);
          if (at !== -1) timers.splice(at, 1);
        };
      },
      random: () => 1,
    },
    {
      control: (message) => heard.push(message.type),
      frames: (message) => heard.push(...message.frames.map(({ position }) => formatPosition(position))),
      dropped: () => heard.push('dropped'),
      refused: (why) => heard.push(`refused ${why}`),
      fault: () => heard.push('fault'),
    },
  );
  const newest = () => {
    const last = opened.at(-1);
    if (!last) throw new Error('no socket was opened');
    return last;
  };
  const say = (data: unknown): void => {
    for (const listener of newest().listeners.message) listener({ data });
  };
  return {
    stream,
    opened,
    timers,
    heard,
    say,
    newest,
    welcome: () => say(JSON.stringify({ type: 'welcome', version: 1, session: {} as SessionInfo, serverTimeMs: 1 })),
    frames: (...frames: PositionedFrame[]) => say(encodeFramesMessage({ receivedAtMs: 0, sentAtMs: 0, frames }).slice().buffer),
    lose: (code = 1006) => {
      for (const listener of newest().listeners.close) listener({ code });
    },
    fire: () => timers.shift()?.run(),
  };
}

describe('the stream of a session', () => {
  test('continues behind the last position after a lost connection', () => {
    const net = aNetwork();
    net.welcome();
    net.frames(frame(10), frame(10, 1), frame(14));
    net.lose();
    net.fire();
    expect(net.opened.map(({ from }) => from)).toEqual(['start', '14.0']);
    expect(net.heard).toEqual(['welcome', '10.0', '10.1', '14.0', 'dropped']);
  });

  test('gives nothing twice, whatever is sent again', () => {
    const net = aNetwork();
    net.welcome();
    net.frames(frame(10), frame(10, 1));
    net.frames(frame(10), frame(10, 1), frame(11));
    net.frames(frame(11));
    expect(net.heard).toEqual(['welcome', '10.0', '10.1', '11.0']);
  });

  test('gives up where the log never gave its position out, and says why', () => {
    const net = aNetwork('keyframe');
    net.welcome();
    net.frames(frame(10));
    net.lose(CLOSE_CODES.position_gone);
    expect(net.opened.map(({ from }) => from)).toEqual(['keyframe']);
    expect(net.heard).toEqual(['welcome', '10.0', 'refused changed']);
  });

  test('waits longer with every failure, and little again after a success', () => {
    const net = aNetwork();
    const waits: number[] = [];
    net.welcome();
    for (let round = 0; round < 3; round++) {
      net.lose();
      waits.push(net.timers[0]?.ms ?? 0);
      net.fire();
      net.welcome();
    }
    expect(waits).toEqual([300, 300, 300]);
  });

  test('a connection that says nothing is given up', () => {
    const net = aNetwork();
    net.welcome();
    net.fire();
    expect(net.newest().closed).toBe(true);
    expect(net.heard).toEqual(['welcome', 'dropped']);
    net.fire();
    expect(net.opened.length).toBe(2);
  });

  test('over a line so slow that one message outlasts the silence, each connection is given twice the time, until frames come', () => {
    const net = aNetwork();
    const patience: number[] = [];
    for (let round = 0; round < 8; round++) {
      net.welcome();
      patience.push(net.timers[0]?.ms ?? 0);
      net.fire();
      net.fire();
    }
    expect(patience).toEqual([6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 192_000, 192_000]);
    net.welcome();
    net.frames(frame(10));
    net.welcome();
    expect(net.timers[0]?.ms).toBe(6_000);
  });

  test('a refusal is final', () => {
    const net = aNetwork();
    net.welcome();
    net.lose(CLOSE_CODES.session_not_found);
    expect(net.heard).toEqual(['welcome', 'refused not-found']);
    expect(net.timers).toEqual([]);
  });

  test('a connection that never stood is asked about before it is tried again', async () => {
    const refused = aNetwork('start', 'unauthorized');
    refused.lose();
    await Promise.resolve();
    expect(refused.heard).toEqual(['dropped', 'refused unauthorized']);
    const unlucky = aNetwork();
    unlucky.lose();
    await Promise.resolve();
    unlucky.fire();
    expect(unlucky.opened.length).toBe(2);
  });

  test('bytes that are no message are a fault, and the stream goes on', () => {
    const net = aNetwork();
    net.welcome();
    net.say('{');
    net.say(Uint8Array.of(9, 9).buffer);
    net.frames(frame(3));
    expect(net.heard).toEqual(['welcome', 'fault', 'fault', '3.0']);
  });

  test('is silent after it was closed', () => {
    const net = aNetwork();
    net.stream.close();
    net.frames(frame(1));
    net.lose();
    expect([net.newest().closed, net.heard, net.timers.length]).toEqual([true, [], 0]);
  });
});
