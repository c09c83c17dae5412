import type { EventLog, LogRecord } from '@playhead/ports';
import { backoffMs, pause } from '@playhead/ports';
import type { Offset, Partition, Topic } from '@playhead/schemas';
import { PlayheadError, toOffset } from '@playhead/schemas';
import type { Runtime } from './retry.ts';
import { errorFields, spreadMs } from './retry.ts';

/** What a tail hands over: records, or the news that the log had trimmed what was to be read. */
export type TailItem<T extends Topic> =
  | { readonly kind: 'records'; readonly records: readonly LogRecord<T>[]; readonly next: Offset }
  | { readonly kind: 'gone'; readonly from: Offset; readonly first: Offset };

export interface TailOptions<T extends Topic> {
  readonly topic: T;
  readonly partition: Partition;
  readonly from: Offset;
  readonly signal: AbortSignal;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Something came. */
  readonly wake: () => void;
}

/**
 * Reads a partition for a loop that takes batches when it wants them: one batch is held, the next is fetched only after
 * it was taken, so a loop that is busy holds up the reading and nothing piles up. Errors of the log are retried for ever.
 */
export class Tail<T extends Topic> {
  readonly #log: EventLog;
  readonly #runtime: Runtime;
  readonly #options: TailOptions<T>;
  #held: TailItem<T> | null = null;
  #taken: (() => void) | null = null;
  #next: Offset;
  #idleSinceMs: number;
  /** Where the log last was said to end, and since when it is said so. */
  #end: { readonly offset: Offset; readonly sinceMs: number } | null = null;
  /** Settles when the reading has ended. Never rejects. */
  readonly ended: Promise<void>;

  constructor(log: EventLog, runtime: Runtime, options: TailOptions<T>) {
    this.#log = log;
    this.#runtime = runtime;
    this.#options = options;
    this.#next = options.from;
    this.#idleSinceMs = runtime.clock.now();
    options.signal.addEventListener('abort', () => this.#taken?.(), { once: true });
    this.ended = this.#run();
  }

  /** Where reading goes on after everything that was taken. */
  get next(): Offset {
    return this.#next;
  }

  /** True when an item waits to be taken. */
  get hasItem(): boolean {
    return this.#held !== null;
  }

  /** The item that waits, or null. The caller has then dealt with everything before it. */
  take(): TailItem<T> | null {
    const item = this.#held;
    if (item === null) return null;
    this.#held = null;
    this.#next = item.kind === 'records' ? item.next : item.first;
    this.#idleSinceMs = this.#runtime.clock.now();
    this.#taken?.();
    this.#taken = null;
    return item;
  }

  /**
   * True when everything below `end` was taken. Below `end` there may be a hole, which shows in nothing coming for
   * `holeWaitMs` since `sinceMs` (when `end` was asked for) and the last item.
   */
  hasReached(end: Offset, sinceMs: number, holeWaitMs: number): boolean {
    if (this.#held !== null) return false;
    if (this.#next >= end) return true;
    return this.#runtime.clock.now() - Math.max(sinceMs, this.#idleSinceMs) >= holeWaitMs;
  }

  /**
   * True when everything was taken and `end` is where the log ends now. A hole right before the end shows in the end standing
   * still, and nothing coming, for `holeWaitMs`: ask again then.
   */
  isAtEnd(end: Offset, holeWaitMs: number): boolean {
    if (this.#end?.offset !== end) this.#end = { offset: end, sinceMs: this.#runtime.clock.now() };
    return this.hasReached(end, this.#end.sinceMs, holeWaitMs);
  }

  async #run(): Promise<void> {
    const { topic, partition, from, signal, retryFirstMs, retryMaxMs } = this.#options;
    let next = from;
    let failures = 0;
    while (!signal.aborted) {
      let failure: unknown = new Error('the reading ended by itself');
      try {
        for await (const batch of this.#log.read(topic, partition, next, { signal })) {
          next = batch.next;
          failures = 0;
          await this.#hand({ kind: 'records', records: batch.records, next });
        }
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      const first = firstHeld(failure);
      if (first !== undefined && first > next) {
        const lost = next;
        next = first;
        await this.#hand({ kind: 'gone', from: lost, first });
        continue;
      }
      this.#runtime.logger.warn({ ...errorFields(failure), topic, partition, from: next }, 'waiting to read the log');
      // A hole is told by silence; this silence is not one.
      this.#idleSinceMs = Number.POSITIVE_INFINITY;
      await pause(this.#runtime.clock, spreadMs(backoffMs(retryFirstMs, failures++, retryMaxMs), this.#runtime.random), signal);
      this.#idleSinceMs = this.#runtime.clock.now();
    }
  }

  /** Waits until the item was taken, or the signal aborts. */
  async #hand(item: TailItem<T>): Promise<void> {
    if (this.#options.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#taken = resolve;
      this.#held = item;
      this.#options.wake();
    });
  }
}

function firstHeld(error: unknown): Offset | undefined {
  if (!(error instanceof PlayheadError) || error.code !== 'position_gone') return undefined;
  const { first } = error.details;
  return typeof first === 'number' ? toOffset(first) : undefined;
}
