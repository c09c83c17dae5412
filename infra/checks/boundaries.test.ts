import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ICruiseOptions, ICruiseResult, IFlattenedRuleSet } from 'dependency-cruiser';
import { cruise } from 'dependency-cruiser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import config from '../../.dependency-cruiser.cjs';

/**
 * The architecture as a test, and the test tested: dependency-cruiser that cannot parse TypeScript reads no module and
 * finds no violation, so the number of modules looked at must be plausible and a planted import must be caught.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const FOLDERS = ['schemas', 'packages', 'ingest', 'processors', 'live-gateway', 'player/src', 'recorder/src', 'server', 'e2e'];
const MODULES_AT_LEAST = 150;
const DEPENDENCIES_AT_LEAST = 400;

async function look(baseDir: string, folders: string[]): Promise<ICruiseResult> {
  const options = {
    ...config.options,
    ruleSet: { forbidden: config.forbidden } as IFlattenedRuleSet,
    validate: true,
    baseDir,
  } as ICruiseOptions;
  const { output } = await cruise(folders, options);
  if (typeof output === 'string') throw new Error('expected a result, not a report');
  return output;
}

test('imports go one way in the whole repository, and the whole repository was looked at', async () => {
  const { summary } = await look(ROOT, FOLDERS);
  expect(summary.violations.map((violation) => `${violation.rule.name}: ${violation.from} -> ${violation.to}`)).toEqual([]);
  expect(summary.totalCruised).toBeGreaterThan(MODULES_AT_LEAST);
  expect(summary.totalDependenciesCruised).toBeGreaterThan(DEPENDENCIES_AT_LEAST);
});

/** For each rule an import that breaks it. */
const PLANTS: Readonly<Record<string, { readonly file: string; readonly source: string }>> = {
  'no-cycles': { file: 'ingest/src/a.ts', source: "import { b } from './b.ts';\nexport const a = b;\n" },
  'no-unresolved': { file: 'ingest/src/planted.ts', source: "import './missing.ts';\n" },
  'schemas-import-nothing-of-ours': { file: 'schemas/src/planted.ts', source: "import '../../packages/ports/src/index.ts';\n" },
  'schemas-are-browser-safe': { file: 'schemas/src/planted.ts', source: "import 'node:fs';\n" },
  'ports-and-uploads-import-schemas-only': { file: 'packages/ports/src/planted.ts', source: "import '../../log-lmdb/src/index.ts';\n" },
  'adapters-know-ports-and-schemas-only': { file: 'packages/log-lmdb/src/planted.ts', source: "import '../../../ingest/src/index.ts';\n" },
  'services-never-import-adapters': { file: 'processors/src/planted.ts', source: "import '../../packages/log-lmdb/src/index.ts';\n" },
  'services-never-import-each-other': { file: 'processors/src/planted.ts', source: "import '../../ingest/src/index.ts';\n" },
  'sources-never-import-the-testkit': { file: 'server/src/planted.ts', source: "import '../../packages/testkit/src/index.ts';\n" },
  'browser-code-imports-schemas-only': { file: 'player/src/planted.ts', source: "import '../../packages/ports/src/index.ts';\n" },
  'cores-are-pure': { file: 'ingest/src/core/planted.ts', source: "import 'node:crypto';\n" },
  'nobody-imports-the-server': { file: 'ingest/src/planted.ts', source: "import '../../server/src/index.ts';\n" },
};

const NEIGHBOURS = [
  'schemas/src/index.ts',
  'packages/ports/src/index.ts',
  'packages/log-lmdb/src/index.ts',
  'packages/testkit/src/index.ts',
  'ingest/src/index.ts',
  'processors/src/index.ts',
  'server/src/index.ts',
  'player/src/index.ts',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'playhead-boundaries-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('every rule has a planted import', () => {
  expect(Object.keys(PLANTS).toSorted()).toEqual(config.forbidden.map((rule) => rule.name).toSorted());
});

test.each(Object.entries(PLANTS))('a planted import that breaks %s is caught', async (rule, plant) => {
  const base = join(folder, rule);
  const files = new Map(NEIGHBOURS.map((file) => [file, 'export const nothing = 0;\n']));
  files.set('ingest/src/b.ts', "import { a } from './a.ts';\nexport const b = a;\n");
  if (rule !== 'no-cycles') files.delete('ingest/src/b.ts');
  files.set(plant.file, plant.source);
  for (const [file, source] of files) {
    await mkdir(dirname(join(base, file)), { recursive: true });
    await writeFile(join(base, file), source);
  }
  const { summary } = await look(base, [...new Set([...files.keys()].map((file) => file.split('/', 1)[0] ?? ''))]);
  expect(summary.violations.map((violation) => violation.rule.name)).toContain(rule);
});
