import type { IncompleteFrame, Offset, Position, SignalKind, Track } from '@playhead/schemas';
import { isGapReason, SIGNAL_KINDS, TRACKS } from '@playhead/schemas';
import type { TimeRange } from './inactivity.ts';

/** A stretch of the session of which something is missing. */
export interface Gap extends TimeRange {
  /** Stays the same while the gap grows. */
  readonly id: string;
  /** A word of the recorder (GAP_REASONS, or one that is not known here), of the server, or of this reader. */
  readonly reason: string;
  /** Nothing ends it yet: `toMs` is the newest moment that is known. */
  readonly open: boolean;
  /** Null: in all windows. */
  readonly windowId: string | null;
  /** How much is missing; null where nobody knows. */
  readonly frames: number | null;
  readonly bytes: number | null;
  /** Track of all that is missing; null when of several, or unknown. */
  readonly track: Track | null;
  /** Kind of the signals that are missing. */
  readonly of: SignalKind | null;
}

/** Why the server has nothing: the log dropped it too early, or a block cannot be read. */
export type ServerReason = 'trimmed' | 'unreadable';

/** What this reader finds missing: a keyframe, or parts of a frame. `unknown`: a recorder gave no reason. */
export type ReaderReason = 'no_keyframe' | 'keyframe_incomplete' | 'incomplete' | 'unknown';

/** With less than this before its keyframe a window is not called blind, ms: nobody would see it. */
const BLIND_MIN_MS = 1_000;
/** Gaps that are listed, and each kind that is kept: anybody can record anything. */
export const GAPS_MAX = 1_000;

/** What a gap signal tells of itself; anybody can record anything. */
type ToldGap = Pick<Gap, 'reason' | 'fromMs' | 'toMs' | 'frames' | 'bytes' | 'track' | 'of'>;

interface Placed {
  readonly position: Position;
  readonly timestampMs: number;
}

interface InWindow extends Placed {
  readonly windowId: string;
}

/** Uploads that the server has lost, between frames before and behind them. */
export interface LostOffsets {
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  readonly reason: ServerReason;
}

interface Window {
  /** Earliest change of the page. */
  firstChangeMs: number;
  /** Of its keyframes, sorted. */
  readonly keyframesMs: number[];
}

/** Times of the frames of one upload. */
interface UploadTimes extends TimeRange {
  readonly offset: Offset;
}

/** Reads what a gap signal tells; undefined for what is no gap. */
export function readGap(value: unknown, timestampMs: number): ToldGap | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const told = value as Readonly<Record<string, unknown>>;
  if (told['kind'] !== 'gap') return undefined;
  const numberOf = (name: string): number | null => {
    const number = told[name];
    return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
  };
  const toMs = numberOf('toMs') ?? timestampMs;
  return {
    reason: isGapReason(told['reason']) ? told['reason'] : 'unknown',
    fromMs: Math.min(numberOf('fromMs') ?? toMs, toMs),
    toMs,
    frames: numberOf('frames'),
    bytes: numberOf('bytes'),
    track: TRACKS.find((track) => track === told['track']) ?? null,
    of: SIGNAL_KINDS.find((kind) => kind === told['value']) ?? null,
  };
}

/**
 * Everything that is missing of a session, from whoever noticed: the recorder (a signal), the server (uploads that it lost), or
 * this reader (changes of a page without a keyframe before them, frames of which only parts came).
 *
 * Fed frame by frame in any order; `list` places what it knows on the timeline.
 */
export class SessionGaps {
  readonly #told = new Map<string, Gap>();
  #lost: LostOffsets[] = [];
  readonly #uploads: UploadTimes[] = [];
  readonly #windows = new Map<string, Window>();
  #incomplete: readonly IncompleteFrame[] = [];
  /** Grows with every change: what was computed before it is out of date. */
  #changes = 0;

  get changes(): number {
    return this.#changes;
  }

