import type { RecordCodec } from '@playhead/ports';
import type { Topic, TopicRecords } from '@playhead/schemas';
import { BytesFault, PlayheadError, TOPIC_NAMES } from '@playhead/schemas';
import type { AvroReader } from '@playhead/schemas/records';
import { AVRO_SCHEMAS, avroReader, encodeAvro } from '@playhead/schemas/records';
import type { SchemaRegistry } from './schema-registry.ts';
import { registryOf } from './schema-registry.ts';

export interface RegistryCodecOptions {
  /** Of a registry that speaks Confluent's interface. */
  readonly url: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** In front of the names of topics, as in the log's options. Default none. */
  readonly topicPrefix?: string;
  /** Of one request. Default 5 s. */
  readonly timeoutMs?: number;
}

/**
 * The Confluent wire format, so that any consumer that knows the registry can read our topics:
 *
 *     ┌────────┬───────────────────────────┬─────────────────────────┐
 *     │ u8 = 0 │ u32 BE id of the schema   │ Avro binary of the .avsc │
 *     └────────┴───────────────────────────┴─────────────────────────┘
 */
const MAGIC = 0;
const HEADER_BYTES = 5;

/**
 * Registers the schemas of all topics (subject `<topic>-value`, compatibility BACKWARD) and answers a codec that writes with
 * them. What others wrote with other schemas is read by asking the registry for theirs, once.
 *
 * @throws {PlayheadError} `invalid_request` when the registry refuses a schema as incompatible with what is registered;
 *   `unavailable` when it does not answer
 */
export async function openRegistryCodec(options: RegistryCodecOptions): Promise<RecordCodec> {
  return registryCodec(registryOf(options), options.topicPrefix ?? '');
}

/** The same with a registry that is given. */
export async function registryCodec(registry: SchemaRegistry, topicPrefix = ''): Promise<RecordCodec> {
  const ids = new Map<Topic, number>();
  for (const topic of TOPIC_NAMES)
    ids.set(topic, await registry.register(subjectOf(topicPrefix, topic), JSON.stringify(AVRO_SCHEMAS[topic])));
  return new RegistryCodec(registry, topicPrefix, ids);
}

function subjectOf(topicPrefix: string, topic: Topic): string {
  return `${topicPrefix}${topic}-value`;
}

class RegistryCodec implements RecordCodec {
  readonly #registry: SchemaRegistry;
  readonly #prefix: string;
  readonly #ids: ReadonlyMap<Topic, number>;
  /** By topic and id. */
  readonly #readers = new Map<string, AvroReader<Topic>>();
  readonly #lookups = new Map<string, Promise<void>>();

  constructor(registry: SchemaRegistry, prefix: string, ids: ReadonlyMap<Topic, number>) {
    this.#registry = registry;
    this.#prefix = prefix;
    this.#ids = ids;
    for (const [topic, id] of ids) this.#readers.set(nameOf(topic, id), avroReader(topic));
  }

  encode<T extends Topic>(topic: T, record: TopicRecords[T], roomBytes = 0): Uint8Array {
    const bytes = encodeAvro(topic, record, roomBytes + HEADER_BYTES);
    bytes[roomBytes] = MAGIC;
    viewOf(bytes).setUint32(roomBytes + 1, this.#ids.get(topic) ?? 0);
    return bytes;
  }

  decode<T extends Topic>(topic: T, bytes: Uint8Array): TopicRecords[T] {
    const id = schemaIdOf(bytes);
    if (id === undefined) throw new BytesFault('not a record with the id of its schema', 0);
    const read = this.#readers.get(nameOf(topic, id)) as AvroReader<T> | undefined;
    if (!read) throw new BytesFault(`the schema registry knows no schema ${id} of ${topic}`, 1);
    return read(bytes, HEADER_BYTES);
  }

  ready(topic: Topic, bytes: Uint8Array): Promise<void> | undefined {
    const id = schemaIdOf(bytes);
    if (id === undefined) return undefined;
    const name = nameOf(topic, id);
    if (this.#readers.has(name)) return undefined;
    let lookup = this.#lookups.get(name);
    if (!lookup) {
      lookup = this.#lookUp(topic, id).finally(() => this.#lookups.delete(name));
      this.#lookups.set(name, lookup);
    }
    return lookup;
  }

  async #lookUp(topic: Topic, id: number): Promise<void> {
    let schema: string | undefined;
    try {
      schema = await this.#registry.schema(subjectOf(this.#prefix, topic), id);
    } catch (error) {
      throw new PlayheadError('log_unavailable', `the schema ${id} of ${topic} cannot be looked up now`, { cause: error });
    }
    if (schema !== undefined) this.#readers.set(nameOf(topic, id), readerOf(topic, id, schema));
  }
}

/** What cannot be read with today's schema is the fault of each of its records. */
function readerOf<T extends Topic>(topic: T, id: number, schema: string): AvroReader<T> {
  try {
    return avroReader(topic, JSON.parse(schema) as Parameters<typeof avroReader>[1]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return () => {
      throw new BytesFault(`today's schema of ${topic} cannot read what schema ${id} wrote: ${reason}`, 1);
    };
  }
}

function schemaIdOf(bytes: Uint8Array): number | undefined {
  return bytes.length >= HEADER_BYTES && bytes[0] === MAGIC ? viewOf(bytes).getUint32(1) : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function nameOf(topic: Topic, id: number): string {
  return `${topic}/${id}`;
}
