import type { BlockIndex, FlushGap, Offset, Position, PositionedFrame, StreamState } from '@playhead/schemas';
import { BytesFault, comparePositions, decodeFrameIndex, Marks, toOffset } from '@playhead/schemas';
import { floorsOf } from './floors.ts';
import type { BlockRef, Handover, Input, Outgoing, Stage, Step, Todo } from './handover.ts';
import { wants } from './handover.ts';

/** Asked this often, the catalog having everything that the log has, what was trimmed counts as lost. */
const ASKS_BEFORE_LOST = 3;

type Of<Kind extends Input['kind']> = Extract<Input, { kind: Kind }>;
type Cell<Kind extends Input['kind']> = (handover: Handover, input: Of<Kind>) => Step;

/** A cell for every stage and input: one that is forgotten does not compile. */
type Table = { readonly [S in Stage]: { readonly [Kind in Input['kind']]: Cell<Kind> } };

/** The input says nothing new in this stage: a result that came too late, a signal of the socket that the stage does not need. */
const stay = (handover: Handover): Step => ({ handover, outgoing: [] });

const leave = (handover: Handover): Step => ({ handover: { ...handover, stage: 'left', replay: null }, outgoing: [] });

function tell(handover: Handover, state: StreamState): Step {
  if (handover.told === state) return stay(handover);
  return { handover: { ...handover, told: state }, outgoing: [{ type: 'state', state }] };
}

/** The first end counts; it is said at the edge. */
function noteEnd(handover: Handover, input: Of<'ended'>): Step {
  if (handover.ending !== null) return stay(handover);
  const { reason, endedAtMs, through } = input;
  return { handover: { ...handover, ending: { reason, endedAtMs, through, said: false } }, outgoing: [] };
}

function later(a: Position, b: Position | undefined): Position {
  return b !== undefined && comparePositions(b, a) > 0 ? b : a;
}

function max(a: Offset, b: Offset): Offset {
  return a > b ? a : b;
}

function sendFrames(handover: Handover, frames: readonly PositionedFrame[]): Step {
  const wanted = frames.filter((frame) => wants(handover, frame));
  if (wanted.length === 0) return stay(handover);
  const cursor = later(handover.cursor, wanted.at(-1)?.position);
  return { handover: { ...handover, cursor }, outgoing: [{ type: 'frames', upload: null, frames: wanted }] };
}

/** Decides uploads in log order. Those at or before `covered` were decided already. */
function takeUploads(handover: Handover, input: Of<'uploads'>): Step {
  const { marks } = handover;
  let { cursor, gapsSaidTo } = handover;
  const outgoing: Outgoing[] = [];
  for (const upload of input.uploads) {
    if (upload.offset <= handover.covered || !marks.accept(upload)) continue;
    // An upload wholly before the cursor is marked, but need not be decoded.
    if (upload.offset < cursor.offset) continue;
    if (typeof upload.spoiled === 'string') {
      const gap = { firstOffset: upload.offset, lastOffset: upload.offset };
      const said = sayGap({ ...handover, cursor, gapsSaidTo }, gap, 'unreadable');
      ({ gapsSaidTo } = said.handover);
      outgoing.push(...said.outgoing);
    }
    const wanted = upload.frames.filter((frame) => wants({ cursor, floors: handover.floors }, frame));
    if (wanted.length === 0) continue;
    outgoing.push({ type: 'frames', upload, frames: wanted });
    cursor = later(cursor, wanted.at(-1)?.position);
  }
  return { handover: { ...handover, cursor, gapsSaidTo, covered: max(handover.covered, input.through) }, outgoing };
}

/** The catalog's answer: replay what it has behind `covered`, or go on with the log. */
function locate(before: Handover, input: Of<'located'>): Step {
  let handover = before;
  if (handover.wantsKeyframe) {
    const floors = floorsOf(input.blocks.flatMap(indexOf));
    handover = { ...handover, wantsKeyframe: false, floors };
  }
  if (input.chainEnd > handover.covered) {
    // Marks of the whole chain replace ours: ours are of an older end, hence a part of them.
    const marks = new Marks();
    for (const block of input.blocks) mergeMarks(marks, block.marks);
    const replay = { chainEnd: input.chainEnd, marks, todo: historyBehind(handover, input) };
    return replayOn({ ...handover, stage: 'replaying', replay, attempts: 0, goneBefore: null });
  }
  const { goneBefore } = handover;
  if (goneBefore === null || goneBefore <= handover.covered + 1) return stay({ ...handover, stage: 'backlog', attempts: 0 });
  if (input.behind || handover.attempts < ASKS_BEFORE_LOST) return stay({ ...handover, attempts: handover.attempts + 1 });
  const lost = { firstOffset: toOffset(handover.covered + 1), lastOffset: toOffset(goneBefore - 1) };
  const said = sayGap(handover, lost, 'trimmed');
  return {
    handover: { ...said.handover, stage: 'backlog', covered: lost.lastOffset, attempts: 0, goneBefore: null },
    outgoing: said.outgoing,
  };
}

