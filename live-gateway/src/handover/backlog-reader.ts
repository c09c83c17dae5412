import type { EventLog, LogBatch } from '@playhead/ports';
import type { Offset, Partition } from '@playhead/schemas';
import { nextOffset, PlayheadError, toOffset } from '@playhead/schemas';
import type { Decoding } from '../window/held-upload.ts';
import { HeldUpload } from '../window/held-upload.ts';
import type { Input } from './core/handover.ts';

/** What the backlog is read for. */
export interface Watched {
  readonly projectId: string;
  readonly sessionId: string;
  readonly partition: Partition;
}

/**
 * One viewer's own reader of the log, between the end of the chain and the shared window. Gives one upload at a time, so
 * that no more than one is decoded; holds one batch.
 */
export class BacklogReader {
  readonly #watched: Watched;
  readonly #decoding: Decoding;
  readonly #abort = new AbortController();
  readonly #batches: AsyncIterator<LogBatch<'playhead.uploads'>>;
  #pending: HeldUpload[] = [];
  #through: Offset;

  constructor(log: EventLog, watched: Watched, after: Offset, decoding: Decoding, signal: AbortSignal) {
    this.#watched = watched;
    this.#decoding = decoding;
    this.#through = after;
    const both = AbortSignal.any([signal, this.#abort.signal]);
    this.#batches = log.read('playhead.uploads', watched.partition, nextOffset(after), { signal: both })[Symbol.asyncIterator]();
  }

  /** True when the batch at hand is used up: the moment to look whether the window is met. */
  get isBetweenBatches(): boolean {
    return this.#pending.length === 0;
  }

  /** Waits for the next batch where needed. Null when the reader was ended. */
  async next(): Promise<Extract<Input, { kind: 'uploads' | 'gone' }> | null> {
    const { projectId, sessionId } = this.#watched;
    if (this.#pending.length === 0) {
      let result: IteratorResult<LogBatch<'playhead.uploads'>>;
      try {
        result = await this.#batches.next();
      } catch (error) {
        if (error instanceof PlayheadError && error.code === 'position_gone' && typeof error.details['first'] === 'number') {
          return { kind: 'gone', first: toOffset(error.details['first']) };
        }
        throw error;
      }
      if (result.done === true) return null;
      const batch = result.value;
      for (const { offset, record } of batch.records) {
        if (record === null || record.sessionId !== sessionId || record.projectId !== projectId) continue;
        this.#pending.push(new HeldUpload(offset, record, this.#decoding));
      }
      this.#through = toOffset(batch.next - 1);
    }
    const upload = this.#pending.shift();
    const through = upload === undefined || this.#pending.length === 0 ? this.#through : upload.offset;
    return { kind: 'uploads', uploads: upload === undefined ? [] : [upload], through };
  }

  close(): void {
    this.#abort.abort();
    this.#pending = [];
    // The iterator has seen the abort; what it still answers is nobody's.
    void this.#batches.return?.()?.catch(() => {});
  }
}
