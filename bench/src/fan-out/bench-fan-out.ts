import { once } from 'node:events';
import { WebSocket } from 'ws';
import { withScript } from '../bare-script.ts';
import type { Body } from '../cluster/bodies.ts';
import { makeBodies, PICTURES } from '../cluster/bodies.ts';
import { residentMb } from '../cluster/proc.ts';
import type { Recorded } from '../cluster/recorder.ts';
import { openRecorders } from '../cluster/recorder.ts';
import type { Target } from '../cluster/target.ts';
import { withOneProcess } from '../cluster/target.ts';
import type { Goal } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import type { BenchTable } from '../table.ts';
import { median } from '../table.ts';

const BODY_BYTES = 5_000;
/** Where a message of ours tells how many frames it holds (`FramesMessage` of schemas). */
const FRAME_COUNT_AT = 20;
const JOINS_AT_ONCE = 50;
/** For as long nothing may come while something is waited for. */
const LATE_MS = 60_000;
/** A thousand joins take longer than a session may be silent. */
const FLAGS = ['--session-silence-ms', '600000'] as const;

/** Frames in one message: who falls behind gets several uploads in one. */
type FramesIn = (message: Buffer) => number;
const OURS: FramesIn = (message) => message.readUInt32BE(FRAME_COUNT_AT);
/** A body as it was posted. */
const BARE: FramesIn = () => PICTURES;

interface FanOut {
  /** Of one upload each. */
  readonly messagesPerS: number;
  readonly kbPerViewer: number;
}

/**
 * Messages that reach viewers, as fast as they are taken: one session with many viewers, and many sessions with one each. Beside a bare `ws`
 * server that sends what is posted to it. Server, recorder and viewers share the machine.
 */
export async function benchFanOut({ quick, progress }: Run): Promise<BenchTable> {
  const viewers = quick ? 20 : 1_000;
  const [seconds, rounds] = quick ? [0.5, 1] : [6, 3];
  const goals: Goal[] = [];
  for (const [what, sessions, underWay] of [
    [`one session, ${viewers} viewers`, 1, 4],
    [`${viewers} sessions, a viewer each`, viewers, 64],
  ] as const) {
    const ours: FanOut[] = [];
    const bare: FanOut[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`${what}, round ${round + 1} of ${rounds}`);
      bare.push(
        await withScript('bare-broadcast', new URL('./bare-broadcast.ts', import.meta.url), (at) =>
          fanOut(at, BARE, sessions, viewers, underWay, seconds),
        ),
      );
      ours.push(await withOneProcess((at) => fanOut(at, OURS, sessions, viewers, underWay, seconds), FLAGS));
    }
    const middle = (all: readonly FanOut[], of: keyof FanOut): number => median(all.map((one) => one[of]));
    const compared = (of: keyof FanOut, unit: string): Pick<Goal, 'measured' | 'baseline' | 'ratio'> => ({
      measured: `${middle(ours, of).toFixed(0)} ${unit}`,
      baseline: `${middle(bare, of).toFixed(0)} ${unit}`,
      ratio: middle(ours, of) / middle(bare, of),
    });
    goals.push({ what: `messages: ${what}`, ...compared('messagesPerS', '/s'), bound: { atLeast: 0.9 } });
    goals.push({ what: `memory a viewer: ${what}`, ...compared('kbPerViewer', 'KB') });
  }
  return goalTable(`uploads of ${BODY_BYTES / 1000} KB to viewers, ${seconds} s a round, median of ${rounds}; one process on LMDB`, goals);
}

