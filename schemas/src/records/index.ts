import { readFileSync } from 'node:fs';
import type { Schema } from 'avsc';
import avro from 'avsc';
import { BytesFault } from '../bytes.ts';
import { toOffset } from '../ids.ts';
import { avroCheck } from './check-avro-bytes.ts';
import type {
  BodyFormat,
  Flush,
  FlushBlock,
  Merge,
  MergedBlock,
  Rejected,
  SessionEnded,
  SessionFact,
  SessionStarted,
  Topic,
  TopicRecords,
  Upload,
  Watch,
} from './types.ts';

/**
 * The records of every topic as bytes: plain Avro binary behind one byte.
 *
 *     ┌────────┬─────────────────────────┐
 *     │ u8 = 3 │ Avro binary of the .avsc │
 *     └────────┴─────────────────────────┘
 *
 * The byte is the version of all schemas together: it grows when a schema changes, and the old file stays in a folder of
 * its version, so that every record ever written is read. For Node only: the `.avsc` files are read from disk, because
 * Node imports no JSON under that name. The rest of this package, which browsers use, does not import this file.
 */
const RECORDS_VERSION = 3;
const VERSION_BYTES = 1;

function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`${name}.avsc`, import.meta.url), 'utf8')) as Schema;
}

/** The parsed `.avsc` file of each topic's record. */
export const AVRO_SCHEMAS: Readonly<Record<Topic, Schema>> = {
  'playhead.uploads': readSchema('Upload'),
  'playhead.flushes': readSchema('Flush'),
  'playhead.merges': readSchema('Merge'),
  'playhead.sessions': readSchema('SessionFact'),
  'playhead.watches': readSchema('Watch'),
  'playhead.rejected': readSchema('Rejected'),
};

/** Of each earlier version the schemas that were others than today's. */
const WITHOUT_OUTLINE: Partial<Record<Topic, Schema>> = { 'playhead.uploads': readSchema('v2/Upload') };
const EARLIER: ReadonlyMap<number, Partial<Record<Topic, Schema>>> = new Map([
  [1, { ...WITHOUT_OUTLINE, 'playhead.flushes': readSchema('v1/Flush') }],
  [2, WITHOUT_OUTLINE],
]);

/** A record of a topic as avsc takes and gives it: bytes are Buffers, enum symbols have no hyphens, a union names its branch. */
interface Shape<Code> {
  toAvro(record: Code): object;
  // The shape of what avsc gives is what the schema says; the golden records and round trips test it.
  fromAvro(value: never): Code;
}

const upload: Shape<Upload> = {
  toAvro: (record) => ({
    ...record,
    format: record.format.replaceAll('-', '_'),
    body: bufferOf(record.body),
    outline: bufferOf(record.outline),
  }),
  fromAvro: (value: Upload) => ({
    ...value,
    format: value.format.replaceAll('_', '-') as BodyFormat,
    facts: { ...value.facts },
    body: plainBytes(value.body),
    outline: plainBytes(value.outline),
  }),
};

/** A block's bytes as avsc takes them. */
const bytesToAvro = (block: FlushBlock): object => ({
  ...block,
  marks: bufferOf(block.marks),
  frameIndex: bufferOf(block.frameIndex),
});

function blockFromAvro<B extends FlushBlock>(block: B): B {
  return {
    ...block,
    firstOffset: toOffset(block.firstOffset),
    lastOffset: toOffset(block.lastOffset),
    counts: { ...block.counts },
    facts: { ...block.facts },
    marks: plainBytes(block.marks),
    frameIndex: plainBytes(block.frameIndex),
  };
}

const flush: Shape<Flush> = {
  toAvro: (record) => ({ ...record, blocks: record.blocks.map(bytesToAvro) }),
  fromAvro: (value: Flush) => ({
    ...value,
    prevLastOffset: toOffset(value.prevLastOffset),
    firstOffset: toOffset(value.firstOffset),
    lastOffset: toOffset(value.lastOffset),
    gap: value.gap && { firstOffset: toOffset(value.gap.firstOffset), lastOffset: toOffset(value.gap.lastOffset) },
    blocks: value.blocks.map(blockFromAvro),
  }),
};

const merge: Shape<Merge> = {
  toAvro: (record) => ({ ...record, blocks: record.blocks.map(bytesToAvro) }),
  fromAvro: (value: Merge) => ({
    ...value,
    blocks: value.blocks.map(
      (block): MergedBlock => ({
        ...blockFromAvro(block),
        firstFlush: toOffset(block.firstFlush),
        lastFlush: toOffset(block.lastFlush),
      }),
    ),
  }),
};

interface SessionFactBranch {
  readonly 'playhead.SessionStarted'?: Omit<SessionStarted, 'kind'>;
  readonly 'playhead.SessionEnded'?: Omit<SessionEnded, 'kind'>;
}

const sessionFact: Shape<SessionFact> = {
  toAvro: ({ kind, ...fact }) => ({ [kind === 'started' ? 'playhead.SessionStarted' : 'playhead.SessionEnded']: fact }),
  fromAvro: (value: SessionFactBranch) => {
    const started = value['playhead.SessionStarted'];
    if (started) return { kind: 'started', ...started, facts: { ...started.facts } };
    return { kind: 'ended', ...(value['playhead.SessionEnded'] as Omit<SessionEnded, 'kind'>) };
  },
};

const watch: Shape<Watch> = {
  toAvro: (record) => record,
  fromAvro: (value: Watch) => ({ ...value }),
};

