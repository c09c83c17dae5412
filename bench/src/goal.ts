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

function isReached(ratio: number, bound: NonNullable<Goal['bound']>): boolean {
  return 'atMost' in bound ? ratio <= bound.atMost : ratio >= bound.atLeast;
}

/** Goals as a table. */
export function goalTable(about: string, goals: readonly Goal[]): BenchTable {
  const rows = goals.map((goal) => {
    const { what, measured, baseline, ratio, bound } = goal;
    const cells = [what, measured, baseline, `${ratio.toFixed(2)}×`];
    if (bound === undefined) return [...cells, '–', '–'];
    return [...cells, 'atMost' in bound ? `≤ ${bound.atMost}×` : `≥ ${bound.atLeast}×`, isReached(ratio, bound) ? 'yes' : 'missed'];
  });
  return { about, columns: ['what', 'measured', 'baseline', 'ratio', 'goal', 'reached'], rows };
}
