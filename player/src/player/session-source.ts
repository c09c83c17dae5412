import type { ControlMessage, EndReason, FramesMessage, IncompleteFrame, PositionedFrame, SessionInfo } from '@playhead/schemas';
import { FrameJoiner } from '@playhead/schemas';
import type { LostOffsets, ServerReason } from '../core/gaps.ts';
import type { JoinMode } from '../core/join.ts';
import { joinMode } from '../core/join.ts';
import type { StreamInput, StreamState } from '../core/stream-state.ts';
import { CONNECTING, stepStream } from '../core/stream-state.ts';
import type { Refusal } from '../core/words.ts';
import { LiveStream } from '../stream/live-stream.ts';
import type { ReadApi } from './api.ts';
import { ApiFault } from './api.ts';
import type { StoredFrame } from './picture-index.ts';
import { PictureIndex } from './picture-index.ts';
import { viewerNow } from './viewer-clock.ts';

/** Nothing came for this long although the connection lives: the visitor is idle. */
const QUIET_MS = 10_000;
/** History that pauses for this long is taken as complete, should the gateway not have said so. */
const HISTORY_SILENCE_MS = 4_000;
/** The session's own facts (its user, its pages) are asked for again this often while it is live and looked at. */
const FACTS_MS = 5_000;
const SIGNALS_FETCHED_MAX = 400;
/** Frames told as incomplete; a stream that breaks more of them off is not worth a longer list. */
const INCOMPLETE_MAX = 1_000;

/** What takes the frames of a session, and what is known of clocks. */
export interface FrameSink {
  /** A whole frame of the stream; each comes once. */
  frame(frame: PositionedFrame): void;
  /** A picture that can be fetched; it may have come by the stream before. */
  picture(frame: StoredFrame): void;
  /** A signal that was fetched. */
  signal(frame: StoredFrame, payload: Uint8Array): void;
  /** Uploads that the server has lost. */
  gap(lost: LostOffsets): void;
  serverTime(serverTimeMs: number): void;
  /** A live upload whose frames were just given; of parts, the frames that became whole with it. */
  upload(message: FramesMessage, atEdge: boolean): void;
  fault(): void;
}

/**
 * One session as the server gives it: its facts, its stream, and for pictures the index of what is stored. Keeps the
 * state of the stream, and the parts of frames until they are whole; whole frames go to the sink.
 */
export class SessionSource {
  readonly #api: ReadApi;
  readonly #sessionId: string;
  readonly #sink: FrameSink;
  readonly #timers = new Set<number>();
  #stream: StreamState = CONNECTING;
  #live: LiveStream | null = null;
  #joiner = new FrameJoiner();
  #incomplete: readonly IncompleteFrame[] = [];
  #index: PictureIndex | null = null;
  #join: JoinMode = 'start';
  #session: SessionInfo | null = null;
  #ended: { readonly reason: EndReason | null } | null = null;
  #gapReason: ServerReason | null = null;
  #refusal: Refusal | null = null;
  #lastFrameAtMs = 0;
  #historyDone = false;
  #hasFrames = false;
  #signalsFetched = 0;
  #closed = false;

  constructor(api: ReadApi, sessionId: string, sink: FrameSink) {
    this.#api = api;
    this.#sessionId = sessionId;
    this.#sink = sink;
    void this.#open();
  }

  get stream(): StreamState {
    return this.#stream;
  }

  get session(): SessionInfo | null {
    return this.#session;
  }

  /** Why the session is over; null while it is open. */
  get ended(): { readonly reason: EndReason | null } | null {
    return this.#ended;
  }

  /** Of the gap that the server told last. */
  get gapReason(): ServerReason | null {
    return this.#gapReason;
  }

  /** Frames of which only parts came: those that nothing completes, and after the end those that still wait for a late upload. */
  get incomplete(): readonly IncompleteFrame[] {
    return this.#ended === null ? this.#incomplete : [...this.#incomplete, ...this.#joiner.open];
  }

  get refusal(): Refusal | null {
    return this.#refusal;
  }

  /** How long nothing has come, ms. */
  get quietMs(): number {
    return viewerNow() - this.#lastFrameAtMs;
  }

  /** What comes now comes as it happens. */
  get atEdge(): boolean {
    return this.#stream.name === 'live' || this.#stream.name === 'idle';
  }

