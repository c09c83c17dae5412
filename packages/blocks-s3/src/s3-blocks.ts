import type { BlockStore, ByteRange, Clock, StoredObject } from '@playhead/ports';
import { checkObjectKey, isKeySegment, lengthOf } from '@playhead/ports';
import { joinBytes, PlayheadError } from '@playhead/schemas';
import { faultOf, playheadErrorOf } from './faults.ts';
import { makingBucket } from './making-bucket.ts';
import { putInParts } from './multipart.ts';
import type { S3Client, S3Fault, S3Piece } from './s3-client.ts';

export interface S3BlocksParts {
  readonly client: S3Client;
  /** '' or ends with a slash. */
  readonly prefix: string;
  /** Larger objects go in parts of this size. */
  readonly partBytes: number;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** A text that no other put has. */
  readonly newMark: () => string;
}

/** Outside of the alphabet of keys, so never listed and never anybody's. */
const PROBE = '~playhead';

/** From the first byte to the last one. */
interface Bytes {
  readonly first: number;
  readonly last: number;
}

const TRIES_MAX = 5;
const PAUSE_MS = 50;

/**
 * A block store in a bucket: an object per key, named prefix + key, with its writer's mark as metadata.
 *
 * A request that is repeated may meet the object that its first attempt wrote, though that attempt looked lost. The mark
 * tells: an object with the put's own mark was created by it.
 */
export class S3Blocks implements BlockStore {
  readonly #parts: S3BlocksParts;
  #closed = false;

  constructor(parts: S3BlocksParts) {
    this.#parts = parts;
  }

  /**
   * Sees that the bucket answers and that a name is written once. Makes the bucket when it is not there, unless for reading only.
   *
   * @throws {PlayheadError} `unavailable`, also when the bucket is not there and cannot be made; `internal` when this S3
   *   overwrites, so cannot keep BS2
   */
  async check(readOnly: boolean): Promise<void> {
    const { client, prefix } = this.#parts;
    if (readOnly) {
      await this.#calling(undefined, () => client.listPage(prefix + PROBE));
      return;
    }
    const probe = () => this.#write(prefix + PROBE, []);
    const first = await this.#calling(undefined, () => makingBucket(client, probe, (tries) => this.#pause(tries)));
    if (first === 'created' && (await this.#calling(undefined, probe)) === 'created') {
      throw new PlayheadError('internal', 'this S3 endpoint ignores If-None-Match: it would overwrite objects');
    }
  }

  async put(key: string, parts: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    checkObjectKey(key);
    return this.#calling(key, () => this.#write(this.#parts.prefix + key, parts));
  }

  /** @throws {S3Fault} */
  async #write(name: string, parts: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    const { client, partBytes, newMark } = this.#parts;
    const mark = newMark();
    const length = lengthOf(parts);
    const large = length > partBytes;
    // Spares an upload that would be for nothing.
    if (large && (await client.head(name))) return 'exists';
    let repeated = false;
    for (let tries = 1; ; tries++) {
      try {
        await (large ? putInParts(client, name, parts, mark, partBytes) : client.put(name, joinBytes(parts, length), mark));
        return 'created';
      } catch (error) {
        const fault = faultOf(error);
        repeated ||= fault.attempts > 1;
        if (fault.kind === 'exists' && !repeated) return 'exists';
        if (fault.kind === 'exists' || fault.kind === 'upload_gone') return await this.#whoWrote(name, mark, fault);
        if (fault.kind !== 'conflict' || tries === TRIES_MAX) throw fault;
        await this.#pause(tries);
      }
    }
  }

