import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOAL_COLUMNS } from './goal.ts';
import type { BenchTable } from './table.ts';

const [CELLS, FIRST] = [GOAL_COLUMNS.length, GOAL_COLUMNS[0]];

/** The rows with a goal in the kept results of all benchmarks, with the commit that each was measured at. */
export function keptGoals(folder: string): Omit<BenchTable, 'about'> {
  const rows = readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .toSorted()
    .flatMap((file) => goalsOf(file.slice(0, -3), readFileSync(join(folder, file), 'utf8')));
  return { columns: ['benchmark', ...GOAL_COLUMNS, 'commit'], rows };
}

function goalsOf(name: string, result: string): string[][] {
  const commit = /^- commit: (\w+)/m.exec(result)?.[1] ?? '';
  const rows = [...result.matchAll(/^\| (.*) \|$/gm)].map(([, cells = '']) => cells.split(' | ').map((cell) => cell.trim()));
  const isGoal = (cells: readonly string[]): boolean =>
    cells.length === CELLS && cells[0] !== FIRST && ['yes', 'missed'].includes(cells.at(-1) ?? '');
  return rows.filter(isGoal).map((cells) => [name].concat(cells, commit));
}
