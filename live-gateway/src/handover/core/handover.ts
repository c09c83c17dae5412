import type {
  EndReason,
  FlushBlock,
  FlushGap,
  JoinFrom,
  Offset,
  Position,
  PositionedFrame,
  StreamState,
  UploadIdentity,
} from '@playhead/schemas';
import { comparePositions, Marks, NO_OFFSET, START } from '@playhead/schemas';
import type { Floors } from './floors.ts';
import { isAboveFloor } from './floors.ts';

/**
 * One viewer's way through history, backlog and live: what it is doing (`stage`), what it has, what it hears.
 * Rules: ../SPEC.md (LH...). The table of transitions is in `transitions.ts`.
 */
export const STAGES = ['locating', 'replaying', 'backlog', 'following', 'waiting', 'draining', 'left'] as const;

/**
 * - `locating`: asks the catalog for the blocks and the end of the chain
 * - `replaying`: sends the frames of blocks
 * - `backlog`: reads the log by itself, until it meets the shared window
 * - `following`: takes from the shared window what is behind it
 * - `waiting`: has everything; the next upload wakes it
 * - `draining`: too slow; waits for its socket
 * - `left`: over
 */
export type Stage = (typeof STAGES)[number];

/** What the catalog says of a block, as far as the handover needs it. */
export type BlockRef = Pick<
  FlushBlock,
  'blockOffset' | 'blockLength' | 'firstOffset' | 'lastOffset' | 'lastReceivedAtMs' | 'marks' | 'frameIndex'
> & { readonly objectKey: string; readonly flushLastOffset: Offset };

/** One upload of the session in the log. `frames` are asked for only where the handover has neither passed the upload nor its marks. */
export interface UploadInLog extends UploadIdentity {
  readonly offset: Offset;
  readonly receivedAtMs: number;
  readonly sentAtMs: number;
  /** Why it has no frames, where nothing could make out what it holds. */
  readonly spoiled?: string | null;
  readonly frames: readonly PositionedFrame[];
}

export type Input =
  /** The catalog's answer. `behind`: the log has valid flushes that the catalog has not taken over. */
  | {
      readonly kind: 'located';
      readonly chainEnd: Offset;
      readonly blocks: readonly BlockRef[];
      readonly gaps: readonly FlushGap[];
      readonly behind: boolean;
    }
  /** Some frames of the block being replayed, in order. */
  | { readonly kind: 'frames'; readonly frames: readonly PositionedFrame[] }
  | { readonly kind: 'block-read' }
  | { readonly kind: 'block-lost' }
  /** Uploads of the session in log order; `through`: there are no others up to this offset. */
  | { readonly kind: 'uploads'; readonly uploads: readonly UploadInLog[]; readonly through: Offset }
  /** The shared window holds everything behind `covered`. */
  | { readonly kind: 'met' }
  /** The log was trimmed: `first` is what it still holds. */
  | { readonly kind: 'gone'; readonly first: Offset }
  /** The shared window does not hold everything behind `covered` any more. */
  | { readonly kind: 'fallen' }
  /** The shared window has nothing more of this session up to `through`. */
  | { readonly kind: 'edge'; readonly through: Offset }
  | { readonly kind: 'woken' }
  /** The window has not come to the offset that was waited for: nothing may be there. */
  | { readonly kind: 'overdue' }
  | { readonly kind: 'congested' }
  | { readonly kind: 'drained' }
  /** The session is over; `through`: the last offset that the log had given out when this became known. */
  | { readonly kind: 'ended'; readonly reason: EndReason; readonly endedAtMs: number; readonly through: Offset }
  | { readonly kind: 'left' };

export const INPUTS = [
  'located',
  'frames',
  'block-read',
  'block-lost',
  'uploads',
  'met',
  'gone',
  'fallen',
  'edge',
  'woken',
  'overdue',
  'congested',
  'drained',
  'ended',
  'left',
] as const satisfies readonly Input['kind'][];

/** What the driver has to do next; its result is the next input. */
export type Ask =
  /** → `located`. `checkBehind`: look whether the catalog lags behind the chain. */
  | { readonly kind: 'locate'; readonly attempt: number; readonly checkBehind: boolean }
  /** → `frames` of uploads up to `through` (any number of times), then `block-read`; or `block-lost`. */
  | {
      readonly kind: 'read-block';
      readonly block: BlockRef;
      readonly after: Position;
      readonly through: Offset;
      readonly floors: Floors | null;
    }
  /** → `met` as soon as the window reaches back to `after`; else `uploads` or `gone`. */
  | { readonly kind: 'read-log'; readonly after: Offset }
  /** → `uploads`, `edge` or `fallen`, at once; `congested` after an upload that the socket could not take. */
  | { readonly kind: 'follow'; readonly after: Offset }
  /** → `woken` when there is an upload behind `after`, or the window has come to `until`; `overdue` when it does not come to `until`. */
  | { readonly kind: 'wait'; readonly after: Offset; readonly until: Offset | null }
  /** → `drained` */
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop' };

