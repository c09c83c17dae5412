import type { FramesMessage, PositionedFrame, SessionInfo } from '@playhead/schemas';
import { formatPosition } from '@playhead/schemas';
import type { Origin } from '../core/absent.ts';
import { Absence, isAbsent } from '../core/absent.ts';
import type { Extent, PlaybackClock } from '../core/clock.ts';
import * as clocks from '../core/clock.ts';
import type { Gap } from '../core/gaps.ts';
import { gapAt, readGap } from '../core/gaps.ts';
import type { TimeRange } from '../core/inactivity.ts';
import { inactiveRanges, mergeRanges, skippedOf } from '../core/inactivity.ts';
import type { LagGauge } from '../core/lag.ts';
import { NO_LAG, observeDisplay, observeServerTime, observeUpload } from '../core/lag.ts';
import type { TimelineMark } from '../core/marks.ts';
import type { PlayOut } from '../core/play-out.ts';
import { NO_PLAY_OUT, observeArrival } from '../core/play-out.ts';
import { SessionTracks } from '../core/session-tracks.ts';
import type { Playback, ShownState } from '../core/stream-state.ts';
import { shownState } from '../core/stream-state.ts';
import type { Refusal } from '../core/words.ts';
import { stateText } from '../core/words.ts';
import type { ReadApi } from './api.ts';
import type { StoredFrame } from './picture-index.ts';
import { SessionSource } from './session-source.ts';
import { Stages } from './stages.ts';
import { viewerNow } from './viewer-clock.ts';

/** An ended session begins to play when this much of it is here. */
const BEGIN_BUFFER_MS = 3_000;
/** History is not held back for longer than this for a first picture that does not come. */
const FIRST_PICTURE_MS = 1_000;
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
  /** The stretch that is still on its way, of no length when only details are; null when history is complete. */
  readonly absent: TimeRange | null;
  /** The shown moment lies in it. */
  readonly waiting: boolean;
  readonly behindMs: number;
  readonly lagMs: number | null;
  readonly live: boolean;
  readonly loading: boolean;
  /** There is something to show. */
  readonly ready: boolean;
  readonly skipInactive: boolean;
  readonly inactive: readonly TimeRange[];
  readonly marks: readonly TimelineMark[];
  /** What is missing, in order of time. */
  readonly gaps: readonly Gap[];
  /** The one in which the shown moment lies. */
  readonly gapNow: Gap | null;
  readonly href: string;
  readonly position: string | null;
  readonly refusal: Refusal | null;
}

/**
 * One session being watched: brings source, clock and stages together. The page only calls it and reads `view`.
 *
 * Messages and timers set what is known; one loop, driven by animation frames, moves the clock and draws.
 */
export class Replay {
  readonly stages: Stages;
  readonly #source: SessionSource;
  readonly #tracks = new SessionTracks();
  readonly #absence = new Absence();
  #clock: PlaybackClock = clocks.startClock(0, 0);
  #playOut: PlayOut = NO_PLAY_OUT;
  #gauge: LagGauge = NO_LAG;
  #startMs = Number.POSITIVE_INFINITY;
  #endMs = Number.NEGATIVE_INFINITY;
  /** The moment that a follower shows; grows while the stream is at the live edge, and stands where it was lost. */
  #edgeMs: number | null = null;
  #liveFromMs = Number.POSITIVE_INFINITY;
  #lagFromMs = Number.NEGATIVE_INFINITY;
  #begun = false;
  #settledAtMs: number | null = null;
  #hurrying = false;
  /** The viewer wants the end of a session that is over, and all of it may not have come yet. */
  #staysAtEnd = false;
  #skipInactive = false;
  #listed: { readonly key: string; readonly gaps: readonly Gap[] } = { key: '', gaps: [] };
  #skipped: { readonly key: string; readonly ranges: readonly TimeRange[] } = { key: '', ranges: [] };
  #inactive: { readonly key: string; readonly ranges: readonly TimeRange[] } = { key: '', ranges: [] };
  #faults = 0;
  #closed = false;
  #frameRequest = 0;

