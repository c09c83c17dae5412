import type { Position, Track } from '@playhead/schemas';
import { comparePositions, formatPosition } from '@playhead/schemas';

/** One upload as it was sent, whatever became of it. */
export interface SentUpload {
  /** For people: which one it was. */
  readonly name: string;
  /** Digests of its frames. The first is of this upload alone. */
  readonly frames: readonly string[];
  /** When the first copy left: places in the order of everything that happened to the session. */
  readonly sentAt: number;
  /** When the first yes came; undefined while there was none. */
  readonly acknowledgedAt: number | undefined;
}

/** A frame as a reader got it. */
export interface ShownFrame {
  readonly position: Position;
  readonly windowId: string;
  readonly track: Track;
  readonly keyframe: boolean;
  /** Digest of everything but the position. */
  readonly digest: string;
}

/** Something that must not be, and how many frames it is about. */
export interface Difference {
  readonly kind: 'missing' | 'twice' | 'order' | 'unknown';
  readonly frames: number;
  readonly what: string;
}

/**
 * What a reader of a whole session got, compared with what was sent: every acknowledged upload whole, once; any other at most once and
 * not in part; an upload that left after the acknowledgement of another one behind that one.
 */
export function differences(sent: Iterable<SentUpload>, shown: readonly ShownFrame[]): Difference[] {
  const uploads = [...sent];
  const byFirst = new Map(uploads.map((upload) => [upload.frames[0], upload]));
  const seen = new Map<SentUpload, number>();
  const found = disorder(shown);
  let newest: SentUpload | undefined;
  for (const run of runsOf(shown)) {
    const first = run[0];
    const upload = byFirst.get(first?.digest);
    const at = first === undefined ? '' : formatPosition(first.position);
    if (upload === undefined) {
      found.push({ kind: 'unknown', frames: run.length, what: `${run.length} frames at ${at} are of no upload, or not its first` });
      continue;
    }
    const before = seen.get(upload);
    if (before !== undefined) {
      found.push({ kind: 'twice', frames: run.length, what: `${upload.name} is at offset ${before} and again at ${at}` });
      continue;
    }
    seen.set(upload, first?.position.offset ?? 0);
    found.push(...torn(upload, run));
    if (newest !== undefined && upload.acknowledgedAt !== undefined && upload.acknowledgedAt < newest.sentAt) {
      const what = `${upload.name} at ${at} is behind ${newest.name}, which left after its acknowledgement`;
      found.push({ kind: 'order', frames: run.length, what });
    }
    if (newest === undefined || upload.sentAt > newest.sentAt) newest = upload;
  }
  const missing = uploads.filter((upload) => upload.acknowledgedAt !== undefined && !seen.has(upload));
  if (missing.length > 0) {
    const frames = missing.reduce((sum, upload) => sum + upload.frames.length, 0);
    found.push({ kind: 'missing', frames, what: `acknowledged and not there: ${some(missing.map(({ name }) => name))}` });
  }
  return found;
}

/**
 * What a further reader of the same session got, compared with what a reader of all of it got: from its first position on the same.
 *
 * @param resumedBehind where it came back to, when it lost its connection: from there on it gets everything
 */
export function differencesFromWhole(
  whole: readonly ShownFrame[],
  shown: readonly ShownFrame[],
  from: From,
  resumedBehind?: Position,
): Difference[] {
  const found = disorder(shown);
  const places = new Map(shown.map((frame) => [formatPosition(frame.position), frame]));
  const known = new Set<string>();
  const missing: string[] = [];
  for (const frame of expectedFrom(whole, shown, from, resumedBehind)) {
    const place = formatPosition(frame.position);
    known.add(place);
    if (places.get(place)?.digest !== frame.digest) missing.push(place);
  }
  const strange = [...places.keys()].filter((place) => !known.has(place));
  if (missing.length > 0) found.push({ kind: 'missing', frames: missing.length, what: `not what others got at ${some(missing)}` });
  if (strange.length > 0) found.push({ kind: 'unknown', frames: strange.length, what: `others got nothing at ${some(strange)}` });
  return found;
}

/** Where a reader began: at the start, behind a position, or with the last keyframes that there were in blocks. */
export type From = 'start' | 'keyframe' | Position;

