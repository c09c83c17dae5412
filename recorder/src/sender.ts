import type { Frame, RecorderConfig, StartRequest, UploadQuery } from '@playhead/schemas';
import { encodeFrames, LIMITS } from '@playhead/schemas';
import { fromBase64, gzip, gzipNow, toBase64 } from './compress.ts';
import type { BatchRules } from './core/batching.ts';
import { uploadIdOf } from './core/continuity.ts';
import { heartbeatAtMs } from './core/heartbeat.ts';
import type { KeptUpload } from './core/leaving.ts';
import { BEACON_BYTES_MAX, LEAVING_BYTES_MAX, planLeaving } from './core/leaving.ts';
import type { Outbox } from './core/outbox.ts';
import { outcomeOf, parseRetryAfterMs, retryDelayMs } from './core/retry.ts';
import type { Identity } from './identity.ts';
import type { Reply, Transport } from './transport.ts';

/** After a quiet time, ms: the first frame of something new. */
const LEADING_MS = 200;
const LEADING_WATCHED_MS = 30;
/** Uploads that ingest refused, one after the other, before the recorder takes the hint. */
const REFUSED_IN_A_ROW_MAX = 3;

/** An upload with its identity. The identity is fixed when the batch is formed and never changes, however it leaves. */
interface Batch {
  readonly sessionId: string;
  readonly windowId: string;
  readonly counter: number;
  readonly frames: readonly Frame[];
  readonly formedAtMs: number;
  readonly facts: string;
  body: Uint8Array<ArrayBuffer> | null;
  /** On its way as a beacon or keepalive request: it arrives even if the page dies. */
  survives: boolean;
}

export interface SenderEvents {
  /** Ingest asks for a keyframe for this watch, and the upload it answers had none. */
  keyframeWanted(watchId: string, hadKeyframe: boolean): void;
  /** `hadFrames`: what was shown last went to the ended session; a heartbeat's answer can wait for the next frame. */
  sessionEnded(hadFrames: boolean): void;
  /** Frames were lost before; sending works again. */
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
    const batches = kept.flatMap((upload): Batch[] => {
      const body = fromBase64(upload.body);
      if (body === null) return [];
      const { sessionId, windowId, counter, formedAtMs } = upload;
      return [{ sessionId, windowId, counter, formedAtMs, frames: [], facts: '', body, survives: false }];
    });
    this.#queue.unshift(...batches);
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

  #query(batch: Batch, goodbye: boolean): UploadQuery {
    return {
      window: batch.windowId,
      upload: uploadIdOf(batch.windowId, batch.counter),
      counter: batch.counter,
      format: 'frames',
      codec: 'gzip',
      sentAtMs: this.#parts.now(),
      ...(goodbye ? { goodbye: 1 as const } : {}),
      ...(batch.facts === '' ? {} : { facts: batch.facts }),
    };
  }

  /** True when the batch is done with: stored, or lost for good. */
  async #deliver(batch: Batch, life: number): Promise<boolean> {
    const { identity, transport } = this.#parts;
    if (batch.sessionId === identity.session.id && !identity.session.announced && !(await this.#announce(life))) return false;
    const body = batch.body ?? (await gzip(encodeFrames(batch.frames)));
    if (life !== this.#life) return false;
    batch.body = body;
    const survives = this.#parts.hidden() && body.length <= BEACON_BYTES_MAX;
    batch.survives = batch.survives || survives;
    this.#lastSentAtMs = this.#parts.now();
    const reply = await transport.upload(batch.sessionId, this.#query(batch, false), body, survives);
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
    if (outcome === 'stored') {
      this.#refusals = 0;
      if (isCurrent && !reply.ended) identity.touch();
      this.#watchedFlushMs = reply.flushMs;
    } else {
      this.#refusals++;
      outbox.drop(batch.frames);
      if (this.#refusals >= REFUSED_IN_A_ROW_MAX) {
        events.forbidden();
        return true;
      }
    }
    if (isCurrent && (reply.ended || outcome === 'expired')) events.sessionEnded(batch.frames.length > 0);
    if (outbox.loss !== null) events.recovered();
    if (isCurrent && reply.keyframeFor !== null && !reply.ended) {
      const hadKeyframe = batch.frames.some((frame) => frame.keyframe);
      events.keyframeWanted(reply.keyframeFor, hadKeyframe);
    }
    return true;
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
      this.#beacon(this.#queue, false);
    }
    this.#notBeforeMs = 0;
    void this.#run();
  }

  /** Compresses within the time that a leaving page has; the index behind the last batch that it reached. */
  #compressForLeaving(batches: readonly Batch[]): number {
    let bytes = 0;
    for (const [index, batch] of batches.entries()) {
      if (batch.body !== null) continue;
      const raw = encodeFrames(batch.frames);
      bytes += raw.length;
      if (bytes > LEAVING_BYTES_MAX && index > 0) return index;
      batch.body = gzipNow(raw);
    }
    return batches.length;
  }

  /** Sends as beacons what fits, except what already outlives the page; answers what has to be kept. */
  #beacon(batches: readonly Batch[], goodbye: boolean): Batch[] {
    const waiting = batches.filter((batch) => !batch.survives);
    const reached = waiting.slice(0, this.#compressForLeaving(waiting));
    const underWay = batches.reduce((sum, batch) => sum + (batch.survives ? (batch.body?.length ?? 0) : 0), 0);
    const plan = planLeaving(
      reached.map((batch) => batch.body?.length ?? 0),
      Math.max(0, BEACON_BYTES_MAX - underWay),
    );
    const kept: Batch[] = [];
    const last = batches.at(-1);
    for (const index of plan.beacons) {
      const batch = reached[index];
      if (!batch?.body) continue;
      // The browser has the last word: other requests of the page may have used up what it allows.
      const taken =
        kept.length === 0 && this.#parts.transport.beacon(batch.sessionId, this.#query(batch, goodbye && batch === last), batch.body);
      if (taken) batch.survives = true;
      else kept.push(batch);
    }
    for (const index of plan.kept) {
      const batch = reached[index];
      if (batch) kept.push(batch);
    }
    return kept;
  }

  /** The page goes. Answers what has to wait for the tab's next page load. */
  leave(): KeptUpload[] {
    if (this.#stopped) return [];
    const { outbox } = this.#parts;
    let rawBytes = 0;
    while (outbox.count > 0 && rawBytes < LEAVING_BYTES_MAX) {
      const batch = this.#form();
      rawBytes += batch.frames.reduce((sum, frame) => sum + frame.payload.length, 0);
    }
    outbox.drop(outbox.clear());
    // The goodbye is the newest upload, and it has to be said even if there is nothing else to say.
    const newest = this.#queue.at(-1);
    if (newest === undefined || newest.survives || newest === this.#inFlight) this.#form();
    const goodbye = this.#queue.at(-1);
    const kept = this.#beacon(this.#queue, true);
    if (goodbye !== undefined && kept.includes(goodbye)) {
      // Something before it was too large, or it was itself: then the word alone may overtake.
      const word = this.#form();
      this.#parts.transport.beacon(word.sessionId, this.#query(word, true), gzipNow(encodeFrames([])));
    }
    this.stop();
    this.#queue = [];
    this.#inFlight = null;
    return kept.flatMap((batch): KeptUpload[] => {
      if (batch.body === null) return [];
      const { sessionId, windowId, counter, formedAtMs } = batch;
      return [{ sessionId, windowId, counter, formedAtMs, body: toBase64(batch.body) }];
    });
  }
}