  /** @param host where the stages are put; connected to the document */
  constructor(api: ReadApi, sessionId: string, host: HTMLElement) {
    const fault = (): void => {
      this.#faults++;
    };
    this.stages = new Stages(host, { fetch: (position, signal) => api.frame(sessionId, position, signal), onFault: fault });
    this.#source = new SessionSource(api, sessionId, {
      frame: (frame, origin) => this.#take(frame, origin),
      picture: (frame) => this.#takeStored(frame),
      signal: (frame, payload) => void this.#takeSignal(frame, payload),
      gap: (lost) => this.#tracks.gaps.lose(lost),
      serverTime: (serverTimeMs) => {
        this.#gauge = observeServerTime(this.#gauge, serverTimeMs, viewerNow());
      },
      upload: (message, atEdge) => this.#observe(message, atEdge),
      fault,
    });
    const loop = (): void => {
      if (this.#closed) return;
      this.#tick();
      this.#frameRequest = requestAnimationFrame(loop);
    };
    this.#frameRequest = requestAnimationFrame(loop);
    // When the page is on the screen, and the first frame is on its way.
    requestAnimationFrame(() => {
      setTimeout(() => {
        if (!this.#closed) this.stages.prepare();
      });
    });
  }

  /** Faults of the replay itself (not of the connection) so far. */
  get faults(): number {
    return this.#faults;
  }

  get view(): ReplayView {
    const source = this.#source;
    const extent = this.#extent();
    const ready = this.#startMs <= this.#endMs;
    const behind = ready ? clocks.behindMs(this.#clock, extent) : 0;
    const state = shownState(source.stream, this.#playback());
    const facts = {
      lagMs: this.#gauge.lagMs,
      behindMs: extent.live ? behind : 0,
      rate: this.#clock.rate,
      quietMs: source.quietMs,
      endReason: source.ended?.reason ?? null,
      gapReason: source.gapReason,
      refusal: source.refusal,
    };
    const displayed = this.stages.displayed();
    const gaps = ready ? this.#gaps() : [];
    const { absent, startMs } = extent;
    const waiting = this.#begun && isAbsent(absent, this.#clock.timeMs);
    return {
      state,
      text: stateText(state, facts),
      session: source.session,
      mode: this.#begun ? this.#clock.mode : 'playing',
      speed: this.#clock.speed,
      timeMs: ready ? this.#clock.timeMs : 0,
      startMs: ready ? startMs : 0,
      endMs: ready ? Math.max(this.#endMs, extent.live ? (this.#edgeMs ?? 0) : 0) : 0,
      bufferedMs: ready ? this.#endMs : 0,
      absent,
      waiting,
      behindMs: behind,
      lagMs: this.#gauge.lagMs,
      live: extent.live,
      loading: extent.loading && source.refusal === null,
      ready,
      skipInactive: this.#skipInactive,
      inactive: ready ? this.#inactiveRanges() : [],
      marks: this.#tracks.marks,
      gaps,
      gapNow: ready ? gapAt(gaps, this.#clock.timeMs, this.stages.activeId) : null,
      href: waiting ? '' : this.#tracks.hrefAt(this.#clock.timeMs, this.stages.activeId),
      position: displayed ? formatPosition(displayed.position) : null,
      refusal: source.refusal,
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

  /** Shows the last moment that there is; of a session that is over also as more of it comes. */
  seekToEnd(): void {
    this.#act((clock, now, extent) => clocks.seek(clock, Math.max(extent.endMs, extent.edgeMs ?? 0), now, extent));
    this.#staysAtEnd = true;
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
    this.#source.close();
    this.stages.destroy();
  }

  #act(change: (clock: PlaybackClock, nowMs: number, extent: Extent) => PlaybackClock): void {
    if (this.#startMs > this.#endMs) return;
    const now = viewerNow();
    if (!this.#begun) this.#begin();
    this.#staysAtEnd = false;
    this.#clock = change(clocks.advance(this.#clock, now, this.#extent()), now, this.#extent());
  }

  #take(frame: PositionedFrame, origin: Origin): void {
    if (frame.track === 'hierarchy') return;
    if (frame.track === 'signal') {
      if (!this.#takeSignal(frame, frame.payload)) this.#faults++;
      return;
    }
    this.#extend(frame.timestampMs);
    this.#absence.note(frame, origin);
    if (frame.track === 'image') {
      this.#tracks.addImage(frame, frame.payload.length);
      this.stages.addPicture(frame.windowId, { ...frame, bytes: frame.payload.slice(), stored: false });
      return;
    }
    const events = this.stages.addDom(frame);
    if (events) this.#tracks.addDom(frame, events);
    else this.#faults++;
  }

  /** False when it is none. */
  #takeSignal(frame: Omit<PositionedFrame, 'payload' | 'track' | 'keyframe'>, payload: Uint8Array): boolean {
    const value = parseJson(payload);
    // What is missing at the end is a part of the session, but nothing lies behind the moment at which it was told.
    const gap = readGap(value, frame.timestampMs);
    if (gap && this.#startMs <= this.#endMs) this.#endMs = Math.max(this.#endMs, Math.min(gap.toMs, frame.timestampMs));
    return this.#tracks.addSignal(frame, value);
  }

  #takeStored(frame: StoredFrame): void {
    this.#extend(frame.timestampMs);
    if (this.stages.addPicture(frame.windowId, { ...frame, bytes: null, stored: true })) this.#tracks.addImage(frame, frame.bytes);
  }

  #extend(timestampMs: number): void {
    this.#startMs = Math.min(this.#startMs, timestampMs);
    this.#endMs = Math.max(this.#endMs, timestampMs);
  }

  #observe(message: FramesMessage, atEdge: boolean): void {
    this.#gauge = observeUpload(this.#gauge, message.receivedAtMs, message.sentAtMs);
    let oldest = Number.POSITIVE_INFINITY;
    let newest = Number.NEGATIVE_INFINITY;
    for (const { track, timestampMs } of message.frames) {
      if (track === 'signal' || track === 'hierarchy') continue;
      oldest = Math.min(oldest, timestampMs);
      newest = Math.max(newest, timestampMs);
    }
    if (!atEdge || oldest > newest) return;
    this.#playOut = observeArrival(this.#playOut, viewerNow(), oldest, newest);
    this.#liveFromMs = Math.min(this.#liveFromMs, oldest);
  }

  /** The first frame; while that has not come, when the session began by its own account. */
  #beginningMs(): number {
    const { historyDone, session } = this.#source;
    return historyDone || session === null ? this.#startMs : Math.min(this.#startMs, session.startedAtMs);
  }

  /** What is on its way, and cannot be shown; null when history is complete. */
  #absent(): TimeRange | null {
    return this.#source.historyDone || this.#startMs > this.#endMs ? null : this.#absence.range(this.#beginningMs());
  }

  #extent(): Extent {
    return {
      startMs: this.#beginningMs(),
      endMs: this.#endMs,
      live: this.#source.ended === null,
      loading: !this.#source.settled,
      absent: this.#absent(),
      edgeMs: this.#edgeMs,
      skip: this.#skipInactive ? this.#skippedRanges() : [],
    };
  }

  #inactiveRanges(): readonly TimeRange[] {
    const [startMs, absent] = [this.#beginningMs(), this.#absent()];
    const key = `${this.#tracks.activity.length}:${startMs}:${absent?.fromMs}:${Math.floor(this.#endMs / 1000)}`;
    if (key === this.#inactive.key) return this.#inactive.ranges;
    const { activity } = this.#tracks;
    const ranges =
      absent === null
        ? inactiveRanges(activity, startMs, this.#endMs)
        : [...inactiveRanges(activity, startMs, absent.fromMs), ...inactiveRanges(activity, absent.toMs, this.#endMs)];
    this.#inactive = { key, ranges };
    return ranges;
  }

  #gaps(): readonly Gap[] {
    const { gaps } = this.#tracks;
    gaps.miss(this.#source.incomplete);
    const [startMs, absent] = [this.#beginningMs(), this.#absent()];
    const key = `${gaps.changes}:${startMs}:${absent?.fromMs}:${Math.floor(this.#endMs / 1000)}`;
    if (key !== this.#listed.key) this.#listed = { key, gaps: gaps.list({ fromMs: startMs, toMs: this.#endMs }, absent) };
    return this.#listed.gaps;
  }

  #skippedRanges(): readonly TimeRange[] {
    const inactive = this.#inactiveRanges();
    const gaps = this.#gaps();
    const key = `${this.#inactive.key} ${this.#listed.key}`;
    if (key !== this.#skipped.key) {
      const blank = gaps.filter(({ track }) => track !== 'signal');
      this.#skipped = { key, ranges: mergeRanges([...inactive, ...blank.flatMap(skippedOf)]) };
    }
    return this.#skipped.ranges;
  }

  /** The first moment: the live edge of a live session, the beginning of an ended one. */
  #begin(): void {
    this.#begun = true;
    const now = viewerNow();
    const extent = this.#extent();
    this.#clock = clocks.startClock(extent.startMs, now);
    this.#clock = extent.live ? clocks.goLive(this.#clock, now, extent) : clocks.play(this.#clock, now, { ...extent, loading: true });
  }

  #mayBegin(): boolean {
    if (this.#startMs > this.#endMs) return false;
    const { settled, ended } = this.#source;
    if (ended === null) return settled;
    const absent = this.#absent();
    return (settled && absent === null) || (absent?.fromMs ?? this.#endMs) - this.#beginningMs() > BEGIN_BUFFER_MS;
  }

  #tick(): void {
    const now = viewerNow();
    if (this.#source.atEdge && this.#playOut.delayMs !== null) this.#edgeMs = Math.max(this.#edgeMs ?? 0, now - this.#playOut.delayMs);
    this.#loadHistory(now);
    if (!this.#begun) {
      if (!this.#mayBegin()) return;
      this.#begin();
    }
    const extent = this.#extent();
    this.#clock = clocks.advance(this.#clock, now, extent);
    if (this.#staysAtEnd && !extent.live) this.#clock = clocks.seek(this.#clock, extent.endMs, now, extent);
    const behind = clocks.behindMs(this.#clock, extent);
    this.#hurrying = this.#clock.mode === 'following' && behind > (this.#hurrying ? HURRY.untilMs : HURRY.fromMs);
    if (isAbsent(extent.absent, this.#clock.timeMs)) return;
    this.stages.show(this.#clock.timeMs, this.#tracks.windowAt(this.#clock.timeMs), this.#clock.mode !== 'paused');
    this.#measureLag(now);
  }

  /** What was before comes behind the first picture; of a session that is over, before it: there it begins. */
  #loadHistory(now: number): void {
    const { settled, ended } = this.#source;
    if (settled) this.#settledAtMs ??= now;
    const late = this.#settledAtMs !== null && now - this.#settledAtMs > FIRST_PICTURE_MS;
    if (ended !== null || late || this.stages.displayed() !== null) this.#source.loadHistory();
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
    return this.#clock.speed > 1 && this.#source.ended === null ? 'hurrying' : 'playing';
  }
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}