function expectedFrom(
  whole: readonly ShownFrame[],
  shown: readonly ShownFrame[],
  from: From,
  resumedBehind: Position | undefined,
): readonly ShownFrame[] {
  if (from === 'start') return whole;
  if (from !== 'keyframe') return whole.filter(({ position }) => comparePositions(position, from) > 0);
  const isResumed = ({ position }: ShownFrame): boolean => resumedBehind !== undefined && comparePositions(position, resumedBehind) > 0;
  const before = shown.filter((frame) => !isResumed(frame));
  const begins = beginsOf(before);
  const lanes = new Set(before.map(laneOf));
  const keyed = new Set(whole.filter(({ keyframe }) => keyframe).flatMap((frame) => [laneOf(frame), frame.windowId]));
  return whole.filter((frame) => {
    if (isResumed(frame)) return true;
    const lane = laneOf(frame);
    const begin = begins.get(lane) ?? begins.get(frame.windowId);
    // Its connection was lost before it came to where this track begins.
    const isAhead = !lanes.has(lane) && (keyed.has(lane) || (begin === undefined && keyed.has(frame.windowId)));
    if (resumedBehind !== undefined && isAhead) return false;
    return begin === undefined || comparePositions(frame.position, begin) >= 0;
  });
}

/**
 * Where a reader began that asked for the last keyframes: a track of a window with its first keyframe, a track without any with the earliest
 * of the window's others. Which keyframe was the last is the gateway's to know.
 */
function beginsOf(shown: readonly ShownFrame[]): ReadonlyMap<string, Position> {
  const lanes = new Set<string>();
  const begins = new Map<string, Position>();
  for (const frame of shown) {
    const lane = laneOf(frame);
    if (lanes.has(lane)) continue;
    lanes.add(lane);
    if (!frame.keyframe) continue;
    begins.set(lane, frame.position);
    if (!begins.has(frame.windowId)) begins.set(frame.windowId, frame.position);
  }
  return begins;
}

function laneOf({ windowId, track }: ShownFrame): string {
  return `${windowId} ${track}`;
}

/** Positions that do not grow. */
function disorder(shown: readonly ShownFrame[]): Difference[] {
  const twice: string[] = [];
  const backwards: string[] = [];
  const places = new Set<string>();
  let last: Position | undefined;
  for (const { position } of shown) {
    const place = formatPosition(position);
    if (places.has(place)) twice.push(place);
    else if (last !== undefined && comparePositions(last, position) > 0) backwards.push(place);
    else last = position;
    places.add(place);
  }
  const found: Difference[] = [];
  if (twice.length > 0) found.push({ kind: 'twice', frames: twice.length, what: `came twice: ${some(twice)}` });
  if (backwards.length > 0) found.push({ kind: 'order', frames: backwards.length, what: `came late: ${some(backwards)}` });
  return found;
}

/** The frames of each upload in the order of uploads; what came twice is in there once. */
function runsOf(shown: readonly ShownFrame[]): ShownFrame[][] {
  const runs = new Map<number, Map<number, ShownFrame>>();
  for (const frame of shown) {
    const { offset, index } = frame.position;
    const run = runs.get(offset) ?? new Map<number, ShownFrame>();
    if (!run.has(index)) run.set(index, frame);
    runs.set(offset, run);
  }
  const ascending = <T>(entries: Iterable<[number, T]>): T[] => [...entries].toSorted(([a], [b]) => a - b).map(([, value]) => value);
  return ascending(runs).map((run) => ascending(run));
}

/** An upload that was shown, and not as it was sent. */
function torn(upload: SentUpload, run: readonly ShownFrame[]): Difference[] {
  const wrong = upload.frames.filter((digest, index) => run[index]?.digest !== digest || run[index]?.position.index !== index).length;
  const more = Math.max(0, run.length - upload.frames.length);
  const found: Difference[] = [];
  if (wrong > 0) found.push({ kind: 'missing', frames: wrong, what: `${upload.name} lacks ${wrong} of ${upload.frames.length} frames` });
  if (more > 0) found.push({ kind: 'unknown', frames: more, what: `${upload.name} has ${more} frames more than were sent` });
  return found;
}

const SOME = 5;

function some(places: readonly string[]): string {
  return places.length <= SOME ? places.join(', ') : `${places.slice(0, SOME).join(', ')} and ${places.length - SOME} more`;
}
