import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BODY_CODECS, BODY_FORMATS, BytesFault, ByteWriter, END_REASONS, TOPIC_NAMES, TRACKS, toOffset } from '../src/index.ts';
import { AVRO_SCHEMAS, avroCodec, avroReader } from '../src/records/index.ts';
import type { Flush, SessionStarted, Topic, TopicRecords, Upload } from '../src/records/types.ts';
import { outcomeOf, RECORDS } from './samples.ts';

interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly doc?: string;
}
interface AvroNamed {
  readonly type: string;
  readonly name?: string;
  readonly doc?: string;
  readonly fields?: readonly AvroField[];
  readonly symbols?: readonly string[];
  readonly items?: AvroType;
}
type AvroType = string | AvroNamed | readonly AvroType[];

const ONE_PER_TOPIC = TOPIC_NAMES.flatMap((topic) => RECORDS[topic].map((record) => [topic, record] as const));

/** Every record type of a schema, nested ones too. */
function recordsOf(type: AvroType): AvroNamed[] {
  if (typeof type === 'string') return [];
  if (!('type' in type)) return type.flatMap(recordsOf);
  return [
    ...(type.type === 'record' ? [type] : []),
    ...(type.fields ?? []).flatMap((field) => recordsOf(field.type)),
    ...recordsOf(type.items ?? 'null'),
  ];
}

function enumsOf(type: AvroType): AvroNamed[] {
  if (typeof type === 'string') return [];
  if (!('type' in type)) return type.flatMap(enumsOf);
  return [
    ...(type.type === 'enum' ? [type] : []),
    ...(type.fields ?? []).flatMap((field) => enumsOf(field.type)),
    ...enumsOf(type.items ?? 'null'),
  ];
}

function schemaRecord(name: string): AvroNamed {
  const found = TOPIC_NAMES.flatMap((topic) => recordsOf(AVRO_SCHEMAS[topic] as AvroType)).find((record) => record.name === name);
  if (!found) throw new Error(`no record ${name}`);
  return found;
}

const anyFacts = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
  fc.string({ maxLength: 20 }),
  { maxKeys: 4, noNullPrototype: true },
);
/** avsc takes 2^53-2 at most and is not exact below -2^52; our only negative number is NO_OFFSET. */
const anyLong = fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER - 1 });
const anyUpload: fc.Arbitrary<Upload> = fc.record(
  {
    projectId: fc.string(),
    sessionId: fc.string(),
    windowId: fc.string(),
    uploadId: fc.string({ unit: 'grapheme' }),
    counter: fc.option(fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 })),
    track: fc.option(fc.constantFrom(...TRACKS)),
    format: fc.constantFrom(...BODY_FORMATS),
    codec: fc.constantFrom(...BODY_CODECS),
    sentAtMs: anyLong,
    receivedAtMs: anyLong,
    epochMs: anyLong,
    goodbye: fc.boolean(),
    facts: anyFacts,
    body: fc.uint8Array({ maxLength: 5000 }),
    outline: fc.uint8Array({ maxLength: 100 }),
  },
  { noNullPrototype: true },
);

describe('Avro records', () => {
  it.each(ONE_PER_TOPIC)('%s comes back as it was, as plain data', (topic, record) => {
    const bytes = avroCodec.encode(topic, record);
    expect(bytes[0]).toBe(3);
    expect(avroCodec.decode(topic, bytes)).toStrictEqual(record);
  });

  it('any upload comes back as it was, whatever its size', () => {
    fc.assert(
      fc.property(anyUpload, (upload) => {
        const bytes = avroCodec.encode('playhead.uploads', upload);
        expect(avroCodec.decode('playhead.uploads', bytes)).toStrictEqual(upload);
      }),
    );
  });

  it('a flush without blocks and gap comes back', () => {
    const flush = { ...(RECORDS['playhead.flushes'][0] as TopicRecords['playhead.flushes']), blocks: [], gap: null };
    expect(avroCodec.decode('playhead.flushes', avroCodec.encode('playhead.flushes', flush))).toStrictEqual(flush);
  });

  it('records are read from a view into a larger buffer', () => {
    for (const [topic, record] of ONE_PER_TOPIC) {
      const bytes = avroCodec.encode(topic, record);
      const larger = new Uint8Array(bytes.length + 30).fill(7);
      larger.set(bytes, 11);
      expect(avroCodec.decode(topic, larger.subarray(11, 11 + bytes.length))).toStrictEqual(record);
    }
  });

  it('the bytes of a record are views of what was read: a body is not copied', () => {
    const [upload] = RECORDS['playhead.uploads'];
    if (upload === undefined) throw new Error('the samples have an upload');
    const bytes = avroCodec.encode('playhead.uploads', { ...upload, outline: Uint8Array.of(1, 2) });
    const { body, outline } = avroCodec.decode('playhead.uploads', bytes);
    expect([body.buffer, outline.buffer]).toEqual([bytes.buffer, bytes.buffer]);
    expect([body, outline]).toEqual([upload.body, Uint8Array.of(1, 2)]);
  });

  it('a record of the wrong shape is refused on the way in', () => {
    const upload = RECORDS['playhead.uploads'][0] as Upload;
    expect(() => avroCodec.encode('playhead.uploads', { ...upload, receivedAtMs: 1.5 })).toThrow(/invalid "long"/);
    expect(() => avroCodec.encode('playhead.uploads', { ...upload, format: 'zip' as never })).toThrow(/invalid/);
    expect(() => avroCodec.encode('playhead.uploads', { ...upload, windowId: undefined as never })).toThrow(/invalid "string"/);
    expect(() => avroCodec.encode('playhead.uploads', { ...upload, counter: 2 ** 60 })).toThrow(/invalid/);
  });
});

