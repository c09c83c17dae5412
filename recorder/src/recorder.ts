import type { Frame, Signal, StartRequest } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import { parseConfig } from './core/continuity.ts';
import { parseKept } from './core/leaving.ts';
import { Outbox } from './core/outbox.ts';
import { TypedValues } from './core/typed-values.ts';
import { redactUrl } from './core/urls.ts';
import type { RawFrame } from './frame-queue.ts';
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

/** Facts travel in URLs of uploads: short enough for every server. */
const FACT_CHARS_MAX = 500;
/** Texts of custom signals by which the recorder speaks of itself. */
export const LOST_SIGNAL = 'playhead.lost';

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
    this.#frames = new FrameQueue((frame) => this.#accept(frame), guard);
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
    this.#watchRequest.stop();
    this.#frames.drain();
    const kept = this.#sender.leave();
    if (kept.length > 0) this.#keptStore.write(JSON.stringify(kept));
    this.#identity.close();
    this.#away = true;
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
    this.#on(document, 'visibilitychange', () => {
      if (this.#away) return;
      this.#watchRequest.adjust();
      if (document.visibilityState === 'hidden') {
        this.#frames.drain();
        this.#sender.hide();
        this.#identity.touch(this.#identity.session.announced);
      } else {
        this.#sender.wake();
      }
    });
  }

  #leave(): void {
    if (this.#away) return;
    this.#watchRequest.stop();
    this.#frames.drain();
    const kept = this.#sender.leave();
    if (kept.length > 0) this.#keptStore.write(JSON.stringify(kept));
    this.#identity.close();
    this.#away = true;
  }

  #comeBack(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#ended = false;
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
  }

  #pushSignal(signal: Signal): void {
    this.#push({ track: 'signal', keyframe: false, timestampMs: now(), value: signal });
  }

  /** After a quiet time: the session may be over, or another tab may have begun a new one. */
  #checkSession(): void {
    if (this.#ended) this.#enterSession(() => this.#identity.renew());
    else this.#enterSession(() => this.#identity.refresh());
  }

  #accept(frame: Frame): void {
    const answer = this.#outbox.accept(frame, now(), this.#identity.config.bufferBytesMax);
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
      const signals = this.#outbox.clear().filter((frame) => frame.track === 'signal');
      const loss = this.#outbox.recover();
      for (const frame of signals) this.#accept(frame);
      if (loss !== null) this.#tellLoss(loss);
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
    this.#dom?.takeKeyframe();
  }

  #recover(): void {
    const loss = this.#outbox.recover();
    if (loss !== null) this.#tellLoss(loss);
    this.#dom?.takeKeyframe();
  }

  #tellLoss(loss: object): void {
    this.#pushSignal({ kind: 'custom', text: LOST_SIGNAL, value: JSON.stringify(loss) });
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
