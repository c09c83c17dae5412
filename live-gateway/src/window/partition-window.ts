import type { Clock, EventLog, LogBatch, Logger } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import type { Offset, Partition } from '@playhead/schemas';
import { nextOffset, PlayheadError, toOffset } from '@playhead/schemas';
import { errorText } from '../error-text.ts';
import type { Decoding } from './held-upload.ts';
import { HeldUpload } from './held-upload.ts';

/** What a viewer finds when it looks into the window. */
export type Taken =
  /** The next upload of the session. */
  | { readonly kind: 'upload'; readonly upload: HeldUpload }
  /** No upload of the session up to `through`. */
  | { readonly kind: 'edge'; readonly through: Offset }
  /** The window may have lost uploads of the session. */
  | { readonly kind: 'fallen' };

/** One session in the window: as many viewers as it has share it. */
interface Channel {
  readonly projectId: string;
  readonly sessionId: string;
  readonly uploads: HeldUpload[];
  /** The highest offset of the session that the window may have lost. */
  lostTo: Offset;
  viewers: number;
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  readonly until: Offset | null;
  readonly wake: () => void;
}

export interface WindowSettings extends Decoding {
  readonly windowBytesMax: number;
  readonly retryMs: number;
  readonly endGraceMs: number;
}

/**
 * The recent uploads of one partition: one tail of `playhead.uploads`, shared by all viewers of the partition's
 * sessions, bounded in bytes. It begins where its first viewer's history ends; what is older, a viewer reads by itself.
 *
 * It does not begin at the end of the log: between a viewer's history and that end there may be offsets without a record,
 * and who reads them alone cannot tell that nothing comes.
 */
export class PartitionWindow {
  readonly partition: Partition;
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #settings: WindowSettings;
  readonly #stop = new AbortController();
  readonly #channels = new Map<string, Channel>();
  #held: (HeldUpload | null)[] = [];
  /** Entries of `#held` before this index were dropped and are null; they are cut off now and then. */
  #dropped = 0;
  #bytes = 0;
  /** Every record in [first, next) was seen and is held. */
  #first: Offset = toOffset(0);
  #next: Offset = toOffset(0);
  #tail: Promise<void> | null = null;
  /** Aborts when the tail has read what the log had when it began. */
  readonly #settling = new AbortController();
  #settlesAt: Offset | null = null;

  constructor(partition: Partition, log: EventLog, clock: Clock, logger: Logger, settings: WindowSettings) {
    this.partition = partition;
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
    this.#settings = settings;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get viewers(): number {
    let count = 0;
    for (const channel of this.#channels.values()) count += channel.viewers;
    return count;
  }

  /** Enters a viewer of a session. */
  open(projectId: string, sessionId: string): WindowView {
    const key = `${sessionId} ${projectId}`;
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      const lostTo = toOffset(this.#first - 1);
      channel = { projectId, sessionId, uploads: [], lostTo, viewers: 0, waiters: new Set() };
      for (let i = this.#dropped; i < this.#held.length; i++) {
        const upload = this.#held[i];
        if (upload?.sessionId === sessionId && upload.projectId === projectId) channel.uploads.push(upload);
      }
      this.#channels.set(key, channel);
    }
    channel.viewers++;
    const opened = channel;
    let open = true;
    return {
      reaches: (after) => {
        this.#begin(after);
        return opened.lostTo <= after;
      },
      take: (after) => this.#take(opened, after),
      settle: (after, signal) => this.#wait(opened, after, null, AbortSignal.any([signal, this.#settling.signal])),
      wait: (after, until, signal) => this.#wait(opened, after, until, signal),
      close: () => {
        if (!open) return;
        open = false;
        opened.viewers--;
        if (opened.viewers === 0) this.#channels.delete(key);
      },
    };
  }

  /** Ends the tail and wakes those who wait. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const channel of this.#channels.values()) wakeAll(channel);
    await this.#tail;
  }

  #take(channel: Channel, after: Offset): Taken {
    if (channel.lostTo > after) return { kind: 'fallen' };
    const upload = channel.uploads[indexBehind(channel.uploads, after)];
    return upload === undefined ? { kind: 'edge', through: toOffset(this.#next - 1) } : { kind: 'upload', upload };
  }

  #wait(channel: Channel, after: Offset, until: Offset | null, signal: AbortSignal): Promise<void> {
    const ready = (): boolean =>
      signal.aborted ||
      channel.lostTo > after ||
      (until !== null && this.#next > until) ||
      indexBehind(channel.uploads, after) < channel.uploads.length;
    if (ready()) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter: Waiter = {
        until,
        wake: () => {
          channel.waiters.delete(waiter);
          signal.removeEventListener('abort', waiter.wake);
          resolve();
        },
      };
      channel.waiters.add(waiter);
      signal.addEventListener('abort', waiter.wake, { once: true });
    });
  }

  /** The first viewer that needs the log begins the tail where it stands. */
  #begin(after: Offset): void {
    if (this.#tail !== null) return;
    this.#restart(nextOffset(after));
    this.#tail = this.#run();
    // The last offsets of the log may be holes.
    const { signal } = this.#stop;
    void pause(this.#clock, this.#settings.endGraceMs, signal).then(() => this.#settling.abort());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        this.#settlesAt ??= (await this.#log.bounds('playhead.uploads', this.partition)).next;
        this.#settle();
        for await (const batch of this.#log.read('playhead.uploads', this.partition, this.#next, { signal })) {
          attempt = 0;
          this.#add(batch);
        }
        if (signal.aborted) return;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn(
          { partition: this.partition, error: errorText(error) },
          'the tail of a watched partition failed; it begins again',
        );
        if (error instanceof PlayheadError && error.code === 'position_gone' && typeof error.details['first'] === 'number') {
          this.#restart(toOffset(error.details['first']));
        }
      }
      await pause(this.#clock, backoffMs(this.#settings.retryMs, attempt), signal);
    }
  }

  /** Nothing before `first` is held: every viewer that has not got there falls back to history. */
  #restart(first: Offset): void {
    this.#held = [];
    this.#dropped = 0;
    this.#bytes = 0;
    this.#first = first;
    this.#next = first;
    for (const channel of this.#channels.values()) {
      channel.uploads.length = 0;
      channel.lostTo = toOffset(first - 1);
      wakeAll(channel);
    }
  }

