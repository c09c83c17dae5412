import type { Offset, PositionedFrame } from '@playhead/schemas';
import { encodeBlock, formatPosition, Marks, parsePosition, toOffset } from '@playhead/schemas';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlockRef, Handover, Input, Outgoing } from '../src/handover/core/handover.ts';
import { begin, INPUTS, nextAsk, STAGES } from '../src/handover/core/handover.ts';
import { step, TRANSITIONS } from '../src/handover/core/transitions.ts';
import { advance, sentPositions, take, World } from './handover-world.ts';

const offset = toOffset;

function frame(at: string, windowId = 'w1', track: PositionedFrame['track'] = 'signal', keyframe = false): PositionedFrame {
  const position = parsePosition(at);
  if (position === undefined) throw new Error(at);
  return { position, windowId, track, keyframe, timestampMs: 1, payload: Uint8Array.of(1) };
}

function blockOf(frames: readonly PositionedFrame[], overrides: Partial<BlockRef> = {}): BlockRef {
  const { bytes, frameIndex } = encodeBlock(frames, (raw) => raw);
  const firstOffset = frames[0]?.position.offset ?? offset(0);
  const lastOffset = frames.at(-1)?.position.offset ?? offset(0);
  const place = { objectKey: `o${lastOffset}`, blockOffset: 0, blockLength: bytes.length, flushLastOffset: lastOffset };
  return { ...place, firstOffset, lastOffset, lastReceivedAtMs: 1, marks: new Marks().encode(), frameIndex, ...overrides };
}

function located(chainEnd: number, blocks: readonly BlockRef[] = [], more: Partial<Extract<Input, { kind: 'located' }>> = {}): Input {
  return { kind: 'located', chainEnd: offset(chainEnd), blocks, gaps: [], behind: false, ...more };
}

/** A viewer that was given these inputs. */
function after(from: Parameters<typeof begin>[0], ...inputs: Input[]): { handover: Handover; heard: Outgoing[] } {
  const viewer = { handover: begin(from).handover, heard: [...begin(from).outgoing] };
  for (const input of inputs) take(viewer, step(viewer.handover, input));
  return viewer;
}

const LIVE: Input[] = [located(-1), { kind: 'met' }, { kind: 'edge', through: offset(4) }];
const upload = (at: number, frames: PositionedFrame[], counter = at): Input => ({
  kind: 'uploads',
  uploads: [{ offset: offset(at), windowId: 'w1', uploadId: `u${counter}`, counter, receivedAtMs: 1, sentAtMs: 1, frames }],
  through: offset(at),
});
const ENDED: Extract<Input, { kind: 'ended' }> = { kind: 'ended', reason: 'told', endedAtMs: 9, through: offset(6) };

describe('the table', () => {
  const BY_STAGE: Record<Handover['stage'], Input[]> = {
    locating: [],
    replaying: [located(3, [blockOf([frame('3.0')])])],
    backlog: [located(-1)],
    following: [located(-1), { kind: 'met' }],
    waiting: LIVE,
    draining: [...LIVE, { kind: 'woken' }, { kind: 'congested' }],
    left: [{ kind: 'left' }],
  };
  const EXAMPLE: Record<Input['kind'], Input> = {
    located: located(9, [blockOf([frame('8.0'), frame('9.0')])]),
    frames: { kind: 'frames', frames: [frame('3.0')] },
    'block-read': { kind: 'block-read' },
    'block-lost': { kind: 'block-lost' },
    uploads: upload(5, [frame('5.0')]),
    met: { kind: 'met' },
    gone: { kind: 'gone', first: offset(7) },
    fallen: { kind: 'fallen' },
    edge: { kind: 'edge', through: offset(6) },
    woken: { kind: 'woken' },
    overdue: { kind: 'overdue' },
    congested: { kind: 'congested' },
    drained: { kind: 'drained' },
    ended: ENDED,
    left: { kind: 'left' },
  };
  /** Where each input leads; nothing: it stays. */
  const LEADS: Record<Handover['stage'], Partial<Record<Input['kind'], Handover['stage']>>> = {
    locating: { located: 'replaying', left: 'left' },
    replaying: { 'block-read': 'backlog', 'block-lost': 'locating', left: 'left' },
    backlog: { met: 'following', gone: 'locating', left: 'left' },
    following: { fallen: 'locating', edge: 'waiting', congested: 'draining', left: 'left' },
    waiting: { fallen: 'locating', woken: 'following', ended: 'following', congested: 'draining', left: 'left' },
    draining: { drained: 'following', left: 'left' },
    left: {},
  };

  test.each(STAGES.flatMap((stage) => INPUTS.map((input) => ({ stage, input }))))('[LH16] $stage answers $input', ({ stage, input }) => {
    const { handover } = after('start', ...BY_STAGE[stage]);
    expect(handover.stage).toBe(stage);
    const next = step(handover, EXAMPLE[input]).handover;
    expect(next.stage).toBe(LEADS[stage][input] ?? stage);
    expect(nextAsk(next)).toBeDefined();
  });

  test('[LH16] the table has every stage and every input', () => {
    expect(Object.keys(TRANSITIONS).toSorted()).toEqual(STAGES.toSorted());
    for (const row of Object.values(TRANSITIONS)) expect(Object.keys(row).toSorted()).toEqual(INPUTS.toSorted());
  });
});