const rejected: Shape<Rejected> = {
  toAvro: (record) => ({ ...record, body: bufferOf(record.body) }),
  fromAvro: (value: Rejected) => ({ ...value, offset: toOffset(value.offset), body: plainBytes(value.body) }),
};

const SHAPES: { readonly [T in Topic]: Shape<TopicRecords[T]> } = {
  'playhead.uploads': upload,
  'playhead.flushes': flush,
  'playhead.merges': merge,
  'playhead.sessions': sessionFact,
  'playhead.watches': watch,
  'playhead.rejected': rejected,
};

/** What avsc's types read from: its own, and not in its declarations. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
}

/** Bytes as a view of the record: avsc's own type copies them. Lengths have been checked ({@link avroCheck}). */
class BytesView extends avro.types.BytesType {
  _read(tap: Tap): Uint8Array {
    const length = tap.readLong();
    const { buffer, byteOffset } = tap.buf;
    const view = new Uint8Array(buffer, byteOffset + tap.pos, length);
    tap.pos += length;
    return view;
  }
}

function typeOf(schema: Schema): avro.Type {
  return avro.Type.forSchema(structuredClone(schema), { typeHook: (inner) => (inner === 'bytes' ? new BytesView() : undefined) });
}

const TYPES = Object.fromEntries(Object.entries(AVRO_SCHEMAS).map(([topic, schema]) => [topic, typeOf(schema)])) as Readonly<
  Record<Topic, avro.Type>
>;

/**
 * Plain Avro binary of a record behind `roomBytes` bytes that the caller fills.
 *
 * @throws {Error} for a record that is not of the schema: a missing field, a fraction where a whole number belongs
 */
export function encodeAvro<T extends Topic>(topic: T, record: TopicRecords[T], roomBytes: number): Uint8Array {
  const type = TYPES[topic];
  const value = SHAPES[topic].toAvro(record);
  let bytes = Buffer.allocUnsafe(roomBytes + expectedBytes(record));
  let end = type.encode(value, bytes, roomBytes);
  if (end < 0) {
    // What was missing is told as a negative number.
    bytes = Buffer.allocUnsafe(bytes.length - end);
    end = type.encode(value, bytes, roomBytes);
  }
  return plainBytes(bytes.subarray(0, end));
}

/**
 * Reads the Avro binary of a record from `at` to the end of `bytes`. What is bytes in the record are views of these: who gives them gives them
 * away. Throws BytesFault, whatever the bytes hold; memory is bounded by them.
 */
export type AvroReader<T extends Topic> = (bytes: Uint8Array, at: number) => TopicRecords[T];

/**
 * How today's program reads what was written with `writer`, by default today's schema.
 *
 * @throws {Error} when today's schema cannot read what that one wrote
 */
export function avroReader<T extends Topic>(topic: T, writer: Schema = AVRO_SCHEMAS[topic]): AvroReader<T> {
  const type = TYPES[topic];
  const resolver = writer === AVRO_SCHEMAS[topic] ? undefined : type.createResolver(typeOf(writer));
  const check = avroCheck(writer);
  return (bytes, at) => {
    check(bytes, at);
    try {
      const { value, offset } = type.decode(bufferOf(bytes), at, resolver);
      // Bytes that end too soon are told by the place -1.
      if (offset !== bytes.length) throw new Error(`it ends at ${offset} of ${bytes.length} bytes`);
      return SHAPES[topic].fromAvro(value as never);
    } catch (error) {
      throw new BytesFault(`not a record of ${topic}: ${error instanceof Error ? error.message : String(error)}`, at);
    }
  };
}

type Readers = { readonly [T in Topic]: AvroReader<T> };

function readersOf(schemas: Partial<Record<Topic, Schema>>): Readers {
  return Object.fromEntries(
    Object.keys(AVRO_SCHEMAS).map((topic) => [topic, avroReader(topic as Topic, schemas[topic as Topic])]),
  ) as Readers;
}

/** By version. */
const READERS: ReadonlyMap<number, Readers> = new Map(
  [...EARLIER, [RECORDS_VERSION, {}] as const].map(([version, schemas]) => [version, readersOf(schemas)]),
);

/** Encodes and decodes the records of every topic. */
export const avroCodec = {
  /**
   * @param roomBytes the record's bytes follow as many that are the caller's
   * @throws {Error} for a record that is not of the schema: a missing field, a fraction where a whole number belongs
   */
  encode<T extends Topic>(topic: T, record: TopicRecords[T], roomBytes = 0): Uint8Array {
    const bytes = encodeAvro(topic, record, roomBytes + VERSION_BYTES);
    bytes[roomBytes] = RECORDS_VERSION;
    return bytes;
  },

  /**
   * What is bytes in the record are views of the bytes given.
   *
   * @throws {BytesFault} for bytes that are not a record of the topic, whatever they hold; memory is bounded by them
   */
  decode<T extends Topic>(topic: T, bytes: Uint8Array): TopicRecords[T] {
    const version = bytes[0];
    if (version === undefined) throw new BytesFault('a record without a byte', 0);
    const readers = READERS.get(version);
    if (readers === undefined) throw new BytesFault(`record of version ${version}`, 0);
    return readers[topic](bytes, VERSION_BYTES);
  },
};

/** Room for most records at the first try. */
function expectedBytes(record: object): number {
  return 1024 + ('body' in record ? (record as { body: Uint8Array }).body.length : 0);
}

/** The same bytes as a Buffer, no copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The same bytes as a Uint8Array, no copy: a Buffer's `slice` does something else than code expects. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return !Buffer.isBuffer(bytes) ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