async function fanOut(
  target: Target,
  framesIn: FramesIn,
  sessionCount: number,
  viewerCount: number,
  underWay: number,
  seconds: number,
): Promise<FanOut> {
  const bodies = makeBodies(64, BODY_BYTES);
  const recorders = openRecorders(target.doors, target.key);
  const sessions: Recorded[] = [];
  const watching: WebSocket[] = [];
  /** Frames that came to the viewers of a session. */
  const arrivals = new Map<string, number>();
  let viewersReached = 0;
  let cameAt = performance.now();
  let lookAgain = (): void => undefined;
  const arrived = (sessionId: string): number => arrivals.get(sessionId) ?? 0;
  const until = async (holds: () => boolean): Promise<void> => {
    cameAt = performance.now();
    while (!holds()) {
      if (performance.now() > cameAt + LATE_MS) throw new Error('messages did not come');
      await new Promise<void>((resolve) => {
        lookAgain = resolve;
        setTimeout(resolve, 1_000);
      });
    }
  };
  const send = async (session: Recorded, number: number): Promise<void> => {
    const refusal = await recorders.upload(session, bodies[number % bodies.length] as Body);
    if (refusal !== '') throw new Error(`refused: ${refusal}`);
  };
  try {
    for (let number = 0; number < sessionCount; number++) sessions.push(await recorders.start());
    const before = residentMb(target.pids[0] ?? 0);
    for (let number = 0; number < viewerCount; number += JOINS_AT_ONCE) {
      const some = Array.from(
        { length: Math.min(JOINS_AT_ONCE, viewerCount - number) },
        (_, at) => sessions[(number + at) % sessionCount] as Recorded,
      );
      watching.push(
        ...(await Promise.all(
          some.map(({ sessionId }) =>
            join(target, sessionId, (message, isFirst) => {
              arrivals.set(sessionId, arrived(sessionId) + framesIn(message));
              if (isFirst) viewersReached++;
              cameAt = performance.now();
              lookAgain();
            }),
          ),
        )),
      );
    }
    const viewersEach = viewerCount / sessionCount;
    // Everybody has got some of it: all are at the live edge.
    for (const session of sessions) await send(session, 0);
    await until(() => viewersReached === viewerCount);
    const kbPerViewer = ((residentMb(target.pids[0] ?? 0) - before) * 1000) / viewerCount;

    const had = new Map(arrivals);
    const began = performance.now();
    const ends = began + seconds * 1000;
    let turn = 0;
    const sender = async (): Promise<void> => {
      while (performance.now() < ends) {
        const session = sessions[turn % sessionCount] as Recorded;
        const number = ++turn;
        await send(session, number);
        // No more than `underWay` are on their way to viewers.
        const round = Math.ceil(number / sessionCount);
        const wanted = (had.get(session.sessionId) ?? 0) + Math.max(0, round - underWay) * viewersEach * PICTURES;
        await until(() => arrived(session.sessionId) >= wanted);
      }
    };
    await Promise.all(Array.from({ length: underWay }, sender));
    const sent = new Map<string, number>();
    for (let number = 0; number < turn; number++) {
      const { sessionId } = sessions[number % sessionCount] as Recorded;
      sent.set(sessionId, (sent.get(sessionId) ?? 0) + 1);
    }
    await until(() =>
      [...sent].every(([sessionId, uploads]) => arrived(sessionId) >= (had.get(sessionId) ?? 0) + uploads * viewersEach * PICTURES),
    );
    const messages = [...sent.values()].reduce((sum, uploads) => sum + uploads * viewersEach, 0);
    return { messagesPerS: messages / ((performance.now() - began) / 1000), kbPerViewer };
  } finally {
    recorders.close();
    for (const socket of watching) socket.terminate();
  }
}

async function join(
  { gateway, token }: Target,
  sessionId: string,
  onFrames: (message: Buffer, isFirst: boolean) => void,
): Promise<WebSocket> {
  const url = `${gateway.replace('http', 'ws')}/v1/sessions/${sessionId}/live?from=keyframe&token=${token}`;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let isFirst = true;
  socket.on('message', (message, isBinary) => {
    if (!isBinary) return;
    onFrames(message as Buffer, isFirst);
    isFirst = false;
  });
  await once(socket, 'open');
  return socket;
}