describe('joining', () => {
  test('[LH2] marks of a block without frames still make a later upload a duplicate', () => {
    const marks = new Marks();
    marks.accept({ windowId: 'w1', uploadId: 'u0', counter: 0 });
    const empty = { ...blockOf([frame('2.0')]), blockLength: 0, frameIndex: new Uint8Array(), marks: marks.encode() };
    const viewer = after('start', located(2, [empty]), upload(3, [frame('3.0')], 0), upload(4, [frame('4.0')], 1));
    expect(sentPositions(viewer.heard)).toEqual(['4.0']);
  });

  test('[LH2] damaged marks count as none', () => {
    const viewer = after('start', located(2, [blockOf([frame('2.0')], { marks: Uint8Array.of(9, 9) })]));
    expect(viewer.handover.stage).toBe('replaying');
  });

  test('[LH4] a position inside of an upload continues inside of it, in history and in the log', () => {
    const from = { after: { offset: offset(3), index: 1 } };
    const frames = [frame('3.0'), frame('3.1'), frame('3.2')];
    expect(sentPositions(after(from, located(3, [blockOf(frames)]), { kind: 'frames', frames }).heard)).toEqual(['3.2']);
    expect(sentPositions(after(from, located(-1), upload(3, frames)).heard)).toEqual(['3.2']);
  });

  test('[LH4] a position with nothing behind it waits for what comes behind it', () => {
    const viewer = after(
      { after: { offset: offset(10), index: 0 } },
      ...LIVE,
      { kind: 'woken' },
      upload(9, [frame('9.0')]),
      upload(11, [frame('11.0')]),
    );
    expect(sentPositions(viewer.heard)).toEqual(['11.0']);
  });

  test('[LH5] keyframe begins at the last keyframe of each window and track', () => {
    const frames = [
      frame('1.0', 'tab', 'dom', true),
      frame('1.1', 'tab', 'dom'),
      frame('2.0', 'phone', 'image', true),
      frame('2.1', 'odd', 'signal'),
      frame('3.0', 'tab', 'signal'),
      frame('3.1', 'tab', 'dom', true),
      frame('3.2', 'tab', 'signal'),
      frame('4.0', 'phone', 'image', true),
      frame('4.1', 'tab', 'dom'),
    ];
    const viewer = after('keyframe', located(4, [blockOf(frames)]), { kind: 'frames', frames });
    expect(sentPositions(viewer.heard)).toEqual(['2.1', '3.1', '3.2', '4.0', '4.1']);
  });

  /** One frame in parts, each an upload. */
  const keyframeInParts = (firstOffset: number, count: number, timestampMs: number): PositionedFrame[] =>
    Array.from({ length: count }, (_, number) => ({
      ...frame(`${firstOffset + number}.0`, 'tab', 'dom', number === 0),
      timestampMs,
      part: { number, continues: number < count - 1 },
    }));

  test('[LH5] keyframe begins at the first part of the last keyframe, in whichever blocks its parts are', () => {
    const frames = [frame('1.0', 'tab', 'dom', true), ...keyframeInParts(2, 4, 7), frame('6.0', 'tab', 'dom')];
    const blocks = [blockOf(frames.slice(0, 2)), blockOf(frames.slice(2, 4)), blockOf(frames.slice(4))];
    expect(sentPositions(after('keyframe', located(6, blocks), { kind: 'frames', frames }).heard)).toEqual([
      '2.0',
      '3.0',
      '4.0',
      '5.0',
      '6.0',
    ]);
  });

  test('[LH5] a keyframe that is not whole is not begun with: what is drawn before it is sent, and its parts as they come', () => {
    const whole = [frame('1.0', 'tab', 'dom', true), frame('1.1', 'tab', 'dom')];
    const begun = keyframeInParts(2, 3, 7);
    const blocks = [blockOf([...whole, ...begun.slice(0, 2)])];
    const viewer = after(
      'keyframe',
      located(3, blocks),
      { kind: 'frames', frames: [...whole, ...begun.slice(0, 2)] },
      { kind: 'block-read' },
    );
    for (const input of [{ kind: 'met' } as const, upload(4, begun.slice(2))]) take(viewer, step(viewer.handover, input));
    expect(sentPositions(viewer.heard)).toEqual(['1.0', '1.1', '2.0', '3.0', '4.0']);
  });

  test('[LH5] a keyframe of which a part is lost is not begun with, nor one whose end is of another', () => {
    const [first, second, third] = keyframeInParts(2, 3, 7);
    const other = keyframeInParts(10, 3, 8);
    if (!first || !second || !third) throw new Error('there are parts');
    for (const broken of [
      [first, third],
      [first, second, ...other.slice(2)],
      [second, third],
    ]) {
      const frames = [frame('1.0', 'tab', 'dom', true), ...broken];
      const heard = sentPositions(after('keyframe', located(20, [blockOf(frames)]), { kind: 'frames', frames }).heard);
      expect(heard[0]).toBe('1.0');
    }
  });

  test.each([
    ['image', 'hierarchy'],
    ['hierarchy', 'image'],
  ] as const)(
    '[LH5] a track without keyframes begins with the earliest of the tracks of its window that have one: %s before %s',
    (first, second) => {
      const frames = [
        frame('1.0', 'phone'),
        frame('2.0', 'phone', first, true),
        frame('3.0', 'phone'),
        frame('4.0', 'phone', second, true),
        frame('5.0', 'phone'),
      ];
      const viewer = after('keyframe', located(5, [blockOf(frames)]), { kind: 'frames', frames });
      expect(sentPositions(viewer.heard)).toEqual(['2.0', '3.0', '4.0', '5.0']);
    },
  );

  test('[LH5] keyframe says no gap that lies before everything that it begins with', () => {
    const frames = [frame('4.0', 'tab', 'dom', true), frame('9.0', 'phone', 'image', true)];
    const gaps = [1, 4, 6].map((at) => ({ firstOffset: offset(at), lastOffset: offset(at) }));
    const { heard } = after('keyframe', located(9, [blockOf(frames.slice(0, 1)), blockOf(frames.slice(1))], { gaps }), {
      kind: 'block-read',
    });
    expect(heard.flatMap((said) => (said.type === 'gap' ? [said.firstOffset] : []))).toEqual([6]);
  });

  test('[LH5] keyframe without any block begins at the start', () => {
    expect(sentPositions(after('keyframe', located(-1), upload(0, [frame('0.0')])).heard)).toEqual(['0.0']);
  });
});

