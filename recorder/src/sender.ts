import type { Frame, GapReason, RecorderConfig, StartRequest } from '@playhead/schemas';
import { encodeFrames, isContinuation, LIMITS } from '@playhead/schemas';
import type { Batch } from './batch.ts';
import { fromKept, loseBatch, queryOf, toKept } from './batch.ts';
import { gzip, gzipNow } from './compress.ts';
import type { BatchRules } from './core/batching.ts';
import { heartbeatAtMs } from './core/heartbeat.ts';
import type { KeptUpload } from './core/leaving.ts';
import { BEACON_BYTES_MAX, LEAVING_BYTES_MAX } from './core/leaving.ts';
import type { Outbox } from './core/outbox.ts';
import { outcomeOf, parseRetryAfterMs, retryDelayMs } from './core/retry.ts';
import { sendAsBeacons } from './farewell.ts';
import type { Identity } from './identity.ts';
import type { Reply, Transport } from './transport.ts';

/** After a quiet time, ms: the first frame of something new. */
const LEADING_MS = 200;
const LEADING_WATCHED_MS = 30;
/** Uploads that ingest refused, one after the other, before the recorder takes the hint. */
const REFUSED_IN_A_ROW_MAX = 3;

export interface SenderEvents {
  /** Ingest said something of the session: by what is not in the answer too. */
  heard(sessionId: string, reply: Reply): void;
  /** Ingest asks for a keyframe for this watch, and the upload it answers had none. */
  keyframeWanted(watchId: string, hadKeyframe: boolean): void;
  /** `hadFrames`: what was shown last went to the ended session; a heartbeat's answer can wait for the next frame. */
  sessionEnded(hadFrames: boolean): void;
  /** Something was lost before; sending works again. */
  recovered(): void;
  /** Nothing of this key is wanted: recording is over. */
  forbidden(): void;
  configured(config: unknown): void;
}

export interface SenderParts {
  readonly transport: Transport;
  readonly outbox: Outbox;
  readonly identity: Identity;
  readonly events: SenderEvents;
  readonly startRequest: () => StartRequest;
  /** Facts that have changed since the last batch, JSON; '' for none. */
  readonly factsForBatch: () => string;
  readonly now: () => number;
  readonly chance: () => number;
  readonly hidden: () => boolean;
  readonly guard: (task: () => void) => () => void;
}

/**
 * The one loop that sends. Everything else only fills the outbox and wakes it. One upload is in flight at a time, in order;
 * what fails is sent again with the same identity.
 */
