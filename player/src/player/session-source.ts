import type { ControlMessage, EndReason, FramesMessage, IncompleteFrame, PositionedFrame, SessionInfo } from '@playhead/schemas';
import type { Origin } from '../core/absent.ts';
import type { LostOffsets, ServerReason } from '../core/gaps.ts';
import type { HistoryFrom, JoinMode } from '../core/join.ts';
import { historyFrom } from '../core/join.ts';
import type { Spliced } from '../core/splice.ts';
import { Splice } from '../core/splice.ts';
import type { StreamInput, StreamState } from '../core/stream-state.ts';
import { CONNECTING, stepStream } from '../core/stream-state.ts';
import type { Refusal } from '../core/words.ts';
import type { StreamListener } from '../stream/live-stream.ts';
import { LiveStream } from '../stream/live-stream.ts';
import { SlicedQueue } from '../stream/sliced-queue.ts';
import type { ReadApi } from './api.ts';
import { ApiFault } from './api.ts';
import type { StoredFrame } from './picture-index.ts';
import { PictureIndex } from './picture-index.ts';
import { viewerNow } from './viewer-clock.ts';

/** Nothing came for this long although the connection lives: the visitor is idle. */
const QUIET_MS = 10_000;
/** A stream that pauses for this long has given what there is, should the gateway not have said so. */
const SETTLED_SILENCE_MS = 4_000;
/** The session's own facts (its user, its pages) are asked for again this often while it is live and looked at. */
const FACTS_MS = 5_000;
const SIGNALS_FETCHED_MAX = 400;
/** Frames told as incomplete; a stream that breaks more of them off is not worth a longer list. */
const INCOMPLETE_MAX = 1_000;

/** What takes the frames of a session, and what is known of clocks. */
export interface FrameSink {
  /** A whole frame; each comes once. Those of history come when those of the edge are there, or between them. */
  frame(frame: PositionedFrame, origin: Origin): void;
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
 * One session as the server gives it: its facts, its streams, and for pictures the index of what is stored. Keeps the
 * state of the stream, and the parts of frames until they are whole; whole frames go to the sink.
 *
 * A session is joined at its last keyframes, so that what is seen first comes first. A live one gets its history behind that, when
 * `loadHistory` is called; one that is over is joined at its start instead, for there it begins to play.
 */
export class SessionSource {
  readonly #api: ReadApi;
  readonly #sessionId: string;
  readonly #sink: FrameSink;
  readonly #timers = new Set<number>();
  readonly #splice = new Splice();
  /** Frames of history that came and were not looked at yet. */
  readonly #past: SlicedQueue<PositionedFrame>;
  #stream: StreamState = CONNECTING;
  #edge: LiveStream;
  /** The connection before it, until the new one stands: it is the same viewer. */
  #before: LiveStream | null = null;
  #history: LiveStream | null = null;
  #incomplete: readonly IncompleteFrame[] = [];
  #index: PictureIndex | null = null;
  /** Null before the session is known. */
  #historyFrom: HistoryFrom | null = null;
  #historyWanted = false;
  #session: SessionInfo | null = null;
  #ended: { readonly reason: EndReason | null } | null = null;
  #gapReason: ServerReason | null = null;
  #refusal: Refusal | null = null;
  #lastFrameAtMs = 0;
  #settled = false;
  /** All of history came from the gateway; some may wait in the queue. */
  #historySent = false;
  #historyDone = false;
  #hasFrames = false;
  #signalsFetched = 0;
  #closed = false;

  constructor(api: ReadApi, sessionId: string, sink: FrameSink) {
    this.#api = api;
    this.#sessionId = sessionId;
    this.#sink = sink;
    this.#past = new SlicedQueue<PositionedFrame>({
      take: (frame) => this.#give(this.#splice.history([frame]), 'history'),
      onPause: () => this.#endHistoryIfMet(),
      later: (run) => this.#setTimer(0, run),
      now: viewerNow,
      hidden: () => document.hidden,
    });
    this.#edge = this.#joinAt('keyframe');
    this.#setTimer(FACTS_MS, () => void this.#refreshFacts());
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
    return this.#ended === null ? this.#incomplete : [...this.#incomplete, ...this.#splice.open];
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

  /** All that there was when the session was joined has come, from where it was joined on: the newest frame is the end. */
  get settled(): boolean {
    return this.#settled || (this.#lastFrameAtMs > 0 && this.quietMs > SETTLED_SILENCE_MS);
  }

  /** Nothing older is on its way, or will be. */
  get historyDone(): boolean {
    return this.#historyFrom === 'index' ? (this.#index?.loaded ?? false) : this.#historyDone;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#before?.close();
    this.#edge.close();
    this.#history?.close();
    this.#past.close();
    this.#index?.close();
  }

