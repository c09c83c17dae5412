import type { PositionedFrame } from '@playhead/schemas';
import { comparePositions, FrameJoiner, formatPosition, toOffset } from '@playhead/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyframeJoin } from '../../test/keyframe-join.ts';
import type { Spliced } from './splice.ts';
import { Splice } from './splice.ts';

interface Recorded {
  readonly windowId: string;
  readonly track: 'dom' | 'signal';
  readonly keyframe: boolean;
  readonly parts: number;
  /** Number of the part that never arrived; none when the frame has no such part. */
  readonly lost: number;
}

/** Frames as they lie in the log. Those of several windows and tracks may be under way at a time; those of one are not. */
function logOf(recorded: readonly Recorded[], shuffle: readonly number[]): PositionedFrame[] {
  const queues = new Map<string, Omit<PositionedFrame, 'position'>[]>();
  for (const [at, { windowId, track, keyframe, parts, lost }] of recorded.entries()) {
    const key = `${windowId} ${track}`;
    const queue = queues.get(key) ?? [];
    queues.set(key, queue);
    for (let number = 0; number < parts; number++) {
      if (number === lost && parts > 1) continue;
      const part = parts === 1 ? {} : { part: { number, continues: number < parts - 1 } };
      const payload = Uint8Array.of(at, number);
      queue.push({ windowId, track, timestampMs: at, keyframe: keyframe && track === 'dom' && number === 0, payload, ...part });
    }
  }
  const log: PositionedFrame[] = [];
  for (let turn = 0; queues.size > 0; turn++) {
    const keys = [...queues.keys()];
    const key = keys[(shuffle[turn % Math.max(1, shuffle.length)] ?? 0) % keys.length] ?? '';
    const frame = queues.get(key)?.shift();
    if (frame === undefined) queues.delete(key);
    else log.push({ ...frame, position: { offset: toOffset(3 * (log.length >> 1)), index: log.length % 2 } });
  }
  return log;
}

const recordings = fc.array(
  fc.record<Recorded>({
    windowId: fc.constantFrom('w1', 'w2'),
    track: fc.constantFrom('dom', 'signal'),
    keyframe: fc.boolean(),
    parts: fc.constantFrom(1, 1, 1, 2, 3),
    lost: fc.constantFrom(-1, -1, -1, 0, 1, 2),
  }),
  { maxLength: 30 },
);

const told = ({ frames, incomplete }: Spliced): string[] =>
  [
    ...frames.map(
      (frame) => `${formatPosition(frame.position)} ${frame.windowId} ${frame.track} ${frame.keyframe} [${frame.payload.join()}]`,
    ),
    ...incomplete.map(({ position, reason }) => `${formatPosition(position)} ${reason}`),
  ].toSorted();

describe('the edge and history of a session', () => {
  test('give every frame once, whole or told as incomplete, however they are interleaved', () => {
    fc.assert(
      fc.property(
        recordings,
        fc.array(fc.nat(9), { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.option(fc.nat(60)),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (recorded, shuffle, share, turns, cutAt, later) => {
          const log = logOf(recorded, shuffle);
          const stored = Math.floor(share * log.length);
          const joined = keyframeJoin(log, stored);
          // Who comes again behind a position gets everything behind it, of windows whose keyframe had not been reached, too.
          const last = cutAt === null ? undefined : joined[cutAt]?.position;
          const edge = log.filter((frame) => joined.includes(frame) || (last !== undefined && comparePositions(frame.position, last) > 0));
          // What comes while somebody watches comes on the edge alone: history ends where it was when the edge had given all that there was.
          const joinedAt = stored + Math.floor(later * (log.length - stored));
          const history = log.slice(0, joinedAt);
          const settled = edge.filter((frame) => history.includes(frame)).length;
          const splice = new Splice();
          const all: Spliced[] = [];
          let given = 0;
          let over = false;
          for (let turn = 0; given < edge.length || !over; turn++) {
            const next = over || turns[turn % turns.length] === true ? edge[given] : undefined;
            const past = next === undefined ? history.shift() : undefined;
            if (next !== undefined) given++;
            if (next !== undefined) all.push(splice.edge([next]));
            if (past !== undefined) all.push(splice.history([past]));
            if (over || !((given >= settled && splice.hasMet) || history.length === 0)) continue;
            all.push(splice.endHistory());
            over = true;
          }
          const joiner = new FrameJoiner();
          const once: Spliced[] = log.map((frame) => {
            const { frame: whole, incomplete } = joiner.take(frame);
            return { frames: whole === null ? [] : [whole], incomplete };
          });
          const flat = (list: readonly Spliced[], open: Spliced['incomplete']): Spliced => ({
            frames: list.flatMap(({ frames }) => frames),
            incomplete: [...list.flatMap(({ incomplete }) => incomplete), ...open],
          });
          expect(told(flat(all, splice.open))).toEqual(told(flat(once, joiner.open)));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  const frame = (offset: number, part?: PositionedFrame['part'], track: PositionedFrame['track'] = 'signal'): PositionedFrame => ({
    position: { offset: toOffset(offset), index: 0 },
    windowId: 'w1',
    track,
    keyframe: false,
    timestampMs: 7,
    payload: Uint8Array.of(offset),
    ...(part ? { part } : {}),
  });

  test('a frame that begins before the edge and ends behind it is joined when history has come', () => {
    const splice = new Splice();
    expect(told(splice.edge([frame(20, undefined, 'dom'), frame(21, { number: 1, continues: false })]))).toHaveLength(1);
    splice.history([frame(10, { number: 0, continues: true })]);
    expect(splice.endHistory().frames.map(({ payload }) => payload.join())).toEqual(['10,21']);
  });

  test('the rest of such a frame may come after history was read', () => {
    const splice = new Splice();
    splice.edge([frame(20, undefined, 'dom')]);
    splice.history([frame(10, { number: 0, continues: true })]);
    expect(splice.hasMet).toBe(false);
    splice.history([frame(20, undefined, 'dom')]);
    expect(splice.hasMet).toBe(true);
    expect(splice.endHistory().frames).toEqual([]);
    expect(splice.open).toHaveLength(1);
    expect(splice.edge([frame(30, { number: 1, continues: false })]).frames.map(({ payload }) => payload.join())).toEqual(['10,30']);
    expect(splice.open).toEqual([]);
  });

  test('a rest whose beginning nobody has is told once, and not before history was read', () => {
    const splice = new Splice();
    expect(told(splice.edge([frame(20, undefined, 'dom'), frame(21, { number: 1, continues: false })]))).toHaveLength(1);
    expect(splice.open).toEqual([]);
    splice.history([frame(5, undefined, 'dom')]);
    expect(splice.endHistory().incomplete.map(({ reason }) => reason)).toEqual(['no-beginning']);
  });
});
