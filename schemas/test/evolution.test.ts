import { readdirSync, readFileSync } from 'node:fs';
import type { Schema, Type } from 'avsc';
import avro from 'avsc';
import { describe, expect, it } from 'vitest';
import { TOPIC_NAMES } from '../src/index.ts';
import { AVRO_SCHEMAS } from '../src/records/index.ts';
import type { Topic } from '../src/records/types.ts';
import { readGolden } from './golden-files.ts';
import { RECORDS } from './samples.ts';

/**
 * BACKWARD evolution, as a schema registry checks it: a reader with today's schema reads what was written with the first
 * one. The copies under `golden/avsc-v1/` and the like are what the schemas were when there was first a record; they never change.
 */
const FOLDER = new URL('golden/', import.meta.url);
const FIRST_FILES: Readonly<Record<Topic, string>> = {
  'playhead.uploads': 'avsc-v1/Upload.json',
  'playhead.flushes': 'avsc-v1/Flush.json',
  'playhead.merges': 'avsc-v2/Merge.json',
  'playhead.sessions': 'avsc-v1/SessionFact.json',
  'playhead.watches': 'avsc-v1/Watch.json',
  'playhead.rejected': 'avsc-v1/Rejected.json',
};

const GOLDEN_RECORDS = TOPIC_NAMES.flatMap((topic) => RECORDS[topic].map((_, i) => [topic, goldenName(topic, i)] as const));

function goldenName(topic: Topic, i: number): string {
  return `${topic}.${i}.${FIRST_FILES[topic].startsWith('avsc-v1/') ? 'v1' : 'v2'}`;
}

function typeOf(schema: unknown): Type {
  return avro.Type.forSchema(structuredClone(schema) as Schema);
}

function firstTypeOf(topic: Topic): Type {
  return typeOf(JSON.parse(readFileSync(new URL(FIRST_FILES[topic], FOLDER), 'utf8')));
}

/** @throws {Error} where the reader's schema cannot read what was written with the first one */
function checkBackward(topic: Topic, readerSchema: unknown): void {
  typeOf(readerSchema).createResolver(firstTypeOf(topic));
}

/** What a reader with this schema makes of the golden record. */
function readAs(readerSchema: unknown, topic: Topic, golden: string): unknown {
  const type = typeOf(readerSchema);
  const versionBytes = 1;
  return type.fromBuffer(Buffer.from(readGolden(golden)).subarray(versionBytes), type.createResolver(firstTypeOf(topic)));
}