  /** Brings what lies before the last keyframes, once: to be called when what is seen first is on the screen. */
  loadHistory(): void {
    if (this.#historyFrom === null || this.#refusal !== null) return;
    this.#historyWanted = true;
    if (this.#historyFrom === 'index') this.#followIndex();
    else if (!this.#historyDone) this.#history ??= this.#readHistory();
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

  #joinAt(join: JoinMode): LiveStream {
    const stream: LiveStream = this.#connect(join, {
      control: (message) => {
        if (this.#edge === stream) this.#control(message);
      },
      frames: (message) => {
        if (this.#edge === stream) this.#frames(message);
      },
      dropped: () => {
        if (this.#edge === stream) this.#step('dropped');
      },
      refused: (why) => {
        if (this.#edge === stream) this.#refuse(why);
      },
      fault: () => this.#sink.fault(),
    });
    return stream;
  }

  #readHistory(): LiveStream {
    return this.#connect('start', {
      control: (message) => {
        if (message.type === 'gap') this.#sink.gap(message);
        if (message.type !== 'state' || (message.state !== 'live' && message.state !== 'ended')) return;
        this.#historySent = true;
        this.#endHistoryIfMet();
      },
      frames: ({ frames }) => this.#past.push(frames),
      dropped: () => undefined,
      refused: (why) => this.#refuse(why),
      fault: () => this.#sink.fault(),
    });
  }

  #connect(join: JoinMode, listener: StreamListener): LiveStream {
    const refusalOf = (cause: unknown): Refusal | null => (cause instanceof ApiFault ? cause.refusal : null);
    return new LiveStream(
      join,
      {
        open: (from) => this.#api.openLive(this.#sessionId, from),
        probe: () => this.#api.session(this.#sessionId).then(() => null, refusalOf),
        setTimer: (ms, run) => this.#setTimer(ms, run),
        random: Math.random,
      },
      listener,
    );
  }

  #endHistoryIfMet(): void {
    const met = (this.#settled && this.#splice.hasMet) || (this.#historySent && this.#past.isEmpty);
    if (!met || this.#historyDone) return;
    this.#historyDone = true;
    this.#history?.close();
    this.#past.close();
    this.#give(this.#splice.endHistory(), 'history');
  }

  /** Once, before the first frame: where history comes from. A page that is over is joined at its start instead. */
  #plan(session: SessionInfo): void {
    this.#historyFrom = historyFrom(session);
    if (session.endedAtMs === null) return;
    if (this.#historyFrom === 'stream') {
      this.#historyDone = true;
      this.#splice.endHistory();
      this.#before = this.#edge;
      this.#edge = this.#joinAt('start');
    }
    this.loadHistory();
  }

  #control(message: ControlMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#sink.serverTime(message.serverTimeMs);
        this.#session = message.session;
        this.#before?.close();
        this.#before = null;
        this.#step('welcome');
        if (this.#historyFrom === null) this.#plan(message.session);
        if (message.session.endedAtMs !== null) this.#end(message.session.endReason);
        break;
      case 'heartbeat':
        this.#sink.serverTime(message.serverTimeMs);
        if (this.quietMs > QUIET_MS) this.#step('quiet');
        break;
      case 'state':
        if (message.state === 'live' || message.state === 'ended') this.#settle();
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
    this.#before?.close();
    this.#history?.close();
    this.#past.close();
    this.#step(why === 'not-found' && this.#hasFrames ? 'deleted' : 'refused');
  }

  #frames(message: FramesMessage): void {
    const { atEdge } = this;
    this.#lastFrameAtMs = viewerNow();
    this.#hasFrames = true;
    this.#step('frames');
    const spliced = this.#splice.edge(message.frames);
    this.#give(spliced, 'edge');
    if (message.receivedAtMs > 0) this.#sink.upload({ ...message, frames: spliced.frames }, atEdge);
  }

  #give({ frames, incomplete }: Spliced, origin: Origin): void {
    if (incomplete.length > 0) this.#incomplete = [...this.#incomplete, ...incomplete].slice(-INCOMPLETE_MAX);
    for (const frame of frames) {
      this.#sink.frame(frame, origin);
      if (frame.track === 'image' && this.#historyWanted) this.#followIndex();
    }
  }

  #settle(): void {
    this.#settled = true;
    this.#endHistoryIfMet();
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
    if (this.#historyFrom === 'index') this.#give(this.#splice.endHistory(), 'history');
    for (const frame of frames) {
      this.#hasFrames = true;
      if (frame.track === 'image') this.#sink.picture(frame);
      else if (this.#historyFrom === 'index') void this.#fetchSignal(frame);
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

  /** Without the index a stream has to bring what lies before the edge. */
  #withoutIndex(): void {
    this.#sink.fault();
    if (this.#historyFrom !== 'index') return;
    this.#historyFrom = 'stream';
    this.loadHistory();
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
