import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MUTATIONS, mutatedText } from './mutations.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test.each(MUTATIONS)('mutation $name applies: its text is in $file once, and its tests are there', async (mutation) => {
  await expect(mutatedText(mutation, ROOT)).resolves.toContain(mutation.after);
  expect(mutation.tests.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('a mutation whose text is gone, or there twice, says so', async () => {
  const moved = { name: 'moved', broken: '', file: 'LICENSE', after: '', tests: [], simulated: false };
  await expect(mutatedText({ ...moved, before: 'no such text' }, ROOT)).rejects.toThrow(
    'moved no longer applies: LICENSE holds its text 0 times',
  );
  await expect(mutatedText({ ...moved, before: 'License' }, ROOT)).rejects.toThrow('no longer applies');
});

test('mutations have names of their own and change something', () => {
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  expect(MUTATIONS.filter(({ before, after }) => before === after)).toEqual([]);
});