/** The frame index of a block with frames. One that is damaged has no keyframes; its block is lost where it is read. */
function indexOf(block: BlockRef): BlockIndex[] {
  if (block.blockLength === 0) return [];
  try {
    return [decodeFrameIndex(block.frameIndex)];
  } catch (error) {
    if (!(error instanceof BytesFault)) throw error;
    return [];
  }
}

/** Damaged marks count as none, as they do for the compactor. */
function mergeMarks(into: Marks, encoded: Uint8Array): void {
  try {
    into.merge(Marks.decode(encoded));
  } catch (error) {
    if (!(error instanceof BytesFault)) throw error;
  }
}

/** Blocks with frames behind the cursor, and gaps (for a keyframe join: those behind where it begins), in order of offset. */
function historyBehind(handover: Handover, input: Of<'located'>): readonly Todo[] {
  const { cursor, covered, gapsSaidTo, floors } = handover;
  const lowest = floors === null ? -1 : Math.min(...[...floors.windows.values()].map((position) => position.offset));
  const gaps = input.gaps.filter((gap) => gap.lastOffset > covered && (!Number.isFinite(lowest) || gap.lastOffset > lowest));
  const blocks = input.blocks
    .filter((block) => block.blockLength > 0)
    .flatMap((block) => betweenGaps(block, input.gaps))
    .filter(({ lastOffset }) => lastOffset > covered && lastOffset >= cursor.offset && lastOffset > gapsSaidTo);
  const todo: Todo[] = [...gaps.map(({ firstOffset, lastOffset }): Todo => ({ kind: 'gap', firstOffset, lastOffset })), ...blocks];
  return todo.toSorted((a, b) => a.firstOffset - b.firstOffset);
}

/** The stretches of a block that gaps inside of it leave: so that a gap is said between the frames around it. */
function betweenGaps(block: BlockRef, gaps: readonly FlushGap[]): Todo[] {
  const inside = gaps
    .filter((gap) => block.firstOffset < gap.firstOffset && gap.lastOffset < block.lastOffset)
    .toSorted((a, b) => a.firstOffset - b.firstOffset);
  const firsts = [block.firstOffset, ...inside.map((gap) => toOffset(gap.lastOffset + 1))];
  const lasts = [...inside.map((gap) => toOffset(gap.firstOffset - 1)), block.lastOffset];
  return firsts.map((firstOffset, i) => ({ kind: 'block', block, firstOffset, lastOffset: lasts[i] ?? block.lastOffset }));
}

/** Says a gap once, and only to a viewer whose cursor is not behind it already. In its last upload a viewer may miss the rest of the frames. */
function sayGap(handover: Handover, gap: FlushGap, reason: 'trimmed' | 'unreadable'): Step {
  const first = max(gap.firstOffset, max(handover.cursor.offset, toOffset(handover.gapsSaidTo + 1)));
  if (first > gap.lastOffset) return stay(handover);
  return {
    handover: { ...handover, gapsSaidTo: gap.lastOffset },
    outgoing: [{ type: 'gap', firstOffset: first, lastOffset: gap.lastOffset, reason }],
  };
}

/** To the next block of the replay; behind the last one, the replay takes effect and the log is next. */
function replayOn(before: Handover): Step {
  let handover = before;
  const outgoing: Outgoing[] = [];
  const { replay } = handover;
  if (replay === null) return stay({ ...handover, stage: 'locating' });
  let { todo } = replay;
  for (let head = todo[0]; head?.kind === 'gap'; head = todo[0]) {
    const said = sayGap(handover, head, 'trimmed');
    handover = said.handover;
    outgoing.push(...said.outgoing);
    todo = todo.slice(1);
  }
  if (todo.length > 0) return { handover: { ...handover, stage: 'replaying', replay: { ...replay, todo } }, outgoing };
  return {
    // Floors lie in blocks: behind the chain everything is wanted.
    handover: { ...handover, stage: 'backlog', replay: null, covered: replay.chainEnd, marks: replay.marks, floors: null },
    outgoing,
  };
}

function finishBlock(handover: Handover): Step {
  const { replay } = handover;
  if (replay === null) return stay(handover);
  return replayOn({ ...handover, replay: { ...replay, todo: replay.todo.slice(1) } });
}

