import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** What a pure core may not do by itself: each is an argument or belongs to its driver. Imports are bounded by boundaries.test.ts. */
const IMPURE: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['a clock', /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/],
  ['randomness', /\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b/],
  ['a timer', /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
  ['asynchrony', /\basync\b|\bawait\b|\bPromise\b/],
  ['the outside', /\bprocess\.|\bfetch\(|\bconsole\.|\bdocument\.|\blocalStorage\b/],
];

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDERS = ['ingest', 'processors', 'live-gateway', 'player', 'recorder', 'server', 'e2e'];
const CORE_FILES_AT_LEAST = 12;

/** Names of what a source does that a core may not; comments and strings do not count. */
function impurities(source: string): string[] {
  const code = source
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\/\/.*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
  return IMPURE.filter(([, pattern]) => pattern.test(code)).map(([name]) => name);
}

test('no core has a clock, randomness, a timer, asynchrony or the outside', async () => {
  const found: string[] = [];
  let files = 0;
  for (const folder of FOLDERS) {
    for (const file of await readdir(join(ROOT, folder, 'src'), { recursive: true })) {
      if (!/(^|[/\\])core[/\\]/.test(file) || !file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      files++;
      const source = await readFile(join(ROOT, folder, 'src', file), 'utf8');
      found.push(...impurities(source).map((name) => `${folder}/src/${file}: ${name}`));
    }
  }
  expect(found).toEqual([]);
  expect(files).toBeGreaterThanOrEqual(CORE_FILES_AT_LEAST);
});

test.each([
  ['a clock', 'const now = Date.now();'],
  ['randomness', 'const dice = Math.random();'],
  ['a timer', 'setTimeout(run, 5);'],
  ['asynchrony', 'export async function run() {}'],
  ['the outside', 'const answer = fetch(url);'],
])('%s in a core would be caught', (name, source) => {
  expect(impurities(source)).toEqual([name]);
});
