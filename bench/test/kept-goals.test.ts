import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { keptGoals } from '../src/kept-goals.ts';
import { printed } from '../src/table.ts';

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test('docs/performance.md has the goals of all results that are kept: what `npm run bench -- --kept` prints', () => {
  const goals = keptGoals(pathOf('../results'));
  expect(goals.rows.length).toBeGreaterThan(10);
  expect(readFileSync(pathOf('../../docs/performance.md'), 'utf8')).toContain(`\n\n${printed(goals)}\n`);
});