/** Once: the block may have been merged, so ask the catalog again, and go on behind the cursor. Twice: its frames are a gap. */
function loseBlock(handover: Handover): Step {
  const head = handover.replay?.todo[0];
  if (head?.kind !== 'block') return stay(handover);
  const name = `${head.block.objectKey} ${head.block.blockOffset}`;
  if (handover.lostBlock !== name) return stay({ ...handover, stage: 'locating', replay: null, lostBlock: name });
  const said = sayGap(handover, head, 'unreadable');
  // Marked as said in any case: a later answer of the catalog must not bring the block back.
  const after = finishBlock({ ...said.handover, gapsSaidTo: max(said.handover.gapsSaidTo, head.lastOffset) });
  return { handover: after.handover, outgoing: [...said.outgoing, ...after.outgoing] };
}

/** Everything at hand was sent: say so, and say the end when all that came before it was sent. */
function arrive(before: Handover, input: Of<'edge'>): Step {
  const handover: Handover = { ...before, stage: 'waiting', covered: max(before.covered, input.through) };
  const { ending } = handover;
  if (ending === null || handover.covered < ending.through) return tell(handover, ending?.said === true ? 'ended' : 'live');
  return sayEnd(handover);
}

/** Once as a message; as a state whenever the viewer comes back to the edge. */
function sayEnd(handover: Handover): Step {
  const { ending } = handover;
  if (ending === null) return stay(handover);
  const told = tell({ ...handover, ending: { ...ending, said: true } }, 'ended');
  if (ending.said) return told;
  const { reason, endedAtMs } = ending;
  return { handover: told.handover, outgoing: [{ type: 'ended', reason, endedAtMs }, ...told.outgoing] };
}

function lag(handover: Handover): Step {
  return { handover: { ...handover, stage: 'draining' }, outgoing: [{ type: 'lagged', position: handover.cursor }] };
}

function goBack(handover: Handover): Step {
  return tell({ ...handover, stage: 'locating', attempts: 0 }, handover.told === 'replaying' ? 'replaying' : 'catching-up');
}

const loseLog = (handover: Handover, input: Of<'gone'>): Step =>
  stay({ ...handover, stage: 'locating', attempts: 0, goneBefore: input.first });
const follow = (handover: Handover): Step => stay({ ...handover, stage: 'following' });

/** Inputs that mean the same wherever the viewer is. */
const ANYWHERE = { ended: noteEnd, left: leave } as const;

export const TRANSITIONS: Table = {
  locating: {
    ...ANYWHERE,
    located: locate,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: stay,
    met: stay,
    gone: stay,
    fallen: stay,
    edge: stay,
    woken: stay,
    overdue: stay,
    congested: stay,
    drained: stay,
  },
  replaying: {
    ...ANYWHERE,
    located: stay,
    frames: (handover, input) => sendFrames(handover, input.frames),
    'block-read': finishBlock,
    'block-lost': loseBlock,
    uploads: stay,
    met: stay,
    gone: stay,
    fallen: stay,
    edge: stay,
    woken: stay,
    overdue: stay,
    congested: stay,
    drained: stay,
  },
  backlog: {
    ...ANYWHERE,
    located: stay,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: takeUploads,
    met: follow,
    gone: loseLog,
    fallen: stay,
    edge: stay,
    woken: stay,
    overdue: stay,
    congested: stay,
    drained: stay,
  },
  following: {
    ...ANYWHERE,
    located: stay,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: takeUploads,
    met: stay,
    gone: stay,
    fallen: goBack,
    edge: arrive,
    woken: stay,
    overdue: stay,
    congested: lag,
    drained: stay,
  },
  waiting: {
    ...ANYWHERE,
    // The end may be sayable at once: look at the edge again.
    ended: (handover, input) => {
      const noted = noteEnd(handover, input);
      return { ...noted, handover: { ...noted.handover, stage: 'following' } };
    },
    located: stay,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: stay,
    met: stay,
    gone: stay,
    fallen: goBack,
    edge: stay,
    woken: follow,
    // The log's last offsets may be holes: waiting for them would keep the end from the viewer.
    overdue: sayEnd,
    congested: lag,
    drained: stay,
  },
  draining: {
    ...ANYWHERE,
    located: stay,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: stay,
    met: stay,
    gone: stay,
    fallen: stay,
    edge: stay,
    woken: stay,
    overdue: stay,
    congested: stay,
    drained: (handover) => tell({ ...handover, stage: 'following' }, 'catching-up'),
  },
  left: {
    ended: stay,
    left: stay,
    located: stay,
    frames: stay,
    'block-read': stay,
    'block-lost': stay,
    uploads: stay,
    met: stay,
    gone: stay,
    fallen: stay,
    edge: stay,
    woken: stay,
    overdue: stay,
    congested: stay,
    drained: stay,
  },
};

/** The state behind one input, and what goes to the viewer because of it. */
export function step(handover: Handover, input: Input): Step {
  // The table's type pairs each input with its cell; indexing by a union loses the pairing, hence the assertion.
  const cell = TRANSITIONS[handover.stage][input.kind] as (handover: Handover, input: Input) => Step;
  return cell(handover, input);
}