export class Sender {
  readonly #parts: SenderParts;
  #queue: Batch[] = [];
  #inFlight: Batch | null = null;
  #running = false;
  #stopped = false;
  /** Grows when the page leaves: an answer that comes after it is nobody's. */
  #life = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #refusals = 0;
  #notBeforeMs = 0;
  #watchedFlushMs: number | null = null;
  #lastSentAtMs: number;
  #lastFrameAtMs: number;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#lastSentAtMs = parts.now();
    this.#lastFrameAtMs = parts.now();
  }

  /** Nothing waits and nothing is on its way. */
  get isIdle(): boolean {
    return this.#parts.outbox.count === 0 && this.#queue.length === 0;
  }

  get #rules(): BatchRules {
    const config: RecorderConfig = this.#parts.identity.config;
    const watched = this.#watchedFlushMs !== null;
    return {
      flushMs: this.#watchedFlushMs ?? config.flushMs,
      leadingMs: watched ? LEADING_WATCHED_MS : LEADING_MS,
      batchBytesMax: Math.min(config.batchBytesMax, LIMITS.uploadBytesMax),
    };
  }

  /** A frame was put into the outbox. */
  frameAccepted(): void {
    this.#lastFrameAtMs = this.#parts.now();
    this.wake();
  }

  /** Uploads that an earlier page of the tab could not send: first in line, with the identity that they had. */
  resend(kept: readonly KeptUpload[]): void {
    this.#queue.unshift(...fromKept(kept));
    this.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#life++;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Back from the back/forward cache. */
  resume(): void {
    this.#stopped = false;
    this.#running = false;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#lastSentAtMs = this.#parts.now();
    this.#lastFrameAtMs = this.#parts.now();
    this.wake();
  }

  /** Runs the loop when the next thing is due. */
  wake(): void {
    if (this.#stopped || this.#running) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const at = this.#nextAtMs();
    if (at === null) return;
    this.#timer = setTimeout(
      this.#parts.guard(() => {
        this.#timer = null;
        void this.#run();
      }),
      Math.max(0, at - this.#parts.now()),
    );
  }

  #nextAtMs(): number | null {
    if (this.#queue.length > 0) return this.#notBeforeMs;
    const due = this.#parts.outbox.dueAtMs(this.#rules);
    const beat = heartbeatAtMs({
      lastSentAtMs: this.#lastSentAtMs,
      lastFrameAtMs: this.#lastFrameAtMs,
      hidden: this.#parts.hidden(),
      nowMs: this.#parts.now(),
      heartbeatMs: this.#parts.identity.config.heartbeatMs,
      sessionSilenceMs: this.#parts.identity.config.sessionSilenceMs,
    });
    const next = due === null ? beat : beat === null ? due : Math.min(due, beat);
    return next === null ? null : Math.max(next, this.#notBeforeMs);
  }

  async #run(): Promise<void> {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    const life = this.#life;
    try {
      while (life === this.#life && (this.#nextAtMs() ?? Number.POSITIVE_INFINITY) <= this.#parts.now()) {
        const batch = this.#queue[0] ?? this.#form();
        this.#inFlight = batch;
        const done = await this.#deliver(batch, life);
        if (life !== this.#life) return;
        this.#inFlight = null;
        if (done) this.#queue = this.#queue.filter((other) => other !== batch);
      }
    } catch {
      // A driver failed in a way nobody foresaw; the batch stays first in line and is tried later.
      this.#notBeforeMs = this.#parts.now() + retryDelayMs(++this.#failures, this.#parts.chance(), null);
    } finally {
      if (life === this.#life) {
        this.#inFlight = null;
        this.#running = false;
        this.wake();
      }
    }
  }

  /** Gives the frames that wait (none: a heartbeat) an identity and a place in the queue. */
  #form(): Batch {
    const { identity, outbox, now } = this.#parts;
    // Before frames are taken: what fails here must not cost any.
    const facts = this.#parts.factsForBatch();
    const batch: Batch = {
      sessionId: identity.session.id,
      windowId: identity.window.id,
      counter: identity.nextCounter(),
      frames: outbox.take(now(), this.#rules.batchBytesMax),
      formedAtMs: now(),
      facts,
      body: null,
      survives: false,
    };
    this.#queue.push(batch);
    return batch;
  }

  /** True when the batch is done with: stored, or lost for good. */
  async #deliver(batch: Batch, life: number): Promise<boolean> {
    const { identity, transport } = this.#parts;
    if (batch.sessionId === identity.session.id && !identity.session.announced && !(await this.#announce(life))) return false;
    const body = batch.body ?? (await gzip(encodeFrames(batch.frames ?? [])));
    if (life !== this.#life) return false;
    batch.body = body;
    const survives = this.#parts.hidden() && body.length <= BEACON_BYTES_MAX;
    batch.survives = batch.survives || survives;
    this.#lastSentAtMs = this.#parts.now();
    const reply = await transport.upload(batch.sessionId, queryOf(batch, false, this.#parts.now()), body, survives);
    if (life !== this.#life) return false;
    batch.survives = false;
    return this.#settle(batch, reply);
  }

  async #announce(life: number): Promise<boolean> {
    const sessionId = this.#parts.identity.session.id;
    const reply = await this.#parts.transport.start(this.#parts.startRequest());
    if (life !== this.#life) return false;
    const outcome = outcomeOf(reply.status);
    if (outcome === 'again') this.#later(reply);
    if (outcome === 'forbidden') this.#parts.events.forbidden();
    if (outcome === 'again' || outcome === 'forbidden') return false;
    // Refused: ingest does not want the introduction; what becomes of the uploads, their own answers say.
    if (sessionId === this.#parts.identity.session.id) this.#parts.events.configured(outcome === 'stored' ? reply.answer : null);
    if (outcome === 'stored') this.#failures = 0;
    return true;
  }

  #later(reply: Reply): void {
    this.#failures++;
    const asked = parseRetryAfterMs(reply.retryAfter, this.#parts.now());
    this.#notBeforeMs = this.#parts.now() + retryDelayMs(this.#failures, this.#parts.chance(), asked);
  }

  #settle(batch: Batch, reply: Reply): boolean {
    const { events, identity, outbox } = this.#parts;
    const outcome = outcomeOf(reply.status);
    if (outcome === 'again') {
      this.#later(reply);
      return false;
    }
    if (outcome === 'forbidden') {
      events.forbidden();
      return false;
    }
    this.#failures = 0;
    this.#notBeforeMs = 0;
    const isCurrent = batch.sessionId === identity.session.id;
    const stored = outcome === 'stored';
    if (stored) {
      this.#refusals = 0;
      if (isCurrent && !reply.ended) identity.touch();
    } else {
      this.#refusals++;
      this.#lose(batch, outcome === 'expired' ? 'session_over' : 'refused');
      if (this.#refusals >= REFUSED_IN_A_ROW_MAX) {
        events.forbidden();
        return true;
      }
    }
    if (isCurrent && outcome === 'expired') events.sessionEnded((batch.frames?.length ?? 0) > 0);
    if (stored) this.#heed(batch.sessionId, reply, batch.frames ?? []);
    else if (outbox.isLossy) events.recovered();
    return true;
  }

  #lose(batch: Batch, reason: GapReason): void {
    if (batch.frames !== null) this.#parts.outbox.drop(batch.frames, reason);
    else loseBatch(batch, this.#parts.outbox.losses, reason);
  }

  /**
   * Does what ingest asks for.
   *
   * @param frames of the upload that was stored; null: nothing was, it answered a watch request
   */
  #heed(sessionId: string, reply: Reply, frames: readonly Frame[] | null): void {
    const { events, identity, outbox } = this.#parts;
    const isCurrent = sessionId === identity.session.id;
    if (isCurrent) {
      this.#watchedFlushMs = reply.flushMs;
      events.heard(sessionId, reply);
    }
    if (isCurrent && reply.ended) events.sessionEnded(frames !== null && frames.length > 0);
    if (frames !== null && (outbox.isLossy || !outbox.losses.isEmpty)) events.recovered();
    if (isCurrent && reply.keyframeFor !== null && !reply.ended) {
      events.keyframeWanted(reply.keyframeFor, frames?.some((frame) => frame.keyframe || isContinuation(frame)) ?? false);
    }
  }

  /** Ingest answered a watch request: as if an upload's answer had said it. With somebody watching, what waits leaves now. */
  told(sessionId: string, reply: Reply): void {
    if (this.#stopped) return;
    this.#heed(sessionId, reply, null);
    if (this.#watchedFlushMs === null) return;
    this.#parts.outbox.hurry(this.#parts.now());
    this.wake();
  }

  /**
   * The tab was hidden: the system may end the page without another word. What waits leaves now, by requests that outlive
   * the page; the page may also live on, so the loop still wants an answer for each. Ingest recognises the ones it has twice.
   */
  hide(): void {
    if (this.#stopped) return;
    this.#parts.outbox.hurry(this.#parts.now());
    const busyWith = this.#inFlight;
    if (busyWith !== null) {
      if (this.#parts.outbox.count > 0) this.#form();
      sendAsBeacons(this.#queue, false, this.#parts.transport, this.#parts.now());
    }
    this.#notBeforeMs = 0;
    void this.#run();
  }

  /**
   * The page goes.
   *
   * @param keep keeps uploads for the tab's next page load; false when it cannot
   */
  leave(keep: (uploads: readonly KeptUpload[]) => boolean): void {
    if (this.#stopped) return;
    const { outbox, now, transport } = this.#parts;
    let rawBytes = 0;
    while (outbox.count > 0 && rawBytes < LEAVING_BYTES_MAX) {
      const batch = this.#form();
      rawBytes += batch.frames?.reduce((sum, frame) => sum + frame.payload.length, 0) ?? 0;
    }
    outbox.drop(outbox.clear(), 'page_left');
    this.#tellLosses();
    // The goodbye is the newest upload, and it has to be said even if there is nothing else to say.
    const newest = this.#queue.at(-1);
    if (outbox.count > 0 || newest === undefined || newest.survives || newest === this.#inFlight) this.#form();
    const goodbye = this.#queue.at(-1);
    const { kept, dropped } = sendAsBeacons(this.#queue, true, transport, now());
    const keeps = kept.length === 0 || keep(toKept(kept));
    const lost = keeps ? dropped : [...kept, ...dropped];
    for (const batch of lost) loseBatch(batch, outbox.losses, 'page_left');
    if (goodbye !== undefined && (kept.includes(goodbye) || dropped.includes(goodbye))) {
      // Something before it was too large, or it was itself: then the word alone may overtake, and what is lost with it.
      this.#tellLosses();
      const word = this.#form();
      word.body = gzipNow(encodeFrames(word.frames ?? []));
      const taken = transport.beacon(word.sessionId, queryOf(word, true, now()), word.body);
      if (!taken) keep(toKept(keeps ? [...kept, word] : [word]));
    }
    this.stop();
    this.#queue = [];
    this.#inFlight = null;
  }

  /** For a page that goes: no keyframe will come, and what is told needs none. */
  #tellLosses(): void {
    const { outbox, identity, now } = this.#parts;
    outbox.recover();
    outbox.tell(now(), identity.config.bufferBytesMax);
  }
}