describe('losses', () => {
  const gone: Input = { kind: 'gone', first: offset(8) };

  test('[LH8] a catalog that is behind is waited for', () => {
    const viewer = after('start', located(2), gone, ...Array.from({ length: 20 }, () => located(2, [], { behind: true })));
    expect(viewer.handover.stage).toBe('locating');
    take(viewer, step(viewer.handover, located(8, [blockOf([frame('5.0')])])));
    expect(viewer.handover.stage).toBe('replaying');
    expect(viewer.heard.some(({ type }) => type === 'gap')).toBe(false);
  });

  test('[LH9] what is really lost is said once and passed', () => {
    const viewer = after('start', located(2), gone, ...Array.from({ length: 4 }, () => located(2)));
    expect(viewer.heard.filter(({ type }) => type === 'gap')).toEqual([{ type: 'gap', firstOffset: 3, lastOffset: 7, reason: 'trimmed' }]);
    expect(nextAsk(viewer.handover)).toEqual({ kind: 'read-log', after: 7 });
    take(viewer, step(viewer.handover, { kind: 'met' }));
    take(viewer, step(viewer.handover, { kind: 'fallen' }));
    const gap = { firstOffset: offset(3), lastOffset: offset(7) };
    take(viewer, step(viewer.handover, located(12, [blockOf([frame('12.0')])], { gaps: [gap] })));
    expect(viewer.heard.filter(({ type }) => type === 'gap')).toHaveLength(1);
  });

  test('[LH9] a gap of the catalog is said in its place between the frames', () => {
    const gaps = [{ firstOffset: offset(3), lastOffset: offset(5) }];
    const viewer = after('start', located(6, [blockOf([frame('1.0')]), blockOf([frame('6.0')])], { gaps }));
    for (const at of ['1.0', '6.0']) {
      take(viewer, step(viewer.handover, { kind: 'frames', frames: [frame(at)] }));
      take(viewer, step(viewer.handover, { kind: 'block-read' }));
    }
    expect(viewer.heard.map(({ type }) => type)).toEqual(['state', 'frames', 'gap', 'frames']);
    expect(viewer.handover.stage).toBe('backlog');
  });

  test('[LH9] a viewer whose position is behind the gap does not hear of it', () => {
    const gaps = [{ firstOffset: offset(3), lastOffset: offset(5) }];
    const viewer = after({ after: { offset: offset(6), index: 0 } }, located(6, [], { gaps }));
    expect(viewer.heard.some(({ type }) => type === 'gap')).toBe(false);
  });

  test('[LH8] the catalog is asked whether it lags only where the log was found trimmed, and a log that begins right behind is read on', () => {
    const { handover } = after('start', located(2, [blockOf([frame('2.0')])]), { kind: 'block-read' });
    expect(nextAsk(handover)).toEqual({ kind: 'read-log', after: 2 });
    const trimmed = step(handover, { kind: 'gone', first: offset(3) });
    expect(nextAsk(trimmed.handover)).toEqual({ kind: 'locate', attempt: 0, checkBehind: true });
    expect(nextAsk(begin('start').handover)).toEqual({ kind: 'locate', attempt: 0, checkBehind: false });
    const again = step(trimmed.handover, located(2, [], { behind: true }));
    expect([nextAsk(again.handover), again.outgoing]).toEqual([{ kind: 'read-log', after: 2 }, []]);
  });

  test('[LH6] an upload that nothing could make out is an unreadable gap, said once, and what follows is sent', () => {
    const spoiled = upload(3, []) as Extract<Input, { kind: 'uploads' }>;
    const uploads = spoiled.uploads.map((one) => ({ ...one, spoiled: 'a decoder broke' }));
    const { heard } = after('start', located(-1), { ...spoiled, uploads }, upload(4, [frame('4.0')]));
    expect(heard.slice(1).map((said) => (said.type === 'gap' ? said : said.type))).toEqual([
      { type: 'gap', firstOffset: 3, lastOffset: 3, reason: 'unreadable' },
      'frames',
    ]);
  });

  test('[LH11] [LH15] a viewer that the window has left behind is catching up when it was live, and still replaying when it was not', () => {
    const states = (...inputs: Input[]): string[] =>
      after('start', ...inputs).heard.flatMap((said) => (said.type === 'state' ? [said.state] : []));
    expect(states(...LIVE, { kind: 'fallen' })).toEqual(['replaying', 'live', 'catching-up']);
    expect(states(located(-1), { kind: 'met' }, { kind: 'fallen' })).toEqual(['replaying']);
  });

  test('[LH10] lost blocks are looked for once more each, then they are gaps, and the replay ends', () => {
    const answer = located(9, [blockOf([frame('1.0')]), blockOf([frame('4.0')]), blockOf([frame('9.0')])]);
    const viewer = after('start', answer);
    let asked = 0;
    for (let i = 0; viewer.handover.stage !== 'backlog' && i < 50; i++) {
      const ask = nextAsk(viewer.handover);
      if (ask.kind === 'locate') asked++;
      take(viewer, step(viewer.handover, ask.kind === 'locate' ? answer : { kind: 'block-lost' }));
    }
    expect(viewer.handover.stage).toBe('backlog');
    expect(asked).toBe(3);
    expect(viewer.heard.filter(({ type }) => type === 'gap')).toEqual([
      { type: 'gap', firstOffset: 1, lastOffset: 1, reason: 'unreadable' },
      { type: 'gap', firstOffset: 4, lastOffset: 4, reason: 'unreadable' },
      { type: 'gap', firstOffset: 9, lastOffset: 9, reason: 'unreadable' },
    ]);
  });
});

