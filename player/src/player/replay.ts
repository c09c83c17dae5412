import type { ControlMessage, EndReason, FramesMessage, PositionedFrame, SessionInfo } from '@playhead/schemas';
import { formatPosition } from '@playhead/schemas';
import type { Extent, PlaybackClock } from '../core/clock.ts';
import * as clocks from '../core/clock.ts';
import type { TimeRange } from '../core/inactivity.ts';
import { inactiveRanges } from '../core/inactivity.ts';
import type { JoinMode } from '../core/join.ts';
import { joinMode } from '../core/join.ts';
import type { LagGauge } from '../core/lag.ts';
import { NO_LAG, observeDisplay, observeServerTime, observeUpload } from '../core/lag.ts';
import type { TimelineMark } from '../core/marks.ts';
import type { PlayOut } from '../core/play-out.ts';
import { NO_PLAY_OUT, observeArrival } from '../core/play-out.ts';
import { SessionTracks } from '../core/session-tracks.ts';
import type { Playback, ShownState, StreamInput, StreamState } from '../core/stream-state.ts';
import { CONNECTING, shownState, stepStream } from '../core/stream-state.ts';
import type { GapReason, Refusal } from '../core/words.ts';
import { stateText } from '../core/words.ts';
import { LiveStream } from '../stream/live-stream.ts';
import type { ReadApi } from './api.ts';
import { ApiFault } from './api.ts';
import type { StoredFrame } from './picture-index.ts';
import { PictureIndex } from './picture-index.ts';
import { Stages } from './stages.ts';

/** Nothing came for this long although the connection lives: the visitor is idle. */
const QUIET_MS = 10_000;
/** An ended session begins to play when this much of it is here. */
const BEGIN_BUFFER_MS = 3_000;
/** History that pauses for this long is taken as complete, should the gateway not have said so. */
const HISTORY_SILENCE_MS = 4_000;
const SIGNALS_FETCHED_MAX = 400;
/** The session's own facts (its user, its pages) are asked for again this often while it is live and looked at. */
const FACTS_MS = 5_000;
/** Shown as catching up from here on, until it is less than the second. */
const HURRY = { fromMs: 1_000, untilMs: 250 } as const;

/** Everything that a page shows of a replay. */
export interface ReplayView {
  readonly state: ShownState;
  readonly text: string;
  readonly session: SessionInfo | null;
  readonly mode: clocks.ClockMode;
  readonly speed: number;
  readonly timeMs: number;
  readonly startMs: number;
  /** End of the timeline: of what is recorded, or the live edge. */
  readonly endMs: number;
  readonly bufferedMs: number;
  readonly behindMs: number;
  readonly lagMs: number | null;
  readonly live: boolean;
  readonly loading: boolean;
  /** There is something to show. */
  readonly ready: boolean;
  readonly skipInactive: boolean;
  readonly inactive: readonly TimeRange[];
  readonly marks: readonly TimelineMark[];
  readonly gaps: number;
  readonly href: string;
  readonly position: string | null;
  readonly refusal: Refusal | null;
}

/**
 * One session being watched: brings stream, clock and stages together. The page only calls it and reads `view`.
 *
 * Messages and timers set what is known; one loop, driven by animation frames, moves the clock and draws.
 */
export class Replay {
  readonly stages: Stages;
  readonly #api: ReadApi;
  readonly #sessionId: string;
  readonly #tracks = new SessionTracks();
  #session: SessionInfo | null = null;
  #stream: StreamState = CONNECTING;
  #live: LiveStream | null = null;
  #index: PictureIndex | null = null;
  #join: JoinMode = 'start';
  #clock: PlaybackClock = clocks.startClock(0, 0);
  #playOut: PlayOut = NO_PLAY_OUT;
  #gauge: LagGauge = NO_LAG;
  #startMs = Number.POSITIVE_INFINITY;
  #endMs = Number.NEGATIVE_INFINITY;
  #edgeMs: number | null = null;
  #liveFromMs = Number.POSITIVE_INFINITY;
  #lagFromMs = Number.NEGATIVE_INFINITY;
  #lastFrameAtMs = 0;
  #historyDone = false;
  #begun = false;
  #hurrying = false;
  #ended: { readonly reason: EndReason | null } | null = null;
  #gapReason: GapReason | null = null;
  #gaps = 0;
  #refusal: Refusal | null = null;
  #skipInactive = false;
  #inactive: { readonly key: string; readonly ranges: readonly TimeRange[] } = { key: '', ranges: [] };
  #signalsFetched = 0;
  #faults = 0;
  #closed = false;
  #frameRequest = 0;
  readonly #timers = new Set<number>();

