import type { BenchTable } from './table.ts';

/** One goal, and how near one run came. */
export interface Goal {
  readonly what: string;
  /** What was measured, with its unit. */
  readonly measured: string;
  /** The same of what it is compared with, in the same run. */
  readonly baseline: string;
  /** Measured over baseline. */
  readonly ratio: number;
  /** Nothing where the figure is only told. */
  readonly bound?: { readonly atMost: number } | { readonly atLeast: number } | undefined;
}

/** A table of goals, and the goals themselves. */
export interface GoalTable extends BenchTable {
  readonly goals: readonly Goal[];
}

export const GOAL_COLUMNS = ['what', 'measured', 'baseline', 'ratio', 'goal', 'reached'] as const;

function isReached(ratio: number, bound: NonNullable<Goal['bound']>): boolean {
  return 'atMost' in bound ? ratio <= bound.atMost : ratio >= bound.atLeast;
}

function cellsOf({ what, measured, baseline, ratio, bound }: Goal): string[] {
  const cells = [what, measured, baseline, `${ratio.toFixed(2)}×`];
  if (bound === undefined) return [...cells, '–', '–'];
  return [...cells, 'atMost' in bound ? `≤ ${bound.atMost}×` : `≥ ${bound.atLeast}×`, isReached(ratio, bound) ? 'yes' : 'missed'];
}

/** Goals as a table. */
export function goalTable(about: string, goals: readonly Goal[]): GoalTable {
  return { about, columns: GOAL_COLUMNS, rows: goals.map(cellsOf), goals };
}

/** The goals among the tables of a run, by the benchmark that they are of; figures that are only told are left out. */
export function summaryTable(tables: readonly (readonly [name: string, table: BenchTable])[]): BenchTable {
  const rows = tables.flatMap(([name, table]) =>
    goalsOf(table)
      .filter(({ bound }) => bound !== undefined)
      .map((goal) => [name].concat(cellsOf(goal))),
  );
  const missed = rows.filter((row) => row.at(-1) === 'missed').length;
  return { about: `${rows.length} goals, ${missed} missed`, columns: ['benchmark', ...GOAL_COLUMNS], rows };
}

function goalsOf(table: BenchTable | GoalTable): readonly Goal[] {
  return 'goals' in table ? table.goals : [];
}