describe('the rest of an upload that a viewer has begun', () => {
  const block = blockOf(['4.0', '4.1', '4.2'].map((at) => frame(at)));
  const rest = { type: 'gap', firstOffset: 4, lastOffset: 4 };
  const begun = (gaps: readonly { firstOffset: Offset; lastOffset: Offset }[], blocks: readonly BlockRef[]) =>
    after({ after: { offset: offset(4), index: 1 } }, located(4, blocks, { gaps }));

  test('[LH10] is a gap where its block cannot be read, although the upload is the last of the block', () => {
    const viewer = begun([], [block]);
    for (const input of [{ kind: 'block-lost' } as const, located(4, [block]), { kind: 'block-lost' } as const])
      take(viewer, step(viewer.handover, input));
    expect(viewer.heard.filter(({ type }) => type === 'gap')).toEqual([{ ...rest, reason: 'unreadable' }]);
  });

  test('[LH9] is a gap where retention took it: whether there was a rest nobody knows', () => {
    const viewer = begun([{ firstOffset: offset(2), lastOffset: offset(4) }], []);
    expect(viewer.heard.filter(({ type }) => type === 'gap')).toEqual([{ ...rest, reason: 'trimmed' }]);
  });
});

describe('blocks that are merged while they are replayed', () => {
  const frames = ['1.0', '1.1', '4.0', '4.1', '4.2', '6.0', '9.0'].map((at) => frame(at));
  const flushed = [blockOf(frames.slice(0, 2)), blockOf(frames.slice(2, 5)), blockOf(frames.slice(5))];
  const merged = blockOf(frames, { objectKey: 'm9' });
  const read = (...at: number[]): Input => ({ kind: 'frames', frames: at.flatMap((i) => frames[i] ?? []) });

  test('[LH10] a viewer goes on behind its position in the merged block, with every frame once', () => {
    const viewer = after('start', located(9, flushed), read(0, 1), { kind: 'block-read' }, read(2), { kind: 'block-lost' });
    expect(nextAsk(viewer.handover)).toMatchObject({ kind: 'locate' });
    take(viewer, step(viewer.handover, located(9, [merged])));
    expect(nextAsk(viewer.handover)).toMatchObject({ kind: 'read-block', block: merged, after: { offset: 4, index: 0 }, through: 9 });
    for (const input of [read(3, 4, 5), read(6), { kind: 'block-read' } as const]) take(viewer, step(viewer.handover, input));
    expect(sentPositions(viewer.heard)).toEqual(frames.map(({ position }) => formatPosition(position)));
    expect(viewer.heard.some(({ type }) => type === 'gap')).toBe(false);
    expect(viewer.handover).toMatchObject({ stage: 'backlog', covered: 9 });
  });

  test('[LH5] [LH10] a join at the keyframe keeps where it begins', () => {
    const pictures = ['1.0', '4.0', '9.0'].map((at) => frame(at, 'w1', 'image', true));
    const viewer = after(
      'keyframe',
      located(
        9,
        pictures.map((one) => blockOf([one])),
      ),
      { kind: 'block-read' },
      { kind: 'block-lost' },
    );
    for (const input of [located(9, [blockOf(pictures, { objectKey: 'm9' })]), { kind: 'frames', frames: pictures } as const]) {
      take(viewer, step(viewer.handover, input));
    }
    expect(sentPositions(viewer.heard)).toEqual(['9.0']);
  });

  test('[LH10] blocks that are merged once more while the merged one is replayed are looked for again', () => {
    const half = blockOf(frames.slice(0, 5), { objectKey: 'm4' });
    const viewer = after('start', located(9, flushed), { kind: 'block-lost' }, located(9, [half, ...flushed.slice(2)]), read(0, 1, 2));
    for (const input of [read(3, 4), { kind: 'block-read' } as const, { kind: 'block-lost' } as const])
      take(viewer, step(viewer.handover, input));
    expect(nextAsk(viewer.handover)).toMatchObject({ kind: 'locate' });
    const rest = blockOf(frames.slice(5), { objectKey: 'm9' });
    for (const input of [located(9, [half, rest]), read(5, 6), { kind: 'block-read' } as const]) take(viewer, step(viewer.handover, input));
    expect(sentPositions(viewer.heard)).toEqual(frames.map(({ position }) => formatPosition(position)));
    expect(viewer.heard.some(({ type }) => type === 'gap')).toBe(false);
  });

  test('[LH9] a gap inside of a merged block is said between the frames around it', () => {
    const gaps = [
      { firstOffset: offset(7), lastOffset: offset(8) },
      { firstOffset: offset(2), lastOffset: offset(3) },
    ];
    const viewer = after('start', located(9, [merged], { gaps }));
    const asked: unknown[] = [];
    for (const part of [read(0, 1), read(2, 3, 4, 5), read(6)]) {
      const ask = nextAsk(viewer.handover);
      asked.push(ask.kind === 'read-block' ? [ask.after.offset, ask.through] : ask);
      for (const input of [part, { kind: 'block-read' } as const]) take(viewer, step(viewer.handover, input));
    }
    expect(asked).toEqual([
      [-1, 1],
      [1, 6],
      [6, 9],
    ]);
    expect(viewer.heard.slice(1).map((one) => (one.type === 'gap' ? `gap ${one.firstOffset}-${one.lastOffset}` : one.type))).toEqual([
      'frames',
      'gap 2-3',
      'frames',
      'gap 7-8',
      'frames',
    ]);
    expect(viewer.handover.stage).toBe('backlog');
  });

  test('[LH9] [LH10] a merged block that cannot be read is unreadable around the gap inside of it', () => {
    const gaps = [{ firstOffset: offset(2), lastOffset: offset(3) }];
    const answer = located(9, [merged], { gaps });
    const viewer = after('start', answer, { kind: 'block-lost' }, answer, { kind: 'block-lost' }, { kind: 'block-lost' });
    expect(viewer.heard.flatMap((one) => (one.type === 'gap' ? [`${one.firstOffset}-${one.lastOffset} ${one.reason}`] : []))).toEqual([
      '1-1 unreadable',
      '2-3 trimmed',
      '4-9 unreadable',
    ]);
    expect(viewer.handover).toMatchObject({ stage: 'backlog', covered: 9 });
  });
});

