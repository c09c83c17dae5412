/** One table of a benchmark: what was measured, beside what it is compared with in the same run. */
export interface BenchTable {
  /** What every row was measured on, in one line. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The middle of an odd number of measurements. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** The value below which `share` of ascending values lie. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

/** The table as Markdown. */
export function printed(table: Omit<BenchTable, 'about'>): string {
  const widths = table.columns.map((column, at) => Math.max(column.length, ...table.rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(table.columns), line(widths.map((width) => '-'.repeat(width))), ...table.rows.map(line)].join('\n');
}
