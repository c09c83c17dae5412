import { ByteReader, BytesFault, ByteWriter } from './bytes.ts';
import type { Upload } from './records/types.ts';

/**
 * Marks: which uploads of a session were accepted. Recorders retry, so the same upload may be in the log many times;
 * the first in log order counts. Compactor and live viewers use this one decision.
 *
 * An upload is identified by (window, counter) where the recorder counts, else by (window, upload id).
 *
 *     bytes v1 (all integers are unsigned LEB128 varints):
 *     ┌─────────┬──────────────┬ per window ───────────────────────────────────────────────────────────┐
 *     │ u8 = 1  │ window count │ id length, id │ range count, (start - previous end, length - 1)* │ ... │
 *     └─────────┴──────────────┴───────────────────────────────────────── id count, (length, id)* ─────┘
 */
export type UploadIdentity = Pick<Upload, 'windowId' | 'uploadId' | 'counter'>;

const MARKS_VERSION = 1;

/** Closed range of counters. */
interface CounterRange {
  first: number;
  last: number;
}

interface WindowMarks {
  /** Sorted, disjoint, not touching. */
  readonly ranges: CounterRange[];
  readonly uploadIds: Set<string>;
}

/** A growing set of upload identities. Memory: a few ranges per window; one string per upload without a counter. */
export class Marks {
  readonly #windows = new Map<string, WindowMarks>();

  has(identity: UploadIdentity): boolean {
    const window = this.#windows.get(identity.windowId);
    if (!window) return false;
    if (identity.counter === null) return window.uploadIds.has(identity.uploadId);
    const { counter } = identity;
    const range = window.ranges[rangeBehind(window.ranges, counter)];
    return range !== undefined && range.first <= counter;
  }

  /** Adds an identity. True when it is new: the upload counts; false when it is a duplicate. */
  accept(identity: UploadIdentity): boolean {
    if (this.has(identity)) return false;
    const window = this.#window(identity.windowId);
    if (identity.counter === null) window.uploadIds.add(identity.uploadId);
    else addRange(window.ranges, identity.counter, identity.counter);
    return true;
  }

  /** Adds all of `other`. */
  merge(other: Marks): void {
    for (const [windowId, from] of other.#windows) {
      const window = this.#window(windowId);
      for (const range of from.ranges) addRange(window.ranges, range.first, range.last);
      for (const uploadId of from.uploadIds) window.uploadIds.add(uploadId);
    }
  }

  clone(): Marks {
    const copy = new Marks();
    copy.merge(this);
    return copy;
  }

  encode(): Uint8Array {
    const writer = new ByteWriter();
    this.write(writer);
    return writer.bytes().slice();
  }

  /** What {@link Marks.encode} gives, behind what was written before. */
  write(writer: ByteWriter): void {
    writer.u8(MARKS_VERSION);
    writer.varint(this.#windows.size);
    for (const [windowId, window] of this.#windows) {
      writer.text(windowId);
      writer.varint(window.ranges.length);
      let end = 0;
      for (const range of window.ranges) {
        writer.varint(range.first - end);
        writer.varint(range.last - range.first);
        end = range.last;
      }
      writer.varint(window.uploadIds.size);
      for (const uploadId of window.uploadIds) writer.text(uploadId);
    }
  }

  /** @throws {BytesFault} for bytes that `encode` did not write */
  static decode(bytes: Uint8Array): Marks {
    const marks = new Marks();
    const reader = new ByteReader(bytes);
    const version = reader.u8();
    if (version !== MARKS_VERSION) throw new BytesFault(`marks of version ${version}`, 0);
    for (let windows = reader.varint(); windows > 0; windows--) {
      const windowId = reader.text();
      // Ranges that begin anew would be put before those that are there, each of them: minutes for a megabyte.
      if (marks.#windows.has(windowId)) throw new BytesFault(`window ${JSON.stringify(windowId)} twice`, reader.at);
      const window = marks.#window(windowId);
      let end = 0;
      for (let ranges = reader.varint(); ranges > 0; ranges--) {
        const first = end + reader.varint();
        const last = first + reader.varint();
        if (!Number.isSafeInteger(last)) throw new BytesFault('a counter is beyond 2^53', reader.at);
        addRange(window.ranges, first, last);
        end = last;
      }
      for (let ids = reader.varint(); ids > 0; ids--) window.uploadIds.add(reader.text());
    }
    if (reader.remaining !== 0) throw new BytesFault('bytes behind the marks', reader.at);
    return marks;
  }

  #window(windowId: string): WindowMarks {
    let window = this.#windows.get(windowId);
    if (!window) {
      window = { ranges: [], uploadIds: new Set() };
      this.#windows.set(windowId, window);
    }
    return window;
  }
}

/** Index of the first range whose `last` is at or behind `counter`; the length when there is none. */
function rangeBehind(ranges: readonly CounterRange[], counter: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range !== undefined && range.last < counter) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds [first..last], joining the ranges that it overlaps or touches. */
function addRange(ranges: CounterRange[], first: number, last: number): void {
  const from = rangeBehind(ranges, first - 1);
  let to = from;
  let joined = { first, last };
  for (let range = ranges[to]; range !== undefined && range.first <= last + 1; range = ranges[++to]) {
    joined = { first: Math.min(joined.first, range.first), last: Math.max(joined.last, range.last) };
  }
  ranges.splice(from, to - from, joined);
}
