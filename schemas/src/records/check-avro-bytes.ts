import type { Schema } from 'avsc';
import { ByteReader, BytesFault } from '../bytes.ts';

/** Throws a BytesFault where bytes from `at` to their end are not what the schema says. */
export type AvroCheck = (bytes: Uint8Array, at: number) => void;

/**
 * A check that walks Avro binary along a schema without building anything, and throws where it does not fit. avsc trusts
 * counts: an array that claims 2^50 items keeps it busy until memory ends. After this walk every count and length is known to be
 * backed by bytes, so that one bad record costs only itself.
 *
 * Knows what our schemas use: records, enums, unions, maps, arrays, strings, bytes, longs, ints, booleans, null; each named
 * type is written where it is used.
 */
export function avroCheck(schema: Schema): AvroCheck {
  const walk = walkOf(schema as AnySchema);
  return (bytes, at) => {
    const reader = new ByteReader(bytes, at);
    walk(reader);
    if (reader.remaining !== 0) throw new BytesFault(`${reader.remaining} bytes behind the record`, reader.at);
  };
}

const LONG_BYTES_MAX = 10;

interface SchemaObject {
  readonly type: string;
  readonly symbols?: readonly string[];
  readonly items?: AnySchema;
  readonly values?: AnySchema;
  readonly fields?: readonly { readonly type: AnySchema }[];
}
type AnySchema = string | SchemaObject | readonly AnySchema[];
type Walk = (reader: ByteReader) => void;

/** The schema is looked at once, not for each record. */
function walkOf(schema: AnySchema): Walk {
  if (typeof schema === 'object' && !('type' in schema)) return walkUnion(schema.map(walkOf));
  const object: SchemaObject = typeof schema === 'string' ? { type: schema } : schema;
  switch (object.type) {
    case 'null':
      return () => undefined;
    case 'boolean':
      return (reader) => {
        if (reader.u8() > 1) throw new BytesFault('a boolean that is neither 0 nor 1', reader.at - 1);
      };
    case 'int':
      return (reader) => {
        const value = reader.zigzag();
        if (Math.abs(value) > 2 ** 31) throw new BytesFault(`${value} is no int`, reader.at);
      };
    case 'long':
      return skipLong;
    case 'string':
    case 'bytes':
      return skipBytes;
    case 'record': {
      const walks = (object.fields ?? []).map(({ type }) => walkOf(type));
      return (reader) => {
        for (const walk of walks) walk(reader);
      };
    }
    case 'enum': {
      const symbols = object.symbols ?? [];
      return (reader) => {
        const symbol = reader.zigzag();
        if (symbols[symbol] === undefined) throw new BytesFault(`enum symbol ${symbol}`, reader.at);
      };
    }
    case 'array': {
      const item = walkOf(object.items ?? 'null');
      return (reader) => walkBlocks(reader, item);
    }
    case 'map': {
      const value = walkOf(object.values ?? 'null');
      return (reader) =>
        walkBlocks(reader, () => {
          skipBytes(reader);
          value(reader);
        });
    }
    default:
      // Of a writer's schema that a registry gave: today's have none.
      return ({ at }) => {
        throw new BytesFault(`the check does not know Avro type ${object.type}`, at);
      };
  }
}

function walkUnion(branches: readonly Walk[]): Walk {
  return (reader) => {
    const number = reader.zigzag();
    const branch = branches[number];
    if (branch === undefined) throw new BytesFault(`union branch ${number}`, reader.at);
    branch(reader);
  };
}

/** Arrays and maps: blocks of `count, items` up to a count of 0; a negative count is followed by the block's bytes. */
function walkBlocks(reader: ByteReader, item: Walk): void {
  for (;;) {
    const at = reader.at;
    const count = reader.zigzag();
    if (count === 0) return;
    if (count < 0) reader.zigzag();
    if (Math.abs(count) > reader.remaining) throw new BytesFault(`${Math.abs(count)} items in ${reader.remaining} bytes`, at);
    for (let i = Math.abs(count); i > 0; i--) {
      const before = reader.at;
      item(reader);
      // Every item of our schemas takes a byte or more; those of another's that take none would be endless.
      if (reader.at === before) throw new BytesFault('items without a byte', before);
    }
  }
}

/** A long may use all of its 64 bits; whether it is a safe number is for avsc to say. */
function skipLong(reader: ByteReader): void {
  const at = reader.at;
  for (let i = 0; i < LONG_BYTES_MAX; i++) if (reader.u8() < 0x80) return;
  throw new BytesFault('a long has too many bytes', at);
}

function skipBytes(reader: ByteReader): void {
  const { at } = reader;
  const length = reader.zigzag();
  if (length < 0) throw new BytesFault(`length ${length}`, at);
  reader.skip(length);
}
