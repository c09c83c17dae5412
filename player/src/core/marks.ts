import type { Position, SignalKind } from '@playhead/schemas';

/** A signal on the timeline and in the list beside the player. */
export interface TimelineMark {
  readonly timestampMs: number;
  readonly position: Position;
  readonly windowId: string;
  readonly kind: SignalKind;
  /** What a person reads. */
  readonly text: string;
}

/** A signal as it may come: anybody can record anything. */
interface LooseSignal {
  readonly kind?: unknown;
  readonly text?: unknown;
  readonly selector?: unknown;
  readonly url?: unknown;
  readonly value?: unknown;
}

const KIND_TEXT: Record<SignalKind, string> = {
  click: 'Click',
  tap: 'Tap',
  input: 'Input',
  navigation: 'Navigation',
  console: 'Console',
  request: 'Request',
  error: 'Error',
  crash: 'Crash',
  custom: 'Event',
  gap: 'Gap',
};

/** What hides what where two marks meet: higher wins. 0 is not shown on the timeline. */
const WEIGHT: Record<SignalKind, number> = {
  crash: 6,
  error: 5,
  navigation: 4,
  click: 3,
  tap: 3,
  custom: 2,
  input: 1,
  console: 0,
  request: 0,
  // Shown as a stretch of its own.
  gap: 0,
};

function isSignalKind(value: unknown): value is SignalKind {
  return typeof value === 'string' && Object.hasOwn(KIND_TEXT, value);
}

export function kindText(kind: SignalKind): string {
  return KIND_TEXT[kind];
}

/** Reads a signal's payload; undefined for what is none. */
export function readSignal(value: unknown): { readonly kind: SignalKind; readonly text: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const signal = value as LooseSignal;
  if (!isSignalKind(signal.kind)) return undefined;
  const said = [signal.text, signal.url, signal.value, signal.selector].find((part) => typeof part === 'string' && part !== '');
  return { kind: signal.kind, text: typeof said === 'string' ? said.slice(0, 300) : '' };
}

export interface MarkCluster {
  /** The mark that stands for all: the weightiest, the earliest of them. */
  readonly mark: TimelineMark;
  readonly count: number;
  /** 0 .. 1 of the timeline. */
  readonly at: number;
}

/** Marks as they fit on a timeline of `places` places: one for each place. */
export function clusterMarks(marks: readonly TimelineMark[], startMs: number, endMs: number, places: number): MarkCluster[] {
  const span = endMs - startMs;
  if (span <= 0 || places < 1) return [];
  const clusters = new Map<number, MarkCluster>();
  for (const mark of marks) {
    if (WEIGHT[mark.kind] === 0 || mark.timestampMs < startMs || mark.timestampMs > endMs) continue;
    const at = (mark.timestampMs - startMs) / span;
    const place = Math.min(places - 1, Math.floor(at * places));
    const there = clusters.get(place);
    if (!there) clusters.set(place, { mark, count: 1, at });
    else if (WEIGHT[mark.kind] > WEIGHT[there.mark.kind]) clusters.set(place, { mark, count: there.count + 1, at });
    else clusters.set(place, { ...there, count: there.count + 1 });
  }
  return [...clusters.values()];
}