/** The parts of `written` that `read` has too: a reader may leave fields out. */
function sharedWith(read: unknown, written: unknown): unknown {
  if (Array.isArray(written) && Array.isArray(read)) return written.map((item, i) => sharedWith(read[i], item));
  if (!isPlain(written) || !isPlain(read)) return written;
  const shared = Object.entries(written).filter(([key]) => key in read);
  return Object.fromEntries(shared.map(([key, value]) => [key, sharedWith(read[key], value)]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

describe("today's schemas", () => {
  it('each have a copy of the first one', () => {
    const copies = ['avsc-v1', 'avsc-v2'].flatMap((folder) => readdirSync(new URL(folder, FOLDER)).map((name) => `${folder}/${name}`));
    expect(copies.toSorted()).toEqual(Object.values(FIRST_FILES).toSorted());
    expect(Object.keys(FIRST_FILES).toSorted()).toEqual([...TOPIC_NAMES].toSorted());
  });

  it('are read with the schemas of earlier versions where they were others', () => {
    const kept = { 'v1/Flush.avsc': 'avsc-v1/Flush.json', 'v2/Upload.avsc': 'avsc-v1/Upload.json' };
    const schemas = new URL('../src/records/', import.meta.url);
    const files = ['v1', 'v2'].flatMap((folder) => readdirSync(new URL(folder, schemas)).map((name) => `${folder}/${name}`));
    expect(files).toEqual(Object.keys(kept));
    for (const [name, copy] of Object.entries(kept)) {
      const first: unknown = JSON.parse(readFileSync(new URL(copy, FOLDER), 'utf8'));
      expect(JSON.parse(readFileSync(new URL(name, schemas), 'utf8'))).toEqual(first);
    }
  });

  it.each(TOPIC_NAMES)('%s can read what was written with the first', (topic) => {
    expect(() => checkBackward(topic, AVRO_SCHEMAS[topic])).not.toThrow();
  });

  it.each(GOLDEN_RECORDS)('%s reads the record %s to the values that were written', (topic, golden) => {
    const versionBytes = 1;
    const written: unknown = firstTypeOf(topic).fromBuffer(Buffer.from(readGolden(golden)).subarray(versionBytes));
    const read = readAs(AVRO_SCHEMAS[topic], topic, golden);
    expect(read).toMatchObject(sharedWith(read, written) as object);
  });
});

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

/** The schema of a topic's record, or of a branch of its union, with other fields. */
function withFields(topic: Topic, change: (fields: readonly Field[]) => readonly Field[]): unknown {
  const schema = structuredClone(AVRO_SCHEMAS[topic]) as { fields: readonly Field[] } | { fields: readonly Field[] }[];
  const record = Array.isArray(schema) ? schema[0] : schema;
  if (!record) throw new Error(`no record in ${topic}`);
  record.fields = change(record.fields);
  return schema;
}

function withoutSymbol(topic: Topic, field: string, symbol: string): unknown {
  const text = JSON.stringify(
    withFields(topic, (fields) => {
      expect(JSON.stringify(fields.find(({ name }) => name === field))).toContain(`"${symbol}"`);
      return fields;
    }),
  );
  return JSON.parse(text.replace(new RegExp(`"${symbol}",|,"${symbol}"`), ''));
}

// In a union avsc names the branch that fits no more, not the field.
describe('the check', () => {
  it.each(TOPIC_NAMES)('%s: refuses a new field without a default, and takes one with', (topic) => {
    const added = { name: 'added', type: 'string' };
    expect(() =>
      checkBackward(
        topic,
        withFields(topic, (fields) => [...fields, added]),
      ),
    ).toThrow(/added|SessionStarted/);
    const defaulted = withFields(topic, (fields) => [...fields, { ...added, default: 'x' }]);
    expect(JSON.stringify(readAs(defaulted, topic, goldenName(topic, 0)))).toContain('"added":"x"');
  });

  it.each(TOPIC_NAMES)('%s: refuses a renamed field and one of another type, takes a removed one', (topic) => {
    const changed = (change: (field: Field) => Field) => withFields(topic, ([first, ...rest]) => (first ? [change(first), ...rest] : []));
    expect(() =>
      checkBackward(
        topic,
        changed((field) => ({ ...field, name: 'renamed' })),
      ),
    ).toThrow(/renamed|SessionStarted/);
    expect(() =>
      checkBackward(
        topic,
        changed((field) => ({ ...field, type: 'boolean' })),
      ),
    ).toThrow(/boolean|SessionStarted/);
    expect(() =>
      checkBackward(
        topic,
        withFields(topic, (fields) => fields.slice(1)),
      ),
    ).not.toThrow();
  });

  it('refuses an enum that lost a symbol, a union that lost a branch and a record of another name', () => {
    expect(() => checkBackward('playhead.uploads', withoutSymbol('playhead.uploads', 'codec', 'gzip'))).toThrow(/BodyCodec/);
    expect(() => checkBackward('playhead.sessions', (AVRO_SCHEMAS['playhead.sessions'] as unknown[]).slice(0, 1))).toThrow(/SessionEnded/);
    expect(() => checkBackward('playhead.watches', { ...(AVRO_SCHEMAS['playhead.watches'] as object), name: 'Lease' })).toThrow(/Watch/);
  });
});
