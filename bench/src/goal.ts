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
  readonly bound: { readonly atMost: number } | { readonly atLeast: number };
}

/** True when the goal is reached. */
export function isReached({ ratio, bound }: Goal): boolean {
  return 'atMost' in bound ? ratio <= bound.atMost : ratio >= bound.atLeast;
}

/** Goals as a table. */
export function goalTable(about: string, goals: readonly Goal[]): BenchTable {
  const rows = goals.map((goal) => {
    const { what, measured, baseline, ratio, bound } = goal;
    const wanted = 'atMost' in bound ? `≤ ${bound.atMost}×` : `≥ ${bound.atLeast}×`;
    return [what, measured, baseline, `${ratio.toFixed(2)}×`, wanted, isReached(goal) ? 'yes' : 'missed'];
  });
  return { about, columns: ['what', 'measured', 'baseline', 'ratio', 'goal', 'reached'], rows };
}