describe('the .avsc files and the TypeScript types', () => {
  const [upload] = RECORDS['playhead.uploads'];
  const [flush] = RECORDS['playhead.flushes'];
  const [merge] = RECORDS['playhead.merges'];
  const [started, ended] = RECORDS['playhead.sessions'];

  // The samples are typed Required<...>: the compiler keeps them complete, so their keys are the fields of the types.
  it.each([
    ['Upload', upload],
    ['Flush', flush],
    ['FlushGap', flush?.gap],
    ['FlushBlock', flush?.blocks[0]],
    ['SessionCounts', flush?.blocks[0]?.counts],
    ['Merge', merge],
    ['MergedBlock', merge?.blocks[0]],
    ['SessionStarted', started],
    ['SessionEnded', ended],
    ['Watch', RECORDS['playhead.watches'][0]],
    ['Rejected', RECORDS['playhead.rejected'][0]],
  ])('%s has the same fields in both, in the same order', (name, sample) => {
    const fields = schemaRecord(name).fields?.map((field) => field.name);
    // `kind` is told by the branch of the union.
    expect(fields).toEqual(Object.keys(sample ?? {}).filter((key) => key !== 'kind'));
  });

  it('every record of a schema is compared above', () => {
    const names = new Set(TOPIC_NAMES.flatMap((topic) => recordsOf(AVRO_SCHEMAS[topic] as AvroType)).map((record) => record.name));
    expect(names).toEqual(
      new Set([
        'Flush',
        'FlushBlock',
        'FlushGap',
        'Merge',
        'MergedBlock',
        'Rejected',
        'SessionCounts',
        'SessionEnded',
        'SessionStarted',
        'Upload',
        'Watch',
      ]),
    );
  });

  it('enums have the same symbols in both', () => {
    const symbols = Object.fromEntries(
      TOPIC_NAMES.flatMap((topic) => enumsOf(AVRO_SCHEMAS[topic] as AvroType)).map((type) => [type.name, type.symbols]),
    );
    expect(symbols).toEqual({
      Track: TRACKS,
      BodyFormat: BODY_FORMATS.map((format) => format.replaceAll('-', '_')),
      BodyCodec: BODY_CODECS,
      EndReason: END_REASONS,
    });
  });

  it('every field and record says what it is', () => {
    for (const record of TOPIC_NAMES.flatMap((topic) => recordsOf(AVRO_SCHEMAS[topic] as AvroType))) {
      expect([record.name, record.doc]).toEqual([record.name, expect.stringMatching(/\.$/)]);
      for (const field of record.fields ?? []) expect([field.name, field.doc]).toEqual([field.name, expect.stringMatching(/\.$/)]);
    }
  });

  it('are JSON files that any Avro tool reads: each record has a full name', () => {
    for (const name of ['Upload', 'Flush', 'Merge', 'SessionFact', 'Watch', 'Rejected']) {
      const text = readFileSync(new URL(`../src/records/${name}.avsc`, import.meta.url), 'utf8');
      for (const record of recordsOf(JSON.parse(text) as AvroType)) expect(record).toHaveProperty('namespace', 'playhead');
    }
  });
});

