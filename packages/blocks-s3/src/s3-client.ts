/**
 * What the block store needs of S3, and no more: the store's logic is over this, the SDK is bound to it in `sdk-client.ts`.
 * Names are those of objects in the bucket, with the prefix. Every call may fail with an {@link S3Fault} and ends within the
 * binding's request timeout.
 */
export interface S3Client {
  /** The bucket's name, for what is told to people. */
  readonly bucket: string;
  /** Makes the bucket in the client's region; no error when it is there and ours (`taken`, `conflict`). */
  createBucket(): Promise<void>;
  /** Writes an object unless there is one (`exists`, `conflict`); the mark is kept with it. */
  put(name: string, bytes: Uint8Array, mark: string): Promise<void>;
  /** Begins a multipart upload; answers its id. */
  beginParts(name: string, mark: string): Promise<string>;
  /** @param number from 1 */
  putPart(name: string, uploadId: string, number: number, bytes: Uint8Array): Promise<UploadedPart>;
  /** Makes the parts an object unless there is one (`exists`, `conflict`). `upload_gone` when the upload was ended before. */
  completeParts(name: string, uploadId: string, parts: readonly UploadedPart[]): Promise<void>;
  abortParts(name: string, uploadId: string): Promise<void>;
  /** Reads what is there of a range, or the whole object (`not_found`, `range`, `cut`, `damaged`). */
  get(name: string, range?: { readonly first: number; readonly last: number }): Promise<S3Piece>;
  head(name: string): Promise<S3Head | null>;
  /** One page of names that begin with a prefix, ascending. */
  listPage(prefix: string, token?: string): Promise<S3Page>;
  /** No error when there is nothing. */
  delete(name: string): Promise<void>;
  close(): void;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  /** Base64 of CRC-32; absent when the server does not tell it. */
  readonly crc32?: string | undefined;
}

/** Bytes of an object: those from `offset`, of `total`. */
export interface S3Piece {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly total: number;
}

export interface S3Head {
  readonly bytes: number;
  /** What its writer left; undefined when it was another kind of writer. */
  readonly mark: string | undefined;
}

export interface S3Page {
  readonly objects: readonly { readonly name: string; readonly bytes: number }[];
  /** Continues with the next page; undefined at the end. */
  readonly next: string | undefined;
}

/**
 * How a call failed.
 *
 * - `exists`, `conflict` a conditional write, or making a bucket, met what it would make, or another that is under way
 * - `not_found`, `no_bucket`, `upload_gone`, `range` as they say
 * - `taken` a bucket of this name is there, and the server does not say that it is ours
 * - `below_an_object` the server keeps objects as files, and the name is a folder of another or below one
 * - `refused` the server answered that it won't: nothing has happened, unless an earlier attempt of the call did it
 * - `cut` an answer began and did not arrive whole
 * - `damaged` an answer arrived whole, and not with the checksum that S3 has of it
 * - `unknown` no answer, or one that does not say what has happened
 */
export type S3FaultKind =
  | 'exists'
  | 'conflict'
  | 'not_found'
  | 'no_bucket'
  | 'taken'
  | 'upload_gone'
  | 'range'
  | 'below_an_object'
  | 'refused'
  | 'cut'
  | 'damaged'
  | 'unknown';

export class S3Fault extends Error {
  override readonly name = 'S3Fault';
  readonly kind: S3FaultKind;
  /** How often the request was sent. Beyond 1, an earlier one may have had its effect. */
  readonly attempts: number;
  /** S3's or the network's own name of the error. */
  readonly reason: string;

  constructor(kind: S3FaultKind, reason: string, options: { attempts?: number; message?: string; cause?: unknown } = {}) {
    super(options.message ?? reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.reason = reason;
    this.attempts = options.attempts ?? 1;
  }
}
