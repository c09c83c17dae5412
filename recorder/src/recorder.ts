import type { Frame, Signal, StartRequest } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { parseConfig } from './core/continuity.ts';
import type { KeptUpload } from './core/leaving.ts';
import { parseKept } from './core/leaving.ts';
import type { Loss } from './core/losses.ts';
import { Outbox } from './core/outbox.ts';
import { TypedValues } from './core/typed-values.ts';
import { redactUrl } from './core/urls.ts';
import type { RawFrame, Spoiling } from './frame-queue.ts';
import { FrameQueue } from './frame-queue.ts';
import { Identity } from './identity.ts';
import type { RecorderOptions } from './options.ts';
import { blockSelectorOf, maskSelectorOf } from './options.ts';
import type { DomRecording } from './rrweb-binding.ts';
import { recordDom } from './rrweb-binding.ts';
import { Sender } from './sender.ts';
import type { Signals } from './signals.ts';
import { listenForSignals } from './signals.ts';
import type { TextStore } from './storage.ts';
import { textStore } from './storage.ts';
import { httpTransport } from './transport.ts';
import { WatchRequest } from './watch-request.ts';

/** While no keyframe can be had, what is missing grows: it is told this often, ms. */
const TELL_BLIND_EVERY_MS = 60_000;
/** Facts travel in URLs of uploads: short enough for every server. */
const FACT_CHARS_MAX = 500;

/** Nothing that goes wrong in here may reach the page. */
function guard(task: () => void): () => void {
  return () => {
    try {
      task();
    } catch {
      // A frame or a signal less.
    }
  };
}

const now = (): number => Date.now();

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** Of the page, not of one recording: what was typed before a stop is as secret after the next start. */
const typed = new TypedValues();