  /** The answer of a put whose outcome only the object can tell. */
  async #whoWrote(name: string, mark: string, fault: S3Fault): Promise<'created' | 'exists'> {
    const head = await this.#parts.client.head(name);
    if (head) return head.mark === mark ? 'created' : 'exists';
    throw fault;
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    checkObjectKey(key);
    const name = this.#parts.prefix + key;
    return this.#calling(key, async () => {
      if (!range) return (await this.#read(name)).bytes;
      const { offset, length } = range;
      const outside = (total: number) =>
        new PlayheadError('range_not_satisfiable', `${offset}+${length} of ${total} bytes`, { details: { key, offset, length } });
      if (!isRange(range)) {
        const head = await this.#parts.client.head(name);
        throw head ? outside(head.bytes) : new PlayheadError('not_found', `no object ${key}`, { details: { key } });
      }
      const piece = await this.#read(name, { first: offset, last: offset + length - 1 });
      // S3 answers the part of a range that is there.
      if (offset + length > piece.total) throw outside(piece.total);
      const bytes = piece.bytes.subarray(offset - piece.offset, offset - piece.offset + length);
      if (offset < piece.offset || bytes.length !== length)
        throw new PlayheadError('unavailable', 'S3 answered another range', { details: { key } });
      return bytes;
    });
  }

  /**
   * Begins again when an answer was cut or damaged on its way: the client repeats only what failed before its answer began.
   * What is damaged every time is so where it lies, and comes as it lies there, as from a disk: who reads it has checksums
   * of their own, and would wait for ever for a store that only says that it is not to be had.
   */
  async #read(name: string, range?: Bytes): Promise<S3Piece> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#parts.client.get(name, range);
      } catch (error) {
        const { kind } = faultOf(error);
        if (kind === 'damaged' && tries === TRIES_MAX) return await this.#readHalves(name, range, error);
        if ((kind !== 'cut' && kind !== 'damaged') || tries === TRIES_MAX) throw error;
        await this.#pause(tries);
      }
    }
  }

  /** S3 has a checksum of the whole, and none of its halves. */
  async #readHalves(name: string, range: Bytes | undefined, fault: unknown): Promise<S3Piece> {
    const total = (await this.#parts.client.head(name))?.bytes ?? 0;
    const first = range?.first ?? 0;
    const last = Math.min(range?.last ?? Number.POSITIVE_INFINITY, total - 1);
    if (last <= first) throw fault;
    const middle = Math.floor((first + last) / 2);
    const left = await this.#parts.client.get(name, { first, last: middle });
    const right = await this.#parts.client.get(name, { first: middle + 1, last });
    if (left.offset !== first || right.offset !== middle + 1) throw fault;
    const bytes = new Uint8Array(left.bytes.length + right.bytes.length);
    bytes.set(left.bytes);
    bytes.set(right.bytes, left.bytes.length);
    return { bytes, offset: first, total };
  }

  async size(key: string): Promise<number | null> {
    checkObjectKey(key);
    const { client, prefix } = this.#parts;
    return this.#calling(key, async () => (await client.head(prefix + key))?.bytes ?? null);
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const { client, prefix: own } = this.#parts;
    if (!mayBeginKey(prefix)) return;
    let last = '';
    let token: string | undefined;
    do {
      const page = await this.#calling(undefined, () => client.listPage(own + prefix, token));
      for (const { name, bytes } of page.objects) {
        const key = name.slice(own.length);
        if (!key.split('/').every(isKeySegment)) continue;
        // Keys are ASCII: the order of strings is the order of bytes.
        if (key <= last) throw new PlayheadError('internal', 'this S3 endpoint lists out of order', { details: { last, key } });
        last = key;
        yield { key, bytes };
      }
      token = page.next;
    } while (token !== undefined);
  }

  async delete(key: string): Promise<void> {
    checkObjectKey(key);
    const { client, prefix } = this.#parts;
    await this.#calling(key, () => client.delete(prefix + key));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.client.close();
  }

  async #calling<T>(key: string | undefined, call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new PlayheadError('unavailable', 'the block store is closed');
    try {
      return await call();
    } catch (error) {
      throw playheadErrorOf(error, key);
    }
  }

  /** @param tries that have failed */
  #pause(tries: number): Promise<void> {
    const { clock, random } = this.#parts;
    return new Promise((resolve) => void clock.setTimer(random() * PAUSE_MS * 2 ** tries, resolve));
  }
}

function isRange({ offset, length }: ByteRange): boolean {
  return Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 1;
}

function mayBeginKey(prefix: string): boolean {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  // `.` and `..` are no segments, but begin some.
  return segments.every(isKeySegment) && (last === '' || isKeySegment(last) || last === '.' || last === '..');
}