describe('what is said', () => {
  const states = (heard: readonly Outgoing[]): string[] =>
    heard.flatMap((one) => (one.type === 'state' ? [one.state] : one.type === 'frames' ? [] : [one.type]));

  test('[LH11] replaying, live, lagged, catching-up, live', () => {
    const viewer = after('start', ...LIVE, { kind: 'woken' }, upload(5, [frame('5.0')]), { kind: 'congested' }, { kind: 'drained' });
    take(viewer, step(viewer.handover, { kind: 'edge', through: offset(5) }));
    expect(states(viewer.heard)).toEqual(['state', 'live', 'lagged', 'catching-up', 'live'].with(0, 'replaying'));
    expect(viewer.heard.find(({ type }) => type === 'lagged')).toEqual({ type: 'lagged', position: { offset: 5, index: 0 } });
  });

  test('[LH12] the end waits for what was in the log, is said once, and late uploads follow', () => {
    const viewer = after('start', ...LIVE, ENDED, { kind: 'edge', through: offset(4) });
    expect(nextAsk(viewer.handover)).toEqual({ kind: 'wait', after: 4, until: 6 });
    for (const input of [{ kind: 'woken' }, upload(6, [frame('6.0')]), { kind: 'edge', through: offset(6) }, ENDED] as Input[]) {
      take(viewer, step(viewer.handover, input));
    }
    for (const input of [{ kind: 'woken' }, upload(7, [frame('7.0')]), { kind: 'edge', through: offset(7) }] as Input[]) {
      take(viewer, step(viewer.handover, input));
    }
    expect(viewer.heard.map((one) => (one.type === 'state' ? one.state : one.type))).toEqual([
      'replaying',
      'live',
      'frames',
      'ended',
      'ended',
      'frames',
    ]);
  });

  test('[LH12] an end behind offsets that never come is said when it is overdue, and moves nothing', () => {
    const viewer = after('start', ...LIVE, ENDED, { kind: 'edge', through: offset(4) }, { kind: 'overdue' });
    expect(states(viewer.heard)).toEqual(['replaying', 'live', 'ended', 'ended']);
    expect(viewer.handover.covered).toBe(4);
  });
});

