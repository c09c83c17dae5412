import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DECODERS } from '../src/decoders.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const FOLDERS = ['schemas', 'ingest', 'processors', 'live-gateway', 'server', 'player', 'recorder'];
/** Those that make bytes for tests read none of a stranger. */
const NO_PACKAGES = new Set(['containers', 'fuzz', 'sim', 'testkit']);
const FILES_AT_LEAST = 150;

/** Exported functions, and methods, by names that say that they read. */
const READS = [
  /^export (?:async )?(?:function\*? |const )((?:decode|decompress|gunzip|inflate|parse|read|sniff)\w*)(?= ?[(<=])/gm,
  /^ {2}(?:static |async )*((?:decode|inflate|parse)\w*)(?=[(<])/gm,
];

/** What reads and is not in the table, and why not. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'ingest/src/read-body.ts readBody': 'reads a stream into memory, and nothing out of it',
  'packages/log-kafka/src/partition-reader.ts readPartition': 'reads a topic; its records are read by the codecs',
  'packages/ports/src/event-log.ts decode': 'a port; its codecs are in the table',
  'processors/src/runtime/read-up-to.ts readUpTo': 'reads a topic',
  'schemas/src/formats/frame-bundle.ts readU64': 'one number, at a place that its callers have checked',
  'schemas/src/frame.ts readFlags': 'one byte',
  'server/src/data-directory.ts readProjects': 'a file of the operator',
  'server/src/projects-file.ts readOrMakeProjectsFile': 'a file of the operator',
  'server/src/projects-file.ts readProjectsFile': 'a file of the operator',
  'server/src/settings.ts readSettings': 'flags and environment of the operator',
};

async function readersInSources(): Promise<{ readonly readers: string[]; readonly sources: ReadonlyMap<string, string> }> {
  const packages = (await readdir(join(ROOT, 'packages'))).filter((name) => !NO_PACKAGES.has(name)).map((name) => join('packages', name));
  const sources = new Map<string, string>();
  for (const folder of [...FOLDERS, ...packages]) {
    for (const file of await readdir(join(ROOT, folder, 'src'), { recursive: true })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const path = join(folder, 'src', file);
      sources.set(path, await readFile(join(ROOT, path), 'utf8'));
    }
  }
  const readers = [...sources].flatMap(([path, source]) =>
    READS.flatMap((reads) => [...source.matchAll(reads)].map(([, name]) => `${path} ${name}`)),
  );
  return { readers: [...new Set(readers)].toSorted(), sources };
}

test('every function that reads bytes or texts is in the table, or an exception with its reason', async () => {
  const { readers, sources } = await readersInSources();
  const covered = new Set(DECODERS.flatMap(({ covers }) => covers));
  expect(readers.filter((reader) => !covered.has(reader) && !(reader in EXCEPTIONS))).toEqual([]);
  expect(sources.size).toBeGreaterThan(FILES_AT_LEAST);
});

test('what the table and the exceptions name is in the sources', async () => {
  const { sources } = await readersInSources();
  const named = [...DECODERS.flatMap(({ covers }) => covers), ...Object.keys(EXCEPTIONS)];
  const gone = named.filter((reader) => {
    const [path = '', name = ''] = reader.split(' ');
    return !new RegExp(String.raw`\b${name}\b ?[(<=]`).test(sources.get(path) ?? '');
  });
  expect(gone).toEqual([]);
  expect(new Set(DECODERS.map(({ name }) => name)).size).toBe(DECODERS.length);
});
