import type { PositionedFrame } from '@playhead/schemas';
import { readGap, SessionGaps } from './gaps.ts';
import { addActivity } from './inactivity.ts';
import type { TimelineMark } from './marks.ts';
import { readSignal } from './marks.ts';
import type { DomEvent } from './rrweb-frame.ts';
import { hrefOf, isChange, isClick, isDomKeyframe, isPersonal } from './rrweb-frame.ts';
import type { Timed } from './timeline.ts';
import { compareTimed, insertTimed, lastAtOrBefore } from './timeline.ts';

interface InWindow extends Timed {
  readonly windowId: string;
}

interface PageAt extends InWindow {
  readonly href: string;
}

/** Two signs of life of the same window closer than this are one, where the active window is looked for. */
const SAME_WINDOW_GRAIN_MS = 500;
const PERSONAL_KINDS = new Set(['click', 'tap', 'input', 'navigation']);

/**
 * What the frames of a session say beside their pictures: marks, when the person did something, in which window, on which
 * page. Fed frame by frame, in any order of time.
 */
export class SessionTracks {
  /** Moments at which the person did something, sorted. */
  readonly activity: number[] = [];
  /** What is missing. */
  readonly gaps = new SessionGaps();
  readonly #signals: TimelineMark[] = [];
  /** Clicks read from rrweb events, for sessions whose recorder sends no signals. */
  readonly #clicks: TimelineMark[] = [];
  #derived: { readonly key: string; readonly marks: readonly TimelineMark[] } = { key: '', marks: [] };
  readonly #windowActivity: InWindow[] = [];
  readonly #pages: PageAt[] = [];
  readonly #imageBytes = new Map<string, number>();
  /** Of each window, its earliest keyframe, or picture. */
  readonly #openings = new Map<string, InWindow>();

  /** In order of time. */
  get marks(): readonly TimelineMark[] {
    return this.#signals.length > 0 ? this.#signals : this.#fromEvents();
  }

  /** Takes a signal frame. False when its payload is none. */
  addSignal(frame: Omit<PositionedFrame, 'payload' | 'track' | 'keyframe'>, value: unknown): boolean {
    this.gaps.note(frame);
    const gap = readGap(value, frame.timestampMs);
    if (gap) {
      this.gaps.tell(frame, gap);
      return true;
    }
    const signal = readSignal(value);
    if (!signal) return false;
    const mark = markOf(frame, signal.kind, signal.text);
    if (insertTimed(this.#signals, mark) === -1) return true;
    if (PERSONAL_KINDS.has(signal.kind)) this.#act(frame);
    if (signal.kind === 'navigation' && /^https?:/.test(signal.text)) insertTimed(this.#pages, { ...placeOf(frame), href: signal.text });
    return true;
  }

  addDom(frame: PositionedFrame, events: readonly DomEvent[]): void {
    this.gaps.note(frame);
    if (isDomKeyframe(events)) this.gaps.noteDom(frame, 'keyframe');
    else if (events.some(isChange)) this.gaps.noteDom(frame, 'change');
    for (const event of events) {
      const href = hrefOf(event);
      if (href !== undefined) this.#visit(frame, href);
      if (isClick(event)) insertTimed(this.#clicks, markOf(frame, 'click', ''));
    }
    if (isDomKeyframe(events)) this.#open(frame);
    if (events.some(isPersonal)) this.#act(frame);
  }

  /** Takes a picture; one of another size than the one before it means that something moved. */
  addImage(frame: Omit<PositionedFrame, 'payload' | 'track' | 'keyframe'>, bytes: number): void {
    this.gaps.note(frame);
    const before = this.#imageBytes.get(frame.windowId);
    this.#imageBytes.set(frame.windowId, bytes);
    this.#open(frame);
    if (before !== bytes) addActivity(this.activity, frame.timestampMs);
  }

  /** The window in which the person was last active at a moment, or that was opened last; the first one before that. */
  windowAt(timeMs: number): string | undefined {
    let latest = this.#windowActivity[lastAtOrBefore(this.#windowActivity, timeMs)];
    let first = this.#windowActivity[0];
    for (const opening of this.#openings.values()) {
      if (opening.timestampMs <= timeMs && (latest === undefined || compareTimed(opening, latest) > 0)) latest = opening;
      if (first === undefined || compareTimed(opening, first) < 0) first = opening;
    }
    return (latest ?? first)?.windowId;
  }

  /** Address of the page that a window showed at a moment; '' when none is known. */
  hrefAt(timeMs: number, windowId: string | null): string {
    for (let index = lastAtOrBefore(this.#pages, timeMs); index >= 0; index--) {
      const page = this.#pages[index];
      if (page && (windowId === null || page.windowId === windowId)) return page.href;
    }
    return this.#pages.find((page) => windowId === null || page.windowId === windowId)?.href ?? '';
  }

  #visit(frame: PositionedFrame, href: string): void {
    insertTimed(this.#pages, { ...placeOf(frame), href });
  }

  /** Clicks, and where a window shows another page than before. */
  #fromEvents(): readonly TimelineMark[] {
    const key = `${this.#clicks.length}:${this.#pages.length}`;
    if (key === this.#derived.key) return this.#derived.marks;
    const shown = new Map<string, string>();
    const navigations = this.#pages.filter(({ windowId, href }) => {
      const isOther = shown.get(windowId) !== href;
      shown.set(windowId, href);
      return isOther;
    });
    const marks = [...this.#clicks, ...navigations.map((page) => markOf(page, 'navigation', page.href))].toSorted(compareTimed);
    this.#derived = { key, marks };
    return marks;
  }

  #open(frame: InWindow): void {
    const before = this.#openings.get(frame.windowId);
    if (before !== undefined && compareTimed(frame, before) >= 0) return;
    this.#openings.set(frame.windowId, placeOf(frame));
    addActivity(this.activity, frame.timestampMs);
  }

  #act(frame: InWindow): void {
    addActivity(this.activity, frame.timestampMs);
    const before = this.#windowActivity[lastAtOrBefore(this.#windowActivity, frame.timestampMs)];
    const same = before?.windowId === frame.windowId && frame.timestampMs - before.timestampMs < SAME_WINDOW_GRAIN_MS;
    if (!same) insertTimed(this.#windowActivity, placeOf(frame));
  }
}

function placeOf(frame: InWindow): InWindow {
  return { timestampMs: frame.timestampMs, position: frame.position, windowId: frame.windowId };
}

function markOf(frame: InWindow, kind: TimelineMark['kind'], text: string): TimelineMark {
  return { ...placeOf(frame), kind, text };
}
