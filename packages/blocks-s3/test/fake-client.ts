import type { S3Client, UploadedPart } from '../src/s3-client.ts';
import { S3Fault } from '../src/s3-client.ts';

interface Held {
  readonly bytes: Uint8Array;
  readonly mark: string;
}

export interface FakeClient extends S3Client {
  /** Method and name of every call, in order. */
  readonly calls: string[];
  /** Ids of uploads that were begun and not ended. */
  readonly uploads: ReadonlyMap<string, unknown>;
  readonly objects: Map<string, Held>;
  /** Whether the bucket is there; at first it is. Only what writes and lists asks. */
  hasBucket: boolean;
  /** Called before each call has its effect; what it throws is the call's outcome. */
  before: (call: string) => void | Promise<void>;
  /** Called when a call had its effect; what it throws is the call's outcome nevertheless. */
  after: (call: string) => void | Promise<void>;
}

const PAGE = 1_000;

/** S3 in memory, which fails as it is told to. */
export function fakeClient(): FakeClient {
  const objects = new Map<string, Held>();
  const uploads = new Map<string, { readonly name: string; readonly mark: string; readonly parts: Map<number, Uint8Array> }>();
  const calls: string[] = [];
  let lastUpload = 0;

  async function calling<T>(call: string, effect: () => T): Promise<T> {
    calls.push(call);
    await fake.before(call);
    const answer = effect();
    await fake.after(call);
    return answer;
  }
  function create(name: string, held: Held): void {
    seeBucket();
    if (objects.has(name)) throw new S3Fault('exists', 'PreconditionFailed');
    objects.set(name, held);
  }
  function seeBucket(): void {
    if (!fake.hasBucket) throw new S3Fault('no_bucket', 'NoSuchBucket');
  }
  function uploadOf(id: string) {
    const upload = uploads.get(id);
    if (!upload) throw new S3Fault('upload_gone', 'NoSuchUpload');
    return upload;
  }

  const fake: FakeClient = {
    calls,
    uploads,
    objects,
    hasBucket: true,
    bucket: 'bucket',
    before: () => {},
    after: () => {},
    createBucket: () =>
      calling('create bucket', () => {
        fake.hasBucket = true;
      }),
    put: (name, bytes, mark) => calling(`put ${name}`, () => create(name, { bytes: bytes.slice(), mark })),
    beginParts: (name, mark) =>
      calling(`begin ${name}`, () => {
        const id = `upload-${++lastUpload}`;
        uploads.set(id, { name, mark, parts: new Map() });
        return id;
      }),
    putPart: (name, id, number, bytes) =>
      calling(`part ${number} ${name}`, (): UploadedPart => {
        uploadOf(id).parts.set(number, bytes.slice());
        return { number, etag: `etag-${number}`, crc32: `crc-${number}` };
      }),
    completeParts: (name, id, parts) =>
      calling(`complete ${name}`, () => {
        const upload = uploadOf(id);
        for (const [i, { number, etag, crc32 }] of parts.entries()) {
          if (number !== i + 1 || etag !== `etag-${number}` || crc32 !== `crc-${number}`) throw new S3Fault('refused', 'InvalidPart');
        }
        create(name, { bytes: Buffer.concat(parts.map(({ number }) => upload.parts.get(number) ?? Buffer.of())), mark: upload.mark });
        uploads.delete(id);
      }),
    abortParts: (name, id) => calling(`abort ${name}`, () => void uploads.delete(id)),
    get: (name, range) =>
      calling(`get ${name}`, () => {
        const held = objects.get(name);
        if (!held) throw new S3Fault('not_found', 'NoSuchKey');
        const { first, last } = range ?? { first: 0, last: held.bytes.length - 1 };
        if (range && first >= held.bytes.length) throw new S3Fault('range', 'InvalidRange');
        return { bytes: new Uint8Array(held.bytes.slice(first, last + 1)), offset: first, total: held.bytes.length };
      }),
    head: (name) =>
      calling(`head ${name}`, () => {
        const held = objects.get(name);
        return held ? { bytes: held.bytes.length, mark: held.mark } : null;
      }),
    listPage: (prefix, token = '') =>
      calling(`list ${prefix}`, () => {
        seeBucket();
        const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > token).toSorted();
        const page = names.slice(0, PAGE).map((name) => ({ name, bytes: objects.get(name)?.bytes.length ?? 0 }));
        return { objects: page, next: names.length > PAGE ? page.at(-1)?.name : undefined };
      }),
    delete: (name) => calling(`delete ${name}`, () => void objects.delete(name)),
    close: () => void calls.push('close'),
  };
  return fake;
}
