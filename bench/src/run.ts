import type { BenchTable } from './table.ts';

/** What a benchmark is given. */
export interface Run {
  /** So small that it shows only that the benchmark runs. */
  readonly quick: boolean;
  /** Says what is being measured from now on. */
  readonly progress: (what: string) => void;
  /** Takes a table as soon as it is there. */
  readonly report: (table: BenchTable) => void;
}