  #add(batch: LogBatch<'playhead.uploads'>): void {
    const touched = new Set<Channel>();
    for (const { offset, record } of batch.records) {
      if (record === null) continue;
      const held = new HeldUpload(offset, record, this.#settings, (change) => this.#changeBytes(held, change));
      this.#held.push(held);
      this.#bytes += held.bytes;
      const channel = this.#channels.get(`${held.sessionId} ${held.projectId}`);
      if (channel === undefined) continue;
      channel.uploads.push(held);
      touched.add(channel);
    }
    this.#next = batch.next;
    this.#trim();
    this.#settle();
    for (const channel of touched) wakeAll(channel);
    for (const channel of this.#channels.values()) {
      for (const waiter of channel.waiters) if (waiter.until !== null && this.#next > waiter.until) waiter.wake();
    }
  }

  #settle(): void {
    if (this.#settlesAt !== null && this.#next >= this.#settlesAt) this.#settling.abort();
  }

  #changeBytes(held: HeldUpload, change: number): void {
    if (held.offset < this.#first) return;
    this.#bytes += change;
    this.#trim();
  }

  /** Drops the oldest uploads until the window is within its bytes. The newest one stays, whatever it has. */
  #trim(): void {
    while (this.#bytes > this.#settings.windowBytesMax && this.#dropped < this.#held.length - 1) {
      const oldest = this.#held[this.#dropped];
      this.#held[this.#dropped++] = null;
      if (!oldest) break;
      this.#bytes -= oldest.bytes;
      this.#first = toOffset(oldest.offset + 1);
      const channel = this.#channels.get(`${oldest.sessionId} ${oldest.projectId}`);
      if (channel === undefined) continue;
      channel.uploads.shift();
      channel.lostTo = oldest.offset;
      wakeAll(channel);
    }
    if (this.#dropped > 1024 && this.#dropped * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#dropped);
      this.#dropped = 0;
    }
  }
}

/** One viewer's look into the window. */
export interface WindowView {
  /** True when the window holds, or will see, every upload of the session behind `after`. Begins the tail there where there is none. */
  reaches(after: Offset): boolean;
  take(after: Offset): Taken;
  /** Until there is something behind `after`, or the tail has read what the log had when it began: an edge before that is none. */
  settle(after: Offset, signal: AbortSignal): Promise<void>;
  /** Until there may be something behind `after`, or the window has seen `until`. */
  wait(after: Offset, until: Offset | null, signal: AbortSignal): Promise<void>;
  close(): void;
}

function wakeAll(channel: Channel): void {
  for (const waiter of channel.waiters) waiter.wake();
}

/** Index of the first upload behind `after`. */
function indexBehind(uploads: readonly HeldUpload[], after: Offset): number {
  let low = 0;
  let high = uploads.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const upload = uploads[middle];
    if (upload !== undefined && upload.offset <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
