import { backoffMs, isLost, pause } from '@playhead/ports';
import type { ControlMessage, JoinFrom, Partition, SessionInfo } from '@playhead/schemas';
import { BlockFault, BytesFault, formatPosition, PlayheadError, toOffset, WIRE_VERSION } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import { errorText } from '../error-text.ts';
import { HeldUpload, messagesOf } from '../window/held-upload.ts';
import type { WindowView } from '../window/partition-window.ts';
import { BacklogReader } from './backlog-reader.ts';
import { BlockReader } from './block-reader.ts';
import { isCatalogBehind } from './chain-lag.ts';
import type { Ask, Handover, Input, Outgoing, Step, UploadInLog } from './core/handover.ts';
import { begin, nextAsk } from './core/handover.ts';
import { step } from './core/transitions.ts';
import type { PacedSocket } from './viewer-socket.ts';

type AskOf<Kind extends Ask['kind']> = Extract<Ask, { kind: Kind }>;

/** The end of a session, as the directory tells it. */
export type SessionEnd = Pick<SessionInfo, 'endedAtMs' | 'endReason'>;

/**
 * The driver of one viewer: performs what the handover asks, one thing at a time, and sends what it gives. Rules: SPEC.md.
 *
 * Events from outside (the end of the session, the viewer's leaving) are queued and interrupt only a wait.
 */
export class Viewer {
  readonly #gateway: Gateway;
  readonly #session: SessionInfo;
  readonly #partition: Partition;
  readonly #socket: PacedSocket;
  readonly #window: WindowView;
  readonly #leave = new AbortController();
  readonly #located = Promise.withResolvers<void>();
  readonly #events: Input[] = [];
  #interrupt = new AbortController();
  #handover: Handover;
  #backlog: BacklogReader | null = null;
  #block: BlockReader | null = null;
  #failures = 0;
  #lastReceivedAtMs = 0;

  constructor(gateway: Gateway, session: SessionInfo, partition: Partition, from: JoinFrom, socket: PacedSocket, window: WindowView) {
    this.#gateway = gateway;
    this.#session = session;
    this.#partition = partition;
    this.#socket = socket;
    this.#window = window;
    this.#say({ type: 'welcome', version: WIRE_VERSION, session, serverTimeMs: gateway.clock.now() });
    const first = begin(from);
    this.#handover = first.handover;
    this.#sendAll(first.outgoing);
  }

  /** Resolves when the catalog has told what there is, or the viewer has left before. */
  get located(): Promise<void> {
    return this.#located.promise;
  }

  /** Runs until the viewer leaves. Never rejects. */
  async run(): Promise<void> {
    while (this.#handover.stage !== 'left') {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#apply(step(this.#handover, event));
      const ask = nextAsk(this.#handover);
      if (ask.kind === 'stop') break;
      const input = await this.#performSafely(ask);
      if (input?.kind === 'located') this.#located.resolve();
      if (input?.kind === 'uploads') await this.#prepare(input.uploads);
      if (input !== null) this.#apply(step(this.#handover, input));
      if (input?.kind === 'uploads' && this.#isUpToDate() && this.#isCongested()) {
        this.#apply(step(this.#handover, { kind: 'congested' }));
      }
    }
    this.#located.resolve();
    this.#closeReaders();
  }

  leave(): void {
    this.#leave.abort();
    this.#queue({ kind: 'left' });
    this.#socket.left();
  }

  /** The session has ended: asks the log where it stands, so that everything before is sent first. */
  async end(end: SessionEnd): Promise<void> {
    const { signal } = this.#leave;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const { next } = await this.#gateway.log.bounds('playhead.uploads', this.#partition);
        this.#queue({ kind: 'ended', reason: end.endReason ?? 'silence', endedAtMs: end.endedAtMs ?? 0, through: toOffset(next - 1) });
        return;
      } catch (error) {
        this.#gateway.logger.warn({ error: errorText(error) }, 'the end of a session cannot be placed yet');
        await pause(this.#gateway.clock, backoffMs(this.#gateway.settings.retryMs, attempt), signal);
      }
    }
  }