describe('foreign bytes', () => {
  it.each(TOPIC_NAMES)('%s: any bytes are a record or a BytesFault', (topic: Topic) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        expect(outcomeOf(BytesFault, () => avroCodec.decode(topic, Uint8Array.from([1, ...tail])))).toMatch(/read|fault/);
      }),
      { numRuns: 300 },
    );
  });

  it.each(ONE_PER_TOPIC)('%s: damaged bytes are a record or a BytesFault, cut ones a BytesFault', (topic, record) => {
    const bytes = avroCodec.encode(topic, record);
    for (let at = 0; at < bytes.length; at++) {
      expect(() => avroCodec.decode(topic, bytes.subarray(0, at))).toThrow(BytesFault);
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      expect(outcomeOf(BytesFault, () => avroCodec.decode(topic, damaged))).toMatch(/read|fault/);
    }
    expect(() => avroCodec.decode(topic, Uint8Array.from([...bytes, 0]))).toThrow(BytesFault);
  });

  it('another version is a BytesFault', () => {
    expect(() => avroCodec.decode('playhead.watches', Uint8Array.of(4, 0, 0, 0, 0))).toThrow(/version 4/);
  });

  it('an array that claims 2^50 items costs nothing', () => {
    const flush = { ...(RECORDS['playhead.flushes'][0] as TopicRecords['playhead.flushes']), blocks: [] };
    const bytes = avroCodec.encode('playhead.flushes', flush);
    const writer = new ByteWriter();
    writer.raw(bytes.subarray(0, bytes.length - 1));
    writer.zigzag(2 ** 50);
    expect(() => avroCodec.decode('playhead.flushes', writer.bytes())).toThrow(/items in/);
  });

  it("a later writer's schema costs nothing either: items without a byte, and types that today's schemas do not use", () => {
    const [watch] = RECORDS['playhead.watches'];
    if (!watch) throw new Error('there is a sample');
    const { fields, ...schema } = AVRO_SCHEMAS['playhead.watches'] as unknown as { fields: readonly object[]; name: string };
    const readerWith = (type: unknown) =>
      avroReader('playhead.watches', { ...schema, fields: [...fields, { name: 'later', type }] } as unknown as Parameters<
        typeof avroReader
      >[1]);
    const record = avroCodec.encode('playhead.watches', watch);
    const writer = new ByteWriter();
    writer.raw(record);
    for (let i = 0; i < 1000; i++) writer.zigzag(100);
    writer.zigzag(0);
    expect(() => readerWith({ type: 'array', items: 'null' })(writer.bytes(), 1)).toThrow(/items without a byte/);
    expect(() => readerWith('double')(Uint8Array.from([...record, ...new Uint8Array(8)]), 1)).toThrow(BytesFault);
    expect(readerWith({ type: 'array', items: 'string' })(Uint8Array.from([...record, 0]), 1)).toEqual(watch);
  });

  it('facts with the names of what every object inherits change no prototype, and are kept but for __proto__', () => {
    const facts = JSON.parse('{"__proto__":"polluted","constructor":"c","toString":"t","polluted":"p"}') as Record<string, string>;
    const [upload] = RECORDS['playhead.uploads'];
    const [flush] = RECORDS['playhead.flushes'];
    const [started] = RECORDS['playhead.sessions'];
    const block = Object.assign({}, flush?.blocks[0], { facts });
    const records = [
      ['playhead.uploads', { ...upload, facts }, (record: Upload) => record.facts],
      ['playhead.flushes', { ...flush, blocks: [block] }, (record: Flush) => record.blocks[0]?.facts],
      ['playhead.sessions', { ...started, facts }, (record: SessionStarted) => record.facts],
    ] as const;
    const before = Object.getOwnPropertyNames(Object.prototype);
    for (const [topic, record, factsOf] of records) {
      const bytes = avroCodec.encode(topic, record as never);
      expect(Buffer.from(bytes).includes('__proto__')).toBe(true);
      const decoded = factsOf(avroCodec.decode(topic, bytes) as never) ?? {};
      expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
      expect(Object.entries(decoded)).toEqual([
        ['constructor', 'c'],
        ['toString', 't'],
        ['polluted', 'p'],
      ]);
    }
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect({}).not.toHaveProperty('polluted');
  });

  it('an offset below NO_OFFSET is no offset', () => {
    const flush = {
      ...(RECORDS['playhead.flushes'][0] as TopicRecords['playhead.flushes']),
      lastOffset: -7 as ReturnType<typeof toOffset>,
    };
    expect(() => avroCodec.decode('playhead.flushes', avroCodec.encode('playhead.flushes', flush))).toThrow(BytesFault);
  });
});
