import type { Position, PositionedFrame } from '@playhead/schemas';
import { EventType, Replayer, ReplayerEvents } from 'rrweb';
import type { DomEvent } from '../core/rrweb-frame.ts';
import { isDomKeyframe } from '../core/rrweb-frame.ts';
import { insertTimed, lastAtOrBefore } from '../core/timeline.ts';
import type { Displayed, Stage } from './stage.ts';
import { fit } from './stage.ts';

type ReplayerEvent = Exclude<ConstructorParameters<typeof Replayer>[0][number], string>;

interface DomEntry {
  readonly timestampMs: number;
  readonly position: Position;
  readonly events: readonly ReplayerEvent[];
}

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
  readonly windowId: string;
  readonly element: HTMLElement;
  readonly #root: HTMLElement;
  readonly #onFault: (cause: unknown) => void;
  readonly #resizes: ResizeObserver;
  readonly #entries: DomEntry[] = [];
  /** Index of the entry from which the window can be drawn; -1 before there is one. */
  #first = -1;
  #replayer: Replayer | null = null;
  #shownMs = Number.NEGATIVE_INFINITY;
  #dirty = false;
  #still = false;
  #lastCast: ReplayerEvent | null = null;
  #size = UNKNOWN_VIEWPORT;

  constructor(windowId: string, onFault: (cause: unknown) => void) {
    this.windowId = windowId;
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
    return this.#replayer?.iframe.contentDocument ?? null;
  }

  /** Events given to the stage so far. */
  get eventCount(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.events.length, 0);
  }

  add(frame: PositionedFrame, events: readonly DomEvent[]): void {
    const entry = { timestampMs: frame.timestampMs, position: frame.position, events: events as unknown as ReplayerEvent[] };
    const index = insertTimed(this.#entries, entry);
    if (index === -1) return;
    if (this.#first === -1 && !isDomKeyframe(events)) return;
    if (this.#first === -1 || index <= this.#first) {
      this.#first = firstDrawable(this.#entries);
      this.#dirty = true;
      return;
    }
    const replayer = this.#replayer;
    if (!replayer || this.#dirty) return;
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
    const first = this.#entries[this.#first];
    if (!first || !this.element.isConnected) return;
    const at = Math.max(timeMs, first.timestampMs);
    const replayer = this.#replayer ?? this.#create();
    this.#setStill(!moving);
    if (this.#dirty || at < this.#shownMs || this.#framesBetween(this.#shownMs, at) > STEP_FRAMES_MAX) this.#rebuild(replayer, at);
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
    if (this.#dirty) {
      context.events.length = 0;
      for (const entry of this.#entries.slice(this.#first)) {
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

/** Index of the entry from which the window can be drawn: its first keyframe, or the size that was told right before it. */
function firstDrawable(entries: readonly DomEntry[]): number {
  const keyframe = entries.findIndex((entry) => isDomKeyframe(entry.events as unknown as DomEvent[]));
  if (keyframe <= 0) return keyframe;
  const hasMeta = (entry: DomEntry | undefined): boolean => entry?.events.some((event) => event.type === EventType.Meta) ?? false;
  if (hasMeta(entries[keyframe])) return keyframe;
  for (let index = keyframe - 1; index >= 0; index--) if (hasMeta(entries[index])) return index;
  return keyframe;
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