/** What can happen around a viewer, and to it. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('append' as const), counter: fc.nat(12), frames: fc.nat(3), hole: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('other' as const), hole: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('advance' as const), steps: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constantFrom('flush', 'apply', 'tail', 'tail', 'evict', 'trim', 'congest', 'reconnect', 'end', 'merge', 'sweep' as const),
    }),
  },
);

describe('in any order', () => {
  test('[LH1] [LH2] [LH3] [LH4] [LH10] [LH17] whatever happens in between, a viewer gets every acknowledged frame in order once', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
        const world = new World();
        const received: string[] = [];
        let viewer = { handover: begin('start').handover, heard: [] as Outgoing[] };
        const settleHeard = (): void => void received.push(...sentPositions(viewer.heard.splice(0)));
        const watched = <T>(act: () => T): T => {
          const before: [Offset, string] = [viewer.handover.covered, formatPosition(viewer.handover.cursor)];
          const result = act();
          expect(viewer.handover.covered).toBeGreaterThanOrEqual(before[0]);
          return result;
        };
        for (const one of happenings) {
          if (one.op === 'append')
            world.append({ windowId: 'w1', uploadId: `u${one.counter}`, counter: one.counter, frames: one.frames }, one.hole);
          else if (one.op === 'other') world.append(null, one.hole);
          else if (one.op === 'advance') for (let i = 0; i < one.steps && watched(() => advance(world, viewer)); i++);
          else if (one.op === 'flush') world.flush();
          else if (one.op === 'apply') world.applied = Math.min(world.applied + 1, world.flushes.length);
          else if (one.op === 'tail') world.tail();
          else if (one.op === 'evict') world.evict();
          else if (one.op === 'trim') world.trim();
          else if (one.op === 'merge') world.merge(2);
          else if (one.op === 'sweep') world.sweep();
          else if (one.op === 'congest') take(viewer, step(viewer.handover, { kind: 'congested' }));
          else if (one.op === 'end') take(viewer, step(viewer.handover, { ...ENDED, through: toOffset(world.next - 1) }));
          else {
            settleHeard();
            const last = parsePosition(received.at(-1) ?? '');
            viewer = { handover: begin(last === undefined ? 'start' : { after: last }).handover, heard: [] };
          }
        }
        world.applied = world.flushes.length;
        for (let i = 0; i < 2000; i++) {
          world.tail();
          if (!advance(world, viewer) && world.isTailed) break;
        }
        settleHeard();
        expect(viewer.handover.stage).toBe('waiting');
        expect(received).toEqual(world.expected());
      }),
      { numRuns: 600 },
    );
  });
});
