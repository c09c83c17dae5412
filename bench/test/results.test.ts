import { expect, test } from 'vitest';
import { goalTable, summaryTable } from '../src/goal.ts';
import type { Circumstances } from '../src/results.ts';
import { resultText } from '../src/results.ts';

const CIRCUMSTANCES: Circumstances = {
  cpuModel: 'Some CPU',
  cpuCount: 2,
  memoryBytes: 8_000_000_000,
  node: 'v24.21.0',
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  commit: 'abc1234',
  isDirty: false,
};
const GOALS = goalTable('on a desk', [
  { what: 'speed', measured: '60/s', baseline: '100/s', ratio: 0.6, bound: { atLeast: 0.6 } },
  { what: 'cost', measured: '16 s', baseline: '10 s', ratio: 1.6, bound: { atMost: 1.5 } },
  { what: 'size', measured: '1 MB', baseline: '2 MB', ratio: 0.5 },
]);

test('a table of goals tells each with its ratio, its bound and whether that was kept', () => {
  expect(GOALS.rows).toEqual([
    ['speed', '60/s', '100/s', '0.60×', '≥ 0.6×', 'yes'],
    ['cost', '16 s', '10 s', '1.60×', '≤ 1.5×', 'missed'],
    ['size', '1 MB', '2 MB', '0.50×', '–', '–'],
  ]);
});

test('what could not be compared has missed its goal', () => {
  const { rows } = goalTable('', [{ what: 'speed', measured: '-', baseline: '-', ratio: Number.NaN, bound: { atMost: 1 } }]);
  expect(rows[0]?.at(-1)).toBe('missed');
});

test('the summary has the goals of all benchmarks, and nothing that is no goal', () => {
  const plain = { about: 'figures', columns: ['codec'], rows: [['none']] };
  const summary = summaryTable([
    ['first', GOALS],
    ['second', plain],
  ]);
  expect(summary).toEqual({
    about: '2 goals, 1 missed',
    columns: ['benchmark', 'what', 'measured', 'baseline', 'ratio', 'goal', 'reached'],
    rows: [
      ['first', 'speed', '60/s', '100/s', '0.60×', '≥ 0.6×', 'yes'],
      ['first', 'cost', '16 s', '10 s', '1.60×', '≤ 1.5×', 'missed'],
    ],
  });
});

test('a result says on what, when and of which commit, and has its tables', () => {
  expect(resultText('ingest', CIRCUMSTANCES, [GOALS])).toBe(
    [
      '# ingest',
      '',
      'Written by `npm run bench -- ingest`.',
      '',
      '- machine: 2 × Some CPU, 8.0 GB',
      '- Node: v24.21.0',
      '- date: 2026-01-02T03:04:05.000Z',
      '- commit: abc1234',
      '',
      'on a desk',
      '',
      '| what  | measured | baseline | ratio | goal   | reached |',
      '| ----- | -------- | -------- | ----- | ------ | ------- |',
      '| speed | 60/s     | 100/s    | 0.60× | ≥ 0.6× | yes     |',
      '| cost  | 16 s     | 10 s     | 1.60× | ≤ 1.5× | missed  |',
      '| size  | 1 MB     | 2 MB     | 0.50× | –      | –       |',
      '',
    ].join('\n'),
  );
});

test('a tree with changes is told', () => {
  expect(resultText('ingest', { ...CIRCUMSTANCES, isDirty: true }, [])).toContain(
    '- commit: abc1234, with changes that are not committed\n',
  );
});
