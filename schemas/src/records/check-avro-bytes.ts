import type { Schema } from 'avsc';
import { ByteReader, BytesFault } from '../bytes.ts';

/**
 * Walks Avro binary along its schema without building anything, and throws where it does not fit. avsc trusts counts: an
 * array that claims 2^50 items keeps it busy until memory ends. After this walk every count and length is known to be
 * backed by bytes, so that one bad record costs only itself.
 *
 * Knows what our schemas use: records, enums, unions, maps, arrays, strings, bytes, longs, ints, booleans, null; each named
 * type is written where it is used.
 *
 * @param at where the record begins; it has to end where `bytes` ends
 * @throws {BytesFault}
 */
export function checkAvroBytes(schema: Schema, bytes: Uint8Array, at: number): void {
  const reader = new ByteReader(bytes, at);
  walk(schema as AnySchema, reader);
  if (reader.remaining !== 0) throw new BytesFault(`${reader.remaining} bytes behind the record`, reader.at);
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

function walk(schema: AnySchema, reader: ByteReader): void {
  if (typeof schema === 'object' && !('type' in schema)) {
    const number = reader.zigzag();
    const branch = schema[number];
    if (branch === undefined) throw new BytesFault(`union branch ${number}`, reader.at);
    return walk(branch, reader);
  }
  const object: SchemaObject = typeof schema === 'string' ? { type: schema } : schema;
  switch (object.type) {
    case 'null':
      return;
    case 'boolean':
      if (reader.u8() > 1) throw new BytesFault('a boolean that is neither 0 nor 1', reader.at - 1);
      return;
    case 'int': {
      const value = reader.zigzag();
      if (Math.abs(value) > 2 ** 31) throw new BytesFault(`${value} is no int`, reader.at);
      return;
    }
    case 'long':
      skipLong(reader);
      return;
    case 'string':
    case 'bytes':
      reader.raw(readLength(reader));
      return;
    case 'record':
      for (const field of object.fields ?? []) walk(field.type, reader);
      return;
    case 'enum': {
      const symbol = reader.zigzag();
      if (object.symbols?.[symbol] === undefined) throw new BytesFault(`enum symbol ${symbol}`, reader.at);
      return;
    }
    case 'array':
      walkBlocks(reader, () => walk(object.items ?? 'null', reader));
      return;
    case 'map':
      walkBlocks(reader, () => {
        reader.raw(readLength(reader));
        walk(object.values ?? 'null', reader);
      });
      return;
    default:
      // Of a writer's schema that a registry gave: today's have none.
      throw new BytesFault(`the check does not know Avro type ${object.type}`, reader.at);
  }
}

/** Arrays and maps: blocks of `count, items` up to a count of 0; a negative count is followed by the block's bytes. */
function walkBlocks(reader: ByteReader, item: () => void): void {
  for (;;) {
    const at = reader.at;
    const count = reader.zigzag();
    if (count === 0) return;
    if (count < 0) reader.zigzag();
    if (Math.abs(count) > reader.remaining) throw new BytesFault(`${Math.abs(count)} items in ${reader.remaining} bytes`, at);
    for (let i = Math.abs(count); i > 0; i--) {
      const before = reader.at;
      item();
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

function readLength(reader: ByteReader): number {
  const at = reader.at;
  const length = reader.zigzag();
  if (length < 0) throw new BytesFault(`length ${length}`, at);
  return length;
}
