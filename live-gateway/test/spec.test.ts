import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const RULE = /\bLH\d+\b/g;

test('every rule of the handover has a test, and every rule that a test names exists', () => {
  const here = import.meta.dirname;
  const rules = [...readFileSync(`${here}/../src/handover/SPEC.md`, 'utf8').matchAll(/\*\*(LH\d+)\*\*/g)].map((match) => match[1]);
  const titles = readdirSync(here)
    .filter((name) => name.endsWith('.test.ts') && name !== 'spec.test.ts')
    .flatMap((name) =>
      [...readFileSync(`${here}/${name}`, 'utf8').matchAll(/test(?:\.each\(.*\))?\(\s*'(.*?)'/g)].map((match) => match[1] ?? ''),
    );
  expect(titles.length).toBeGreaterThan(30);
  const named = new Set(titles.flatMap((title) => title.match(RULE) ?? []));
  expect(named).toEqual(new Set(rules));
});
