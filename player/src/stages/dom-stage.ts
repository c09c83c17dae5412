import type { Position, PositionedFrame } from '@playhead/schemas';
import { EventType, Replayer, ReplayerEvents } from 'rrweb';
import type { DomEvent } from '../core/rrweb-frame.ts';
import { isDomKeyframe } from '../core/rrweb-frame.ts';
import { compareTimed, firstAtOrAfter, insertTimed, lastAtOrBefore } from '../core/timeline.ts';
import type { Displayed, Stage } from './stage.ts';
import { fit } from './stage.ts';

type ReplayerEvent = Exclude<ConstructorParameters<typeof Replayer>[0][number], string>;

interface DomEntry {
  readonly timestampMs: number;
  readonly position: Position;
  readonly events: readonly ReplayerEvent[];
}

/** A keyframe that is passed while the page plays costs a rebuild of its own; so rrweb gets about as much as is played in a while, ms. */
const AHEAD_MS = 120_000;
/** A step over more frames than this is rebuilt from the keyframe before it: that is quicker than playing them. */
const STEP_FRAMES_MAX = 300;
/** Events that throw are taken out one by one, up to this many; then the window is left as it is. */
const POISON_MAX = 50;
const UNKNOWN_VIEWPORT = { width: 1280, height: 800 };

/**
 * Replays one window from its rrweb events.
 *
 * rrweb's timer is a slave here: its own speed is 0 and `show` sets its time, so there is one clock, and pausing, stalling
 * and changing speed need nothing of rrweb. Three traps of rrweb 2.2.2 decide the rest:
 * - an event older than the `play` call's moment is applied to a virtual document that nobody shows until the next `play`;
 *   so `play` is never called for a moment behind the newest event known, and what comes out of order is rebuilt;
 * - a forward `play` repeats mutations where a mouse move was the last event applied; so forward steps only move the
 *   timer, and every `play` rebuilds from a keyframe;
 * - an action that throws ends rrweb's loop; so each is guarded.
 */
export class DomStage implements Stage {
  /** '' as long as it waits for one. */
  windowId = '';
  readonly element: HTMLElement;
  readonly #root: HTMLElement;
  readonly #onFault: (cause: unknown) => void;
  readonly #resizes: ResizeObserver;
  readonly #entries: DomEntry[] = [];
  /** Entries that hold a keyframe, in order of time. */
  readonly #keyframes: DomEntry[] = [];
  /** What rrweb has: from this entry on; null before the first rebuild. */
  #base: DomEntry | null = null;
  /** ... up to this moment. */
  #heldUntilMs = Number.POSITIVE_INFINITY;
  #replayer: Replayer | null = null;
  #shownMs = Number.NEGATIVE_INFINITY;
  #dirty = false;
  #still = false;
  #lastCast: ReplayerEvent | null = null;
  #size = UNKNOWN_VIEWPORT;

  constructor(onFault: (cause: unknown) => void) {
    this.#onFault = onFault;
    this.element = document.createElement('div');
    this.element.className = 'stage dom-stage';
    this.#root = document.createElement('div');
    this.#root.className = 'dom-root';
    this.element.append(this.#root);
    this.#resizes = new ResizeObserver(() => this.#fit());
    this.#resizes.observe(this.element);
  }

  /** The replayed document; null before the first keyframe was shown. */
  get contentDocument(): Document | null {
    return this.#base === null ? null : (this.#replayer?.iframe.contentDocument ?? null);
  }

  /** Events given to the stage so far. */
  get eventCount(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.events.length, 0);
  }

  /** Does now what takes time when the first page is shown; connected to the document. */
  prepare(): void {
    if (this.element.isConnected) this.#replayer ??= this.#create();
  }