  /** A sign of life; left out while the socket has enough to carry. */
  heartbeat(): void {
    if (this.#socket.buffered > 0) return;
    this.#say({ type: 'heartbeat', serverTimeMs: this.#gateway.clock.now(), lastReceivedAtMs: this.#lastReceivedAtMs });
  }

  #queue(event: Input): void {
    this.#events.push(event);
    this.#interrupt.abort();
  }

  #apply(next: Step): void {
    this.#handover = next.handover;
    this.#sendAll(next.outgoing);
    const { stage } = next.handover;
    if (stage !== 'backlog') {
      this.#backlog?.close();
      this.#backlog = null;
    }
    if (stage !== 'replaying') this.#block = null;
  }

  /** Everything slow about uploads is done before they are decided, and not for those that will be left out. */
  async #prepare(uploads: readonly UploadInLog[]): Promise<void> {
    for (const upload of uploads) {
      this.#lastReceivedAtMs = Math.max(this.#lastReceivedAtMs, upload.receivedAtMs);
      const isWanted = upload.offset >= this.#handover.cursor.offset && !this.#handover.marks.has(upload);
      if (!isWanted || !(upload instanceof HeldUpload)) continue;
      await upload.prepare();
      if (upload.spoiled === null) continue;
      const { sessionId, offset, spoiled: error } = upload;
      this.#gateway.logger.error(
        { sessionId, partition: this.#partition, offset, error },
        'an upload cannot be decoded; viewers go on behind it',
      );
    }
  }

  #closeReaders(): void {
    this.#backlog?.close();
    this.#backlog = null;
    this.#block = null;
  }

  /** A failing store or log pauses this viewer and nobody else; the same is asked again. */
  async #performSafely(ask: Ask): Promise<Input | null> {
    try {
      const input = await this.#perform(ask);
      this.#failures = 0;
      return input;
    } catch (error) {
      this.#closeReaders();
      if (this.#leave.signal.aborted) return null;
      if (ask.kind === 'read-block' && isLoss(error)) {
        this.#gateway.logger.warn({ block: ask.block.objectKey, error: errorText(error) }, 'a block cannot be read');
        return { kind: 'block-lost' };
      }
      this.#gateway.logger.warn({ ask: ask.kind, error: errorText(error) }, 'a viewer has to wait');
      await pause(this.#gateway.clock, backoffMs(this.#gateway.settings.retryMs, this.#failures++), this.#leave.signal);
      return null;
    }
  }

  #perform(ask: Ask): Promise<Input | null> {
    switch (ask.kind) {
      case 'locate':
        return this.#locate(ask);
      case 'read-block':
        return this.#readBlock(ask);
      case 'read-log':
        return this.#readLog(ask);
      case 'follow':
        return this.#follow(ask);
      case 'wait':
        return this.#wait(ask);
      case 'drain':
        return this.#socket.below(this.#drainedBytes()).then(() => ({ kind: 'drained' }));
      case 'stop':
        return Promise.resolve(null);
      default:
        return ask satisfies never;
    }
  }

  async #locate(ask: AskOf<'locate'>): Promise<Input> {
    const { catalog, clock, settings } = this.#gateway;
    if (ask.attempt > 0) await pause(clock, backoffMs(settings.retryMs, ask.attempt - 1), this.#leave.signal);
    // Before the blocks: what the catalog is found to have here, its answer below has too.
    const behind = ask.checkBehind && (await isCatalogBehind(this.#gateway, this.#partition, this.#leave.signal));
    const { projectId, sessionId } = this.#session;
    const { chainEnd, blocks, gaps } = await catalog.blocks(projectId, sessionId, this.#partition);
    for (const block of blocks) this.#lastReceivedAtMs = Math.max(this.#lastReceivedAtMs, block.lastReceivedAtMs);
    return { kind: 'located', chainEnd, blocks, gaps, behind };
  }

  async #readBlock(ask: AskOf<'read-block'>): Promise<Input> {
    await this.#socket.below(this.#drainedBytes());
    if (this.#block?.block !== ask.block || this.#block.through !== ask.through) {
      this.#block = new BlockReader(this.#gateway.blocks, ask, this.#gateway.settings.messageBytesMax);
    }
    const frames = await this.#block.next();
    return frames === null ? { kind: 'block-read' } : { kind: 'frames', frames };
  }

  async #readLog(ask: AskOf<'read-log'>): Promise<Input | null> {
    await this.#socket.below(this.#drainedBytes());
    if ((this.#backlog === null || this.#backlog.isBetweenBatches) && this.#window.reaches(ask.after)) return { kind: 'met' };
    const { log, settings, readUpload } = this.#gateway;
    const watched = { projectId: this.#session.projectId, sessionId: this.#session.sessionId, partition: this.#partition };
    this.#backlog ??= new BacklogReader(log, watched, ask.after, { ...settings, readUpload }, this.#leave.signal);
    const input = await this.#backlog.next();
    if (input === null) {
      this.#closeReaders();
      if (!this.#leave.signal.aborted) throw new PlayheadError('log_unavailable', 'the log ended a read');
    }
    return input;
  }

  /** A viewer that still catches up is sent as much as it takes; only one that is at the edge can lag. */
  async #follow(ask: AskOf<'follow'>): Promise<Input> {
    if (!this.#isUpToDate()) await this.#socket.below(this.#drainedBytes());
    let taken = this.#window.take(ask.after);
    if (taken.kind === 'edge' && !this.#isUpToDate()) {
      await this.#window.settle(ask.after, this.#leave.signal);
      taken = this.#window.take(ask.after);
    }
    if (taken.kind !== 'upload') return taken;
    return { kind: 'uploads', uploads: [taken.upload], through: taken.upload.offset };
  }

  async #wait(ask: AskOf<'wait'>): Promise<Input | null> {
    this.#interrupt = new AbortController();
    // An event that came before this controller was made is in the queue already.
    if (this.#events.length > 0) return null;
    const { signal } = this.#interrupt;
    const woken = this.#window.wait(ask.after, ask.until, signal).then((): Input => ({ kind: 'woken' }));
    if (ask.until === null) {
      await woken;
      return signal.aborted ? null : { kind: 'woken' };
    }
    const { clock, settings } = this.#gateway;
    const overdue = pause(clock, settings.endGraceMs, signal).then((): Input => ({ kind: 'overdue' }));
    const input = await Promise.race([woken, overdue]);
    const interrupted = signal.aborted;
    this.#interrupt.abort();
    return interrupted ? null : input;
  }

  #isUpToDate(): boolean {
    return this.#handover.told === 'live' || this.#handover.told === 'ended';
  }

  #isCongested(): boolean {
    return this.#socket.buffered > this.#gateway.settings.viewerBufferBytesMax;
  }

  /** History is sent with less ahead than live: what waits in the socket is what a slow viewer costs. */
  #drainedBytes(): number {
    return Math.max(1, Math.floor(this.#gateway.settings.viewerBufferBytesMax / 4));
  }

  #sendAll(outgoing: readonly Outgoing[]): void {
    for (const message of outgoing) {
      if (message.type === 'frames') this.#sendFrames(message);
      else if (message.type === 'lagged') this.#say({ type: 'lagged', position: formatPosition(message.position) });
      else this.#say(message);
    }
  }

  #sendFrames({ upload, frames }: Extract<Outgoing, { type: 'frames' }>): void {
    const whole = upload instanceof HeldUpload && upload.frames.length === frames.length;
    const times = upload ?? { receivedAtMs: 0, sentAtMs: 0 };
    const messages = whole ? upload.messages : messagesOf(frames, times, this.#gateway.settings.messageBytesMax);
    for (const message of messages) this.#socket.send(message);
  }

  #say(message: ControlMessage): void {
    this.#socket.send(JSON.stringify(message));
  }
}

/** The block is not there, or not what the catalog says: asking the store again would not help. */
function isLoss(error: unknown): boolean {
  return error instanceof BlockFault || error instanceof BytesFault || isLost(error);
}