/** Records this page until it is stopped. One per page. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #keepQuery: ReadonlySet<string>;
  readonly #outbox = new Outbox();
  readonly #identity: Identity;
  readonly #keptStore: TextStore;
  readonly #frames: FrameQueue;
  readonly #sender: Sender;
  readonly #watchRequest: WatchRequest;
  readonly #undo: (() => void)[] = [];
  #dom: DomRecording | null = null;
  #signals: Signals | null = null;
  /** The page has left (it may come back from the back/forward cache), or recording was stopped. */
  #away = false;
  #ended = false;
  #entering = false;
  #toldFacts: Record<string, string> = {};
  #frozenAtMs: number | null = null;
  #toldLossesAtMs = now();

  /** @throws Error for a selector that is not one: recording less than asked for would show what must stay hidden */
  constructor(options: RecorderOptions) {
    this.#options = options;
    document.createElement('i').matches(`${blockSelectorOf(options)}, ${maskSelectorOf(options)}`);
    this.#keepQuery = new Set(options.keepQuery);
    // Several projects can record one origin; each has its own sessions.
    const suffix = options.key.slice(-12);
    this.#identity = new Identity(
      {
        sessionStore: textStore(() => localStorage, `playhead.session.${suffix}`),
        windowStore: textStore(() => sessionStorage, `playhead.window.${suffix}`),
        now,
        randomBytes,
      },
      options.userId ?? '',
    );
    this.#keptStore = textStore(() => sessionStorage, `playhead.kept.${suffix}`);
    this.#frames = new FrameQueue(
      (parts) => this.#accept(parts),
      (raw, why) => this.#spoil(raw, why),
      guard,
    );
    const common = {
      transport: httpTransport(options.endpoint, options.key),
      now,
      chance: () => Math.random(),
      hidden: () => document.visibilityState === 'hidden',
      guard,
    };
    this.#watchRequest = new WatchRequest({
      ...common,
      sessionId: () => this.#identity.session.id,
      heed: (sessionId, reply) => this.#sender.told(sessionId, reply),
    });
    this.#sender = new Sender({
      ...common,
      outbox: this.#outbox,
      identity: this.#identity,
      events: {
        heard: (sessionId, reply) => this.#watchRequest.heard(sessionId, reply),
        keyframeWanted: (watchId, hadKeyframe) => this.#keyframeFor(watchId, hadKeyframe),
        sessionEnded: (hadFrames) => {
          if (hadFrames || !this.#sender.isIdle) this.#enterSession(() => this.#identity.renew());
          else this.#ended = true;
        },
        recovered: () => this.#recover(),
        forbidden: () => this.stop(),
        configured: (answer) => {
          const config = (answer as { config?: unknown } | null)?.config;
          this.#identity.announced(config === undefined ? this.#identity.config : parseConfig(config));
        },
      },
      startRequest: () => this.#startRequest(),
      factsForBatch: () => this.#changedFacts(),
    });
  }

  get sessionId(): string {
    return this.#identity.session.id;
  }

  start(): void {
    if (this.#options.userId) this.#identity.identify(this.#options.userId);
    const kept = parseKept(this.#keptStore.read(), now());
    this.#keptStore.remove();
    if (kept.length > 0) this.#sender.resend(kept);

    const blockSelector = blockSelectorOf(this.#options);
    const maskSelector = maskSelectorOf(this.#options);
    this.#dom = recordDom({
      blockSelector,
      maskSelector,
      keepQuery: this.#keepQuery,
      typed,
      emit: (frame) => this.#push(frame),
      lost: (reason, atMs) => this.#lose({ reason, fromMs: atMs, toMs: now(), frames: 1, bytes: 0, track: 'dom' }),
      now,
    });
    this.#signals = listenForSignals({
      blockSelector,
      maskSelector,
      keepQuery: this.#keepQuery,
      scrub: (text) => typed.scrub(text),
      emit: (signal) => this.#pushSignal(signal),
      now,
    });
    this.#signals.navigation();
    this.#watchPage();
  }

  stop(): void {
    if (this.#away) return;
    this.#leave();
    this.#dom?.stop();
    this.#signals?.stop();
    for (const step of this.#undo.splice(0)) step();
  }

  identify(userId: string): void {
    this.#identity.identify(userId);
    this.#outbox.hurry(now());
    this.#sender.wake();
  }

  event(name: string, value: string): void {
    this.#signals?.custom(name, value);
  }

  #on(target: EventTarget, type: string, handle: (event: Event) => void): void {
    const listener = (event: Event): void => guard(() => handle(event))();
    target.addEventListener(type, listener, { capture: true });
    this.#undo.push(() => target.removeEventListener(type, listener, { capture: true }));
  }

  #watchPage(): void {
    this.#on(window, 'pagehide', () => this.#leave());
    this.#on(window, 'pageshow', (event) => {
      if ((event as PageTransitionEvent).persisted) this.#comeBack();
    });
    this.#on(document, 'freeze', () => {
      if (!this.#away) this.#frozenAtMs = now();
    });
    this.#on(document, 'resume', () => this.#thaw());
    this.#on(document, 'visibilitychange', () => {
      if (this.#away) return;
      this.#watchRequest.adjust();
      if (document.visibilityState === 'hidden') {
        this.#frames.drain();
        this.#noteMissed(true);
        this.#sender.hide();
        this.#identity.touch(this.#identity.session.announced);
      } else {
        this.#sender.wake();
      }
    });
  }

  /** No timer and no script ran since. The visitor may have seen the page stand still; a tab that runs on in the background is no gap. */
  #thaw(): void {
    const fromMs = this.#frozenAtMs;
    this.#frozenAtMs = null;
    if (this.#away || fromMs === null) return;
    const before = this.#identity.session.id;
    if (this.#sender.isIdle && this.#frames.isEmpty) this.#checkSession();
    // It slept through the end of its session: nothing is missing of the new one.
    if (this.#identity.session.id !== before) return;
    this.#lose({ reason: 'background', fromMs, toMs: now(), frames: 0, bytes: 0, track: null });
    this.#tellLosses();
  }

  #leave(): void {
    if (this.#away) return;
    this.#watchRequest.stop();
    this.#frames.drain();
    this.#noteMissed(true);
    this.#sender.leave((uploads) => this.#keep(uploads));
    this.#identity.close();
    this.#away = true;
  }

  #keep(uploads: readonly KeptUpload[]): boolean {
    const kept = this.#keptStore.write(JSON.stringify(uploads));
    // What was told as lost does not come after all.
    if (!kept) this.#keptStore.remove();
    return kept;
  }

  #comeBack(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#ended = false;
    this.#frozenAtMs = null;
    this.#toldFacts = {};
    this.#identity.reclaim();
    this.#sender.resume();
    this.#watchRequest.resume();
    const kept = parseKept(this.#keptStore.read(), now());
    this.#keptStore.remove();
    if (kept.length > 0) this.#sender.resend(kept);
    this.#dom?.takeKeyframe();
    this.#signals?.navigation();
  }

  /** Every frame comes through here, in order. */
  #push(frame: RawFrame): void {
    if (this.#away) return;
    if (!this.#entering && this.#sender.isIdle && this.#frames.isEmpty) this.#checkSession();
    this.#frames.push(frame);
    this.#noteMissed(false);
    // Whatever was wrong with the page's picture, here it is again.
    if (frame.keyframe) this.#tellLosses();
  }

  #pushSignal(signal: Signal): void {
    this.#push({ track: 'signal', keyframe: false, timestampMs: now(), value: signal });
  }

  /** After a quiet time: the session may be over, or another tab may have begun a new one. */
  #checkSession(): void {
    if (this.#ended) this.#enterSession(() => this.#identity.renew());
    else this.#enterSession(() => this.#identity.refresh());
  }

  /** @param parts one frame: whole, or all of its parts */
  #accept(parts: readonly Frame[]): void {
    const answer = this.#outbox.acceptParts(parts, now(), this.#identity.config.bufferBytesMax);
    if (answer === 'kept') this.#sender.frameAccepted();
  }

  /** Moves to the session that `change` decides on. DOM frames that wait mean nothing there; signals do. */
  #enterSession(change: () => void): void {
    this.#entering = true;
    try {
      const before = this.#identity.session.id;
      change();
      if (this.#identity.session.id === before) return;
      this.#ended = false;
      this.#toldFacts = {};
      this.#frames.drain();
      const waiting = this.#outbox.clear();
      this.#outbox.losses.drop(
        waiting.filter((frame) => frame.track !== 'signal'),
        'session_over',
      );
      this.#outbox.recover();
      for (const frame of waiting) if (frame.track === 'signal') this.#accept([frame]);
      this.#tellLosses();
      this.#outbox.hurry(now());
      this.#signals?.navigation();
      this.#dom?.takeKeyframe();
    } finally {
      this.#entering = false;
    }
  }

  #keyframeFor(watchId: string, hadKeyframe: boolean): void {
    if (!this.#identity.takeKeyframeFor(watchId) || hadKeyframe) return;
    this.#outbox.hurry(now());
    this.#needKeyframe();
  }

  /** A large one is on its way for some time: a second one beside it would be of no use, and may not fit. */
  #needKeyframe(): void {
    if (!this.#outbox.holdsKeyframe && !this.#frames.holdsKeyframe) this.#dom?.takeKeyframe();
  }

  #recover(): void {
    const wasLossy = this.#outbox.recover();
    this.#tellLosses();
    if (wasLossy) this.#needKeyframe();
  }

  #lose(loss: Loss): void {
    this.#outbox.losses.add(loss);
  }

  #tellLosses(): void {
    if (this.#dom?.isBlind && now() - this.#toldLossesAtMs < TELL_BLIND_EVERY_MS) return;
    this.#toldLossesAtMs = now();
    if (this.#outbox.tell(now(), this.#identity.config.bufferBytesMax)) this.#sender.wake();
  }

  /** @param all also of what may go on: the page may be gone before it is over */
  #noteMissed(all: boolean): void {
    const missed = this.#signals?.missed(all) ?? [];
    for (const loss of missed) this.#lose(loss);
    if (missed.length > 0) this.#tellLosses();
  }

  /** A frame could not be made into bytes. */
  #spoil(raw: RawFrame, why: Spoiling): void {
    const { track, keyframe, timestampMs } = raw;
    this.#lose({
      reason: why === 'fault' && keyframe ? 'keyframe_lost' : why,
      fromMs: timestampMs,
      toMs: now(),
      frames: 1,
      bytes: 0,
      track,
    });
    if (track === 'dom') this.#dom?.spoiled(keyframe);
  }

  #facts(): Record<string, string> {
    const cut = (text: string): string => typed.scrub(text).slice(0, FACT_CHARS_MAX);
    const { userId } = this.#identity.session;
    return {
      source: 'web',
      url: cut(redactUrl(location.href, this.#keepQuery)),
      title: cut(document.title),
      ...(document.referrer ? { referrer: cut(redactUrl(document.referrer, this.#keepQuery)) } : {}),
      viewport: `${window.innerWidth}x${window.innerHeight}`,
      screen: `${screen.width}x${screen.height}`,
      userAgent: cut(navigator.userAgent),
      language: navigator.language,
      ...(userId ? { userId: userId.slice(0, FACT_CHARS_MAX) } : {}),
    };
  }

  #changedFacts(): string {
    const facts = this.#facts();
    const changed = Object.entries(facts).filter(([name, value]) => this.#toldFacts[name] !== value);
    this.#toldFacts = facts;
    return changed.length === 0 ? '' : JSON.stringify(Object.fromEntries(changed));
  }

  #startRequest(): StartRequest {
    const { session, window } = this.#identity;
    return {
      sessionId: session.id,
      windowId: window.id,
      source: 'web',
      startedAtMs: session.startedAtMs,
      facts: this.#facts(),
      ...(session.userId ? { userId: session.userId.slice(0, LIMITS.factCharsMax) } : {}),
    };
  }
}