  /** The beginning of the session is known. */
  get indexed(): boolean {
    return this.#join === 'start' || (this.#index?.loaded ?? false);
  }

  /** Nothing older is on its way. */
  get historyDone(): boolean {
    return this.#historyDone || (this.#lastFrameAtMs > 0 && this.quietMs > HISTORY_SILENCE_MS);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#live?.close();
    this.#index?.close();
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
    const refusalOf = (cause: unknown): Refusal | null => (cause instanceof ApiFault ? cause.refusal : null);
    this.#live = new LiveStream(
      this.#join,
      {
        open: (from) => this.#api.openLive(this.#sessionId, from),
        probe: () => this.#api.session(this.#sessionId).then(() => null, refusalOf),
        setTimer: (ms, run) => this.#setTimer(ms, run),
        random: Math.random,
      },
      {
        control: (message) => this.#control(message),
        frames: (message) => this.#frames(message),
        dropped: () => this.#step('dropped'),
        refused: (why) => this.#refuse(why),
        fault: () => this.#sink.fault(),
      },
    );
  }

  #control(message: ControlMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#sink.serverTime(message.serverTimeMs);
        this.#session = message.session;
        this.#step('welcome');
        if (message.session.endedAtMs !== null) this.#end(message.session.endReason);
        break;
      case 'heartbeat':
        this.#sink.serverTime(message.serverTimeMs);
        if (this.quietMs > QUIET_MS) this.#step('quiet');
        break;
      case 'state':
        if (message.state === 'live' || message.state === 'ended') this.#historyDone = true;
        if (message.state === 'live' && this.#lastFrameAtMs === 0) this.#lastFrameAtMs = viewerNow();
        if (message.state === 'ended') this.#end(this.#ended?.reason ?? null);
        else this.#step(message.state);
        break;
      case 'ended':
        this.#end(message.reason);
        break;
      case 'gap':
        this.#gapReason = message.reason;
        this.#sink.gap(message);
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
    this.#step(why === 'not-found' && this.#hasFrames ? 'deleted' : 'refused');
  }

  #frames(message: FramesMessage): void {
    const { atEdge } = this;
    this.#lastFrameAtMs = viewerNow();
    this.#hasFrames = true;
    this.#step('frames');
    const frames: PositionedFrame[] = [];
    for (const part of message.frames) {
      const { frame, incomplete } = this.#joiner.take(part);
      if (incomplete.length > 0) this.#incomplete = [...this.#incomplete, ...incomplete].slice(-INCOMPLETE_MAX);
      if (frame !== null) frames.push(frame);
    }
    for (const frame of frames) {
      this.#sink.frame(frame);
      if (frame.track === 'image') this.#followIndex();
    }
    if (message.receivedAtMs > 0) this.#sink.upload({ ...message, frames }, atEdge);
  }

  /** Pictures can be fetched one by one: from here on it is known which. */
  #followIndex(): void {
    this.#index ??= new PictureIndex({
      list: () => this.#api.blocks(this.#sessionId),
      setTimer: (ms, run) => this.#setTimer(ms, run),
      growing: () => this.#ended === null,
      onFrames: (frames) => this.#stored(frames),
      onGap: (gap) => this.#sink.gap(gap),
      onFault: () => this.#withoutIndex(),
    });
  }

  #stored(frames: readonly StoredFrame[]): void {
    for (const frame of frames) {
      this.#hasFrames = true;
      if (frame.track === 'image') this.#sink.picture(frame);
      else if (this.#join === 'keyframe') void this.#fetchSignal(frame);
    }
  }

  async #fetchSignal(frame: StoredFrame): Promise<void> {
    if (this.#signalsFetched++ >= SIGNALS_FETCHED_MAX) return;
    try {
      this.#sink.signal(frame, await this.#api.frame(this.#sessionId, frame.position));
    } catch {
      this.#sink.fault();
    }
  }

  /** Without the index the stream has to bring everything. */
  #withoutIndex(): void {
    this.#sink.fault();
    if (this.#join !== 'keyframe' || this.#closed) return;
    this.#live?.close();
    this.#join = 'start';
    // Everything comes again.
    this.#joiner = new FrameJoiner();
    this.#incomplete = [];
    this.#connect();
  }

  #step(input: StreamInput): void {
    this.#stream = stepStream(this.#stream, input);
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
