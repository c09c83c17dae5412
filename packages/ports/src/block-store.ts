import { PlayheadError } from '@playhead/schemas';

/**
 * Immutable objects by key. Rules: SPEC.md (BS...). Written so that any S3 can keep every promise.
 *
 * Keys: segments of `[A-Za-z0-9._-]`, 1 to 255 characters each (file systems take no more), joined by `/`, at most 512
 * characters; no segment is `.` or `..`; no key is a folder of another.
 */
export interface BlockStore {
  /**
   * Writes an object whole and durably, or not at all. A key is written once: `exists` says that an object was already
   * there, which is left as it is.
   *
   * @param parts one behind the other they are the object; any number, of any length, also none. They are not put together first, for a flush
   *   is large: their bytes stay as they are until the promise settles
   * @throws {PlayheadError} `unavailable` when the outcome is not known; repeating is safe
   */
  put(key: string, parts: readonly Uint8Array[]): Promise<'created' | 'exists'>;

  /**
   * Reads a range, or the whole object.
   *
   * @throws {PlayheadError} `not_found`; `range_not_satisfiable` when the range does not lie inside of the object
   */
  get(key: string, range?: ByteRange): Promise<Uint8Array>;

  /** Size in bytes, or null when there is no such object. */
  size(key: string): Promise<number | null>;

  /** Objects whose key begins with `prefix`, in ascending order of key (UTF-8 bytes). */
  list(prefix: string): AsyncIterable<StoredObject>;

  /** Removes an object; one that is not there is no error. */
  delete(key: string): Promise<void>;

  close(): Promise<void>;
}

export interface ByteRange {
  /** First byte, from 0. */
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** True for what repeating does not cure: the bytes are not there. */
export function isLost(error: unknown): boolean {
  return error instanceof PlayheadError && (error.code === 'not_found' || error.code === 'range_not_satisfiable');
}