  /** @param host where the stages are put; connected to the document */
  constructor(api: ReadApi, sessionId: string, host: HTMLElement) {
    this.#api = api;
    this.#sessionId = sessionId;
    this.stages = new Stages(host, {
      fetch: (position, signal) => api.frame(sessionId, position, signal),
      onFault: () => this.#fault(),
      onDrawn: () => undefined,
    });
    void this.#open();
    const loop = (): void => {
      if (this.#closed) return;
      this.#tick();
      this.#frameRequest = requestAnimationFrame(loop);
    };
    this.#frameRequest = requestAnimationFrame(loop);
  }

  /** Faults of the replay itself (not of the connection) so far. */
  get faults(): number {
    return this.#faults;
  }

  get view(): ReplayView {
    const extent = this.#extent();
    const ready = this.#startMs <= this.#endMs;
    const behind = ready ? clocks.behindMs(this.#clock, extent) : 0;
    const state = shownState(this.#stream, this.#playback());
    const facts = {
      lagMs: this.#gauge.lagMs,
      behindMs: extent.live ? behind : 0,
      rate: this.#clock.rate,
      quietMs: viewerNow() - this.#lastFrameAtMs,
      endReason: this.#ended?.reason ?? null,
      gapReason: this.#gapReason,
      refusal: this.#refusal,
    };
    const displayed = this.stages.displayed();
    return {
      state,
      text: stateText(state, facts),
      session: this.#session,
      mode: this.#begun ? this.#clock.mode : 'playing',
      speed: this.#clock.speed,
      timeMs: ready ? this.#clock.timeMs : 0,
      startMs: ready ? this.#startMs : 0,
      endMs: ready ? Math.max(this.#endMs, extent.live ? (this.#edgeMs ?? 0) : 0) : 0,
      bufferedMs: ready ? this.#endMs : 0,
      behindMs: behind,
      lagMs: this.#gauge.lagMs,
      live: extent.live,
      loading: extent.loading && this.#stream.name !== 'refused' && this.#stream.name !== 'deleted',
      ready,
      skipInactive: this.#skipInactive,
      inactive: ready ? this.#inactiveRanges() : [],
      marks: this.#tracks.marks,
      gaps: this.#gaps,
      href: this.#tracks.hrefAt(this.#clock.timeMs, this.stages.activeId),
      position: displayed ? formatPosition(displayed.position) : null,
      refusal: this.#refusal,
    };
  }

  play(): void {
    this.#act((clock, now, extent) => clocks.play(clock, now, extent));
  }

  pause(): void {
    this.#act((clock, now) => clocks.pause(clock, now));
  }

  goLive(): void {
    this.#act((clock, now, extent) => clocks.goLive(clock, now, extent));
  }

  /** @param timeMs Unix ms by the recorder's clock */
  seek(timeMs: number): void {
    this.#act((clock, now, extent) => clocks.seek(clock, timeMs, now, extent));
  }

  /** Shows another moment and stands still there. */
  stand(timeMs: number): void {
    this.#act((clock, now, extent) => clocks.pause(clocks.seek(clock, timeMs, now, extent), now));
  }

  setSpeed(speed: number): void {
    this.#act((clock) => clocks.setSpeed(clock, speed));
  }

  setSkipInactive(skip: boolean): void {
    this.#skipInactive = skip;
  }

  close(): void {
    this.#closed = true;
    cancelAnimationFrame(this.#frameRequest);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#live?.close();
    this.#index?.close();
    this.stages.destroy();
  }

  #act(change: (clock: PlaybackClock, nowMs: number, extent: Extent) => PlaybackClock): void {
    if (this.#startMs > this.#endMs) return;
    const now = viewerNow();
    if (!this.#begun) this.#begin();
    this.#clock = change(clocks.advance(this.#clock, now, this.#extent()), now, this.#extent());
  }

  async #open(): Promise<void> {
    try {
      this.#session = await this.#api.session(this.#sessionId);
    } catch (cause) {
      const refusal = cause instanceof ApiFault ? cause.refusal : null;
      if (refusal) {
        this.#refuse(refusal);
        return;
      }
    }
    if (this.#closed) return;
    this.#join = joinMode(this.#session);
    if (this.#join === 'keyframe') this.#followIndex();
    this.#connect();
    this.#setTimer(FACTS_MS, () => void this.#refreshFacts());
  }

  /** Once more after the end, for the last counts. */
  async #refreshFacts(): Promise<void> {
    const wasLive = this.#ended === null;
    if (!document.hidden) {
      try {
        this.#session = await this.#api.session(this.#sessionId);
      } catch {
        // The stream knows whether the session can still be had.
      }
    }
    if (!this.#closed && wasLive) this.#setTimer(FACTS_MS, () => void this.#refreshFacts());
  }

  #connect(): void {
    this.#live = new LiveStream(
      this.#join,
      {
        open: (from) => this.#api.openLive(this.#sessionId, from),
        probe: () =>
          this.#api.session(this.#sessionId).then(
            () => null,
            (cause: unknown) => (cause instanceof ApiFault ? cause.refusal : null),
          ),
        setTimer: (ms, run) => this.#setTimer(ms, run),
        random: Math.random,
      },
      {
        control: (message) => this.#control(message),
        frames: (message) => this.#frames(message),
        dropped: () => this.#step('dropped'),
        refused: (why) => this.#refuse(why),
        fault: () => this.#fault(),
      },
    );
  }

  #control(message: ControlMessage): void {
    const now = viewerNow();
    switch (message.type) {
      case 'welcome':
        this.#gauge = observeServerTime(this.#gauge, message.serverTimeMs, now);
        this.#session = message.session;
        this.#step('welcome');
        if (message.session.endedAtMs !== null) this.#end(message.session.endReason);
        break;
      case 'heartbeat':
        this.#gauge = observeServerTime(this.#gauge, message.serverTimeMs, now);
        if (now - this.#lastFrameAtMs > QUIET_MS) this.#step('quiet');
        break;
      case 'state':
        if (message.state === 'live' || message.state === 'ended') this.#historyDone = true;
        if (message.state === 'live' && this.#lastFrameAtMs === 0) this.#lastFrameAtMs = now;
        if (message.state === 'ended') this.#end(this.#ended?.reason ?? null);
        else this.#step(message.state);
        break;
      case 'ended':
        this.#end(message.reason);
        break;
      case 'gap':
        this.#gaps++;
        this.#gapReason = message.reason;
        this.#step('gap');
        break;
      case 'lagged':
        this.#step('lagged');
        break;
    }
  }

  #end(reason: EndReason | null): void {
    this.#ended = { reason };
    this.#step('ended');
  }

  #refuse(why: Refusal): void {
    this.#refusal = why;
    this.#step(why === 'not-found' && this.#startMs <= this.#endMs ? 'deleted' : 'refused');
  }

  #frames(message: FramesMessage): void {
    const now = viewerNow();
    const wasLive = this.#stream.name === 'live' || this.#stream.name === 'idle';
    this.#lastFrameAtMs = now;
    this.#step('frames');
    let oldest = Number.POSITIVE_INFINITY;
    let newest = Number.NEGATIVE_INFINITY;
    for (const frame of message.frames) {
      this.#take(frame);
      if (frame.track === 'signal' || frame.track === 'hierarchy') continue;
      oldest = Math.min(oldest, frame.timestampMs);
      newest = Math.max(newest, frame.timestampMs);
    }
    if (message.receivedAtMs <= 0) return;
    this.#gauge = observeUpload(this.#gauge, message.receivedAtMs, message.sentAtMs);
    if (!wasLive || newest < oldest) return;
    this.#playOut = observeArrival(this.#playOut, now, oldest, newest);
    this.#liveFromMs = Math.min(this.#liveFromMs, oldest);
  }

  #take(frame: PositionedFrame): void {
    if (frame.track === 'hierarchy') return;
    if (frame.track === 'signal') {
      if (!this.#tracks.addSignal(frame, parseJson(frame.payload))) this.#fault();
      return;
    }
    this.#extend(frame.timestampMs);
    if (frame.track === 'image') {
      this.#tracks.addImage(frame, frame.payload.length);
      this.stages.addPicture(frame.windowId, { ...frame, bytes: frame.payload.slice(), stored: false });
      this.#followIndex();
      return;
    }
    const events = this.stages.addDom(frame);
    if (events) this.#tracks.addDom(frame, events);
    else this.#fault();
  }

  /** Pictures can be fetched one by one: from here on it is known which. */
  #followIndex(): void {
    this.#index ??= new PictureIndex({
      list: () => this.#api.blocks(this.#sessionId),
      setTimer: (ms, run) => this.#setTimer(ms, run),
      growing: () => this.#ended === null,
      onFrames: (frames) => this.#stored(frames),
      onFault: () => this.#withoutIndex(),
    });
  }

  #stored(frames: readonly StoredFrame[]): void {
    for (const frame of frames) {
      if (frame.track === 'signal') {
        if (this.#join === 'keyframe') void this.#fetchSignal(frame);
        continue;
      }
      this.#extend(frame.timestampMs);
      if (this.#join === 'keyframe') this.#tracks.addImage(frame, frame.bytes);
      this.stages.addPicture(frame.windowId, { ...frame, bytes: null, stored: true });
    }
  }

  async #fetchSignal(frame: StoredFrame): Promise<void> {
    if (this.#signalsFetched++ >= SIGNALS_FETCHED_MAX) return;
    try {
      this.#tracks.addSignal(frame, parseJson(await this.#api.frame(this.#sessionId, frame.position)));
    } catch {
      this.#fault();
    }
  }

  /** Without the index the stream has to bring everything. */
  #withoutIndex(): void {
    this.#fault();
    if (this.#join !== 'keyframe' || this.#closed) return;
    this.#live?.close();
    this.#join = 'start';
    this.#connect();
  }

  #extend(timestampMs: number): void {
    this.#startMs = Math.min(this.#startMs, timestampMs);
    this.#endMs = Math.max(this.#endMs, timestampMs);
  }

  #extent(): Extent {
    return {
      startMs: this.#startMs,
      endMs: this.#endMs,
      live: this.#ended === null,
      loading: !this.#historyDone,
      edgeMs: this.#edgeMs,
      skip: this.#skipInactive ? this.#inactiveRanges() : [],
    };
  }

  #inactiveRanges(): readonly TimeRange[] {
    const key = `${this.#tracks.activity.length}:${this.#startMs}:${Math.floor(this.#endMs / 1000)}`;
    if (key !== this.#inactive.key) this.#inactive = { key, ranges: inactiveRanges(this.#tracks.activity, this.#startMs, this.#endMs) };
    return this.#inactive.ranges;
  }

  /** The first moment: the live edge of a live session, the beginning of an ended one. */
  #begin(): void {
    this.#begun = true;
    const now = viewerNow();
    const extent = this.#extent();
    this.#clock = clocks.startClock(this.#startMs, now);
    this.#clock = extent.live ? clocks.goLive(this.#clock, now, extent) : clocks.play(this.#clock, now, { ...extent, loading: true });
  }

  #mayBegin(now: number): boolean {
    if (this.#startMs > this.#endMs) return false;
    const indexed = this.#join === 'start' || (this.#index?.loaded ?? false);
    if (!indexed) return false;
    if (now - this.#lastFrameAtMs > HISTORY_SILENCE_MS && this.#lastFrameAtMs > 0) this.#historyDone = true;
    return this.#historyDone || (this.#ended !== null && this.#endMs - this.#startMs > BEGIN_BUFFER_MS);
  }

  #tick(): void {
    const now = viewerNow();
    const live = this.#stream.name === 'live' || this.#stream.name === 'idle';
    if (live && this.#playOut.delayMs !== null) this.#edgeMs = Math.max(this.#edgeMs ?? 0, now - this.#playOut.delayMs);
    if (!this.#begun) {
      if (!this.#mayBegin(now)) return;
      this.#begin();
    }
    const extent = this.#extent();
    this.#clock = clocks.advance(this.#clock, now, extent);
    const behind = clocks.behindMs(this.#clock, extent);
    this.#hurrying = this.#clock.mode === 'following' && behind > (this.#hurrying ? HURRY.untilMs : HURRY.fromMs);
    this.stages.show(this.#clock.timeMs, this.#tracks.windowAt(this.#clock.timeMs), this.#clock.mode !== 'paused');
    this.#measureLag(now);
  }

  #measureLag(now: number): void {
    const displayed = this.stages.displayed();
    if (this.#clock.mode !== 'following' || !displayed || displayed.timestampMs <= this.#lagFromMs) return;
    this.#lagFromMs = displayed.timestampMs;
    if (displayed.timestampMs >= this.#liveFromMs) this.#gauge = observeDisplay(this.#gauge, displayed.timestampMs, now);
  }

  #playback(): Playback {
    if (!this.#begun) return 'following';
    if (this.#clock.mode === 'paused') return 'paused';
    if (this.#clock.mode === 'following') return this.#hurrying ? 'hurrying' : 'following';
    return this.#clock.speed > 1 && this.#ended === null ? 'hurrying' : 'playing';
  }

  #step(input: StreamInput): void {
    this.#stream = stepStream(this.#stream, input);
  }

  #fault(): void {
    this.#faults++;
  }

  #setTimer(ms: number, run: () => void): () => void {
    const timer = window.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
      clearTimeout(timer);
    };
  }
}

/** The viewer's clock: Unix ms that never step back. */
function viewerNow(): number {
  return performance.timeOrigin + performance.now();
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}