  /** A recorder tells of a gap. */
  tell(frame: InWindow, told: ToldGap): void {
    const id = `${frame.position.offset}.${frame.position.index}`;
    if (this.#told.has(id) || this.#told.size >= GAPS_MAX) return;
    this.#told.set(id, { id, windowId: frame.windowId, open: false, ...told });
    this.#changes++;
  }

  /** The server has lost these offsets; what it told before may come again, or a part of it before the whole. */
  lose(lost: LostOffsets): void {
    if (this.#lost.some((known) => covers(known, lost))) return;
    this.#lost = this.#lost.filter((known) => !covers(lost, known));
    if (this.#lost.length >= GAPS_MAX) return;
    this.#lost.push(lost);
    this.#changes++;
  }

  /** These frames came in part only. All that are known now. */
  miss(incomplete: readonly IncompleteFrame[]): void {
    if (incomplete.length === this.#incomplete.length) return;
    this.#incomplete = incomplete;
    this.#changes++;
  }

  /** A frame is there: it says where the gaps around it are. */
  note({ position, timestampMs }: Placed): void {
    const { offset } = position;
    const last = this.#uploads.at(-1);
    const index = last === undefined || last.offset < offset ? this.#uploads.length : this.#indexOf(offset);
    const there = this.#uploads[index];
    if (there?.offset === offset) {
      if (there.fromMs <= timestampMs && timestampMs <= there.toMs) return;
      this.#uploads[index] = { offset, fromMs: Math.min(there.fromMs, timestampMs), toMs: Math.max(there.toMs, timestampMs) };
    } else {
      this.#uploads.splice(index, 0, { offset, fromMs: timestampMs, toMs: timestampMs });
    }
    if (this.#lost.length > 0) this.#changes++;
  }

  /** A frame of a page is there: `keyframe` draws the page, `change` needs one before it. */
  noteDom(frame: InWindow, what: 'keyframe' | 'change'): void {
    const { windowId, timestampMs } = frame;
    let window = this.#windows.get(windowId);
    if (!window) {
      window = { firstChangeMs: Number.POSITIVE_INFINITY, keyframesMs: [] };
      this.#windows.set(windowId, window);
    }
    if (what === 'keyframe') {
      addTime(window.keyframesMs, timestampMs);
      this.#changes++;
    } else if (timestampMs < window.firstChangeMs) {
      window.firstChangeMs = timestampMs;
      this.#changes++;
    }
  }

  /**
   * All gaps, in order of time.
   *
   * @param extent first and newest moment of the session: where a gap ends that nothing ends yet
   * @param absent what of history is still on its way: what is only found missing is told where history has come already; null when it is complete
   */
  list(extent: TimeRange, absent: TimeRange | null = null): Gap[] {
    const hasCome = (gap: Gap): boolean => absent === null || gap.toMs <= absent.fromMs;
    const lost = this.#lost.map((one) => this.#place(one, extent));
    const found = [...this.#blind(extent), ...this.#incomplete.map((incomplete) => this.#part(incomplete, extent))];
    const gaps = [
      ...this.#told.values(),
      // The server's word; only its place needs the frames around it.
      ...lost.filter((gap) => hasCome(gap) || gap.fromMs >= (absent?.toMs ?? 0)),
      ...found.filter(hasCome),
    ];
    return gaps.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs).slice(0, GAPS_MAX);
  }

  /** Uploads are in order of offset: what is missing lies between the frames before it and those behind it. */
  #place({ firstOffset, lastOffset, reason }: LostOffsets, extent: TimeRange): Gap {
    const behind = this.#indexOf(firstOffset);
    let fromMs = Number.NEGATIVE_INFINITY;
    for (const upload of this.#uploads.slice(0, behind)) fromMs = Math.max(fromMs, upload.toMs);
    const after = this.#uploads.slice(behind).find(({ offset }) => offset > lastOffset);
    const toMs = after?.fromMs ?? Math.max(extent.toMs, fromMs);
    const from = Number.isFinite(fromMs) ? Math.min(fromMs, toMs) : Math.min(extent.fromMs, toMs);
    return { ...NOBODY_KNOWS, id: `lost ${firstOffset}`, reason, fromMs: from, toMs, open: after === undefined, windowId: null };
  }

  #blind(extent: TimeRange): Gap[] {
    return [...this.#windows].flatMap(([windowId, { firstChangeMs, keyframesMs }]): Gap[] => {
      const [keyframeMs] = keyframesMs;
      const toMs = keyframeMs ?? Math.max(extent.toMs, firstChangeMs);
      if (toMs - firstChangeMs < BLIND_MIN_MS) return [];
      const [id, open] = [`blind ${windowId}`, keyframeMs === undefined];
      return [{ ...NOBODY_KNOWS, id, reason: 'no_keyframe', fromMs: firstChangeMs, toMs, open, windowId, track: 'dom' }];
    });
  }

  #part(incomplete: IncompleteFrame, extent: TimeRange): Gap {
    const { position, windowId, track, timestampMs } = incomplete;
    // Without its beginning nobody knows what it was: it may have been the keyframe.
    const draws = incomplete.keyframe || incomplete.reason === 'no-beginning';
    const next = this.#windows.get(windowId)?.keyframesMs.find((atMs) => atMs > timestampMs);
    const toMs = draws ? (next ?? Math.max(extent.toMs, timestampMs)) : timestampMs;
    const [id, reason] = [`parts ${position.offset}.${position.index}`, draws ? 'keyframe_incomplete' : 'incomplete'];
    return { ...NOBODY_KNOWS, id, reason, fromMs: timestampMs, toMs, open: draws && next === undefined, windowId, track };
  }

  /** Index of the first upload that is not before `offset`. */
  #indexOf(offset: Offset): number {
    let low = 0;
    let high = this.#uploads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#uploads[middle]?.offset ?? offset) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function covers(whole: LostOffsets, part: LostOffsets): boolean {
  return whole.firstOffset <= part.firstOffset && part.lastOffset <= whole.lastOffset;
}

const NOBODY_KNOWS = { frames: null, bytes: null, track: null, of: null } as const;

/** What is on the screen inside of such a gap is not the page as it was then: it must not be seen. */
const WRONG_PICTURE: ReadonlySet<string> = new Set(['no_keyframe', 'keyframe_incomplete', 'keyframe_lost']);

export function hidesPicture(gap: Gap): boolean {
  return WRONG_PICTURE.has(gap.reason);
}

/** Nothing went wrong: nobody was there to be recorded. */
export function isAbsence(gap: Gap): boolean {
  return gap.reason === 'background';
}

/** The gap in which a moment of a window lies, as far as its picture is concerned; the one that matters most. */
export function gapAt(gaps: readonly Gap[], timeMs: number, windowId: string | null): Gap | null {
  const isAround = (gap: Gap): boolean => gap.fromMs <= timeMs && (timeMs < gap.toMs || gap.open);
  const isOf = (gap: Gap): boolean => gap.windowId === null || windowId === null || gap.windowId === windowId;
  const around = gaps.filter((gap) => gap.track !== 'signal' && isAround(gap) && isOf(gap));
  return around.find(hidesPicture) ?? around[0] ?? null;
}

/** Adds a moment to a sorted list, each once. */
function addTime(times: number[], timeMs: number): void {
  let at = times.length;
  while (at > 0 && (times[at - 1] ?? 0) > timeMs) at--;
  if (times[at - 1] !== timeMs) times.splice(at, 0, timeMs);
}