/** What goes to the viewer, in order. */
export type Outgoing =
  | { readonly type: 'frames'; readonly upload: UploadInLog | null; readonly frames: readonly PositionedFrame[] }
  | { readonly type: 'state'; readonly state: StreamState }
  | { readonly type: 'lagged'; readonly position: Position }
  | { readonly type: 'gap'; readonly firstOffset: Offset; readonly lastOffset: Offset; readonly reason: 'trimmed' | 'unreadable' }
  | { readonly type: 'ended'; readonly reason: EndReason; readonly endedAtMs: number };

/** A piece of history that is still to be sent. Of a block those uploads that are from `firstOffset` to `lastOffset`: a merged one may reach across gaps. */
export type Todo =
  | { readonly kind: 'block'; readonly block: BlockRef; readonly firstOffset: Offset; readonly lastOffset: Offset }
  | { readonly kind: 'gap'; readonly firstOffset: Offset; readonly lastOffset: Offset };

export interface Ending {
  readonly reason: EndReason;
  readonly endedAtMs: number;
  readonly through: Offset;
  readonly said: boolean;
}

/**
 * The state of one viewer. Values are replaced, not changed, with one exception: `marks` is taken over by the next
 * state (a copy per upload would cost more than the upload), so a state that was stepped must not be stepped again.
 */
export interface Handover {
  readonly stage: Stage;
  /** Frames at or before it were sent, or were not asked for. */
  readonly cursor: Position;
  /** Every upload at or before it was decided, its frames sent. `marks` are exactly those of the uploads up to here. */
  readonly covered: Offset;
  readonly marks: Marks;
  /** `keyframe` until the first answer of the catalog has turned it into `floors`. */
  readonly wantsKeyframe: boolean;
  readonly floors: Floors | null;
  /** History being replayed; takes effect on `covered` and `marks` as a whole when it is done, so that it can be given up. */
  readonly replay: { readonly chainEnd: Offset; readonly marks: Marks; readonly todo: readonly Todo[] } | null;
  /** Where the log begins, when it was found not to hold what follows `covered`. */
  readonly goneBefore: Offset | null;
  /** How often the catalog was asked in a row without getting on. */
  readonly attempts: number;
  /** Key of the block that was lost when last tried. */
  readonly lostBlock: string | null;
  /** Gaps up to this offset were said. */
  readonly gapsSaidTo: Offset;
  /** The last state the viewer heard. */
  readonly told: StreamState;
  readonly ending: Ending | null;
}

export interface Step {
  readonly handover: Handover;
  readonly outgoing: readonly Outgoing[];
}

/** A new viewer: locating, having heard `replaying`. */
export function begin(from: JoinFrom): Step {
  const handover: Handover = {
    stage: 'locating',
    cursor: typeof from === 'object' ? from.after : START,
    covered: NO_OFFSET,
    marks: new Marks(),
    wantsKeyframe: from === 'keyframe',
    floors: null,
    replay: null,
    goneBefore: null,
    attempts: 0,
    lostBlock: null,
    gapsSaidTo: NO_OFFSET,
    told: 'replaying',
    ending: null,
  };
  return { handover, outgoing: [{ type: 'state', state: 'replaying' }] };
}

/** What the driver has to do in this state. */
export function nextAsk(handover: Handover): Ask {
  switch (handover.stage) {
    case 'locating':
      return { kind: 'locate', attempt: handover.attempts, checkBehind: handover.goneBefore !== null };
    case 'replaying': {
      const head = handover.replay?.todo[0];
      if (head?.kind !== 'block') throw new Error('a replay without a block to read');
      return { kind: 'read-block', block: head.block, after: handover.cursor, through: head.lastOffset, floors: handover.floors };
    }
    case 'backlog':
      return { kind: 'read-log', after: handover.covered };
    case 'following':
      return { kind: 'follow', after: handover.covered };
    case 'waiting': {
      const { ending } = handover;
      return { kind: 'wait', after: handover.covered, until: ending !== null && !ending.said ? ending.through : null };
    }
    case 'draining':
      return { kind: 'drain' };
    case 'left':
      return { kind: 'stop' };
    default:
      return handover.stage satisfies never;
  }
}

/** True when the viewer has not got this frame and asked for it. */
export function wants(
  handover: Pick<Handover, 'cursor' | 'floors'>,
  frame: Pick<PositionedFrame, 'position' | 'windowId' | 'track'>,
): boolean {
  return comparePositions(frame.position, handover.cursor) > 0 && isAboveFloor(handover.floors, frame);
}