  add(frame: PositionedFrame, events: readonly DomEvent[]): void {
    const entry = { timestampMs: frame.timestampMs, position: frame.position, events: events as unknown as ReplayerEvent[] };
    const index = insertTimed(this.#entries, entry);
    if (index === -1) return;
    if (isDomKeyframe(events)) insertTimed(this.#keyframes, entry);
    const [replayer, base] = [this.#replayer, this.#base];
    if (!replayer || !base || this.#dirty) return;
    // History that comes in before what rrweb has changes nothing of it; but it may tell the size that was not known.
    if (compareTimed(entry, base) < 0) {
      this.#dirty = !hasMeta(base) && hasMeta(entry);
      return;
    }
    if (entry.timestampMs >= this.#heldUntilMs) return;
    const inOrder = index === this.#entries.length - 1 || entry.timestampMs > this.#shownMs;
    if (!inOrder || entry.timestampMs < replayer.service.state.context.baselineTime) {
      this.#dirty = true;
      return;
    }
    for (const event of entry.events) {
      noteTouch(replayer, event);
      replayer.service.send({ type: 'ADD_EVENT', payload: { event } });
    }
  }

  show(timeMs: number, moving: boolean): void {
    const first = this.#keyframes[0];
    if (!first || !this.element.isConnected) return;
    const at = Math.max(timeMs, first.timestampMs);
    const replayer = this.#replayer ?? this.#create();
    this.#setStill(!moving);
    const isHeld = this.#base !== null && this.#base.timestampMs <= at && at < this.#heldUntilMs;
    if (this.#dirty || !isHeld || at < this.#shownMs || this.#framesBetween(this.#shownMs, at) > STEP_FRAMES_MAX)
      this.#rebuild(replayer, at);
    else replayer.timer.timeOffset = at - replayer.service.state.context.baselineTime;
    this.#shownMs = at;
  }

  displayed(): Displayed | null {
    if (!this.#replayer) return null;
    return this.#entries[lastAtOrBefore(this.#entries, this.#shownMs)] ?? null;
  }

  setActive(active: boolean): void {
    this.element.classList.toggle('active', active);
    // What was not drawn meanwhile is many steps: the next `show` decides by their number.
  }

  destroy(): void {
    this.#resizes.disconnect();
    this.#replayer?.destroy();
    this.#replayer = null;
    this.element.remove();
  }

  #framesBetween(fromMs: number, toMs: number): number {
    return lastAtOrBefore(this.#entries, toMs) - lastAtOrBefore(this.#entries, fromMs);
  }

  #create(): Replayer {
    const replayer = new Replayer([], {
      root: this.#root,
      liveMode: true,
      speed: 0,
      mouseTail: false,
      showWarning: true,
      showDebug: false,
      triggerFocus: false,
      UNSAFE_replayCanvas: false,
      insertStyleRules: ['html { scroll-behavior: auto !important; }'],
      logger: { log: () => undefined, warn: (...said: unknown[]) => this.#onFault(said) },
    });
    replayer.iframe.title = 'Replayed page';
    replayer.iframe.tabIndex = -1;
    replayer.on(ReplayerEvents.Resize, (size) => this.#resize(size as { width: number; height: number }));
    replayer.on(ReplayerEvents.EventCast, (event) => {
      this.#lastCast = event as ReplayerEvent;
    });
    replayer.on(ReplayerEvents.FullsnapshotRebuilded, () => this.#markStill());
    const { timer } = replayer;
    const addAction = timer.addAction.bind(timer);
    timer.addAction = (action) => {
      const guarded = (): void => {
        try {
          action.doAction();
        } catch (cause) {
          this.#onFault(cause);
        }
      };
      addAction({ doAction: guarded, delay: action.delay });
    };
    // It stops playback until style sheets are there, then plays on from the present moment: behind events under way.
    (replayer as unknown as { waitForStylesheetLoad: () => void }).waitForStylesheetLoad = () => undefined;
    this.#replayer = replayer;
    this.#dirty = true;
    return replayer;
  }

  /** Draws the window as it was at `timeMs` from the keyframe before it. */
  #rebuild(replayer: Replayer, timeMs: number): void {
    const { context } = replayer.service.state;
    const [first, untilMs] = this.#stretchAround(timeMs);
    const base = this.#entries[first] ?? null;
    if (this.#dirty || base !== this.#base || untilMs !== this.#heldUntilMs) {
      this.#base = base;
      this.#heldUntilMs = untilMs;
      context.events.length = 0;
      for (let index = first; index < this.#entries.length; index++) {
        const entry = this.#entries[index];
        if (!entry || entry.timestampMs >= untilMs) break;
        for (const event of entry.events) {
          noteTouch(replayer, event);
          context.events.push(event);
        }
      }
      if (context.events[0]?.type !== EventType.Meta) context.events.unshift(unknownMeta(context.events[0]?.timestamp ?? timeMs));
      this.#dirty = false;
    }
    for (let poisoned = 0; poisoned <= POISON_MAX; poisoned++) {
      const events = replayer.service.state.context.events;
      const startMs = events[0]?.timestamp ?? timeMs;
      const baseMs = Math.max(startMs, Math.min(timeMs, events.at(-1)?.timestamp ?? timeMs));
      this.#lastCast = null;
      replayer.service.state.context.lastPlayedEvent = null;
      try {
        replayer.play(baseMs - startMs);
        replayer.timer.timeOffset = timeMs - baseMs;
        this.#markStill();
        return;
      } catch (cause) {
        this.#onFault(cause);
        const at = this.#lastCast === null ? lastMetaBefore(events, baseMs) - 1 : events.indexOf(this.#lastCast);
        if (events.length < 3) return;
        events.splice(at + 1, 1);
      }
    }
  }

  /**
   * What is given to rrweb to draw a moment: from the entry of the keyframe before it (or of the size that was told right before that)
   * up to a later keyframe, from which it would be drawn anew; to the end where there is none.
   */
  #stretchAround(timeMs: number): readonly [first: number, untilMs: number] {
    const at = Math.max(0, lastAtOrBefore(this.#keyframes, timeMs));
    const keyframe = this.#keyframes[at];
    if (!keyframe) return [0, Number.POSITIVE_INFINITY];
    const next = this.#keyframes[lastAtOrBefore(this.#keyframes, timeMs + AHEAD_MS) + 1];
    const first = firstAtOrAfter(this.#entries, keyframe);
    const before = this.#keyframes[at - 1];
    return [withMeta(this.#entries, first, before), next?.timestampMs ?? Number.POSITIVE_INFINITY];
  }

  #setStill(still: boolean): void {
    if (still === this.#still) return;
    this.#still = still;
    this.#markStill();
  }

  /** rrweb's own mark: animations of the replayed page stand still with it. */
  #markStill(): void {
    this.contentDocument?.documentElement?.classList.toggle('rrweb-paused', this.#still);
  }

  #resize(size: { readonly width: number; readonly height: number }): void {
    this.#size = size.width > 0 && size.height > 0 ? size : UNKNOWN_VIEWPORT;
    this.#fit();
  }

  #fit(): void {
    const box = this.element.getBoundingClientRect();
    const { scale, left, top } = fit(box, this.#size, 1.5);
    this.#root.style.width = `${this.#size.width}px`;
    this.#root.style.height = `${this.#size.height}px`;
    this.#root.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  }
}

function hasMeta(entry: DomEntry): boolean {
  return entry.events.some((event) => event.type === EventType.Meta);
}

/** Index of the keyframe at `index`, or of the size that was told for it, behind the keyframe before it. */
function withMeta(entries: readonly DomEntry[], index: number, before: DomEntry | undefined): number {
  for (let at = index; at >= 0; at--) {
    const entry = entries[at];
    if (!entry || entry === before) break;
    if (hasMeta(entry)) return at;
  }
  return index;
}

function lastMetaBefore(events: readonly ReplayerEvent[], timeMs: number): number {
  return Math.max(
    0,
    events.findLastIndex((event) => event.type === EventType.Meta && event.timestamp <= timeMs),
  );
}

function unknownMeta(timestamp: number): ReplayerEvent {
  return { type: EventType.Meta, data: { href: '', ...UNKNOWN_VIEWPORT }, timestamp };
}

/** A finger is drawn as a circle, not as an arrow. */
function noteTouch(replayer: Replayer, event: ReplayerEvent): void {
  const data = (event as unknown as DomEvent).data as { source?: number; type?: number } | undefined;
  if (data?.source === 6 || (data?.source === 2 && data.type === 7)) {
    replayer.wrapper.querySelector('.replayer-mouse')?.classList.add('touch-device');
  }
}
