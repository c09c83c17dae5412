import type { BenchTable } from './table.ts';
import { printed } from './table.ts';

/** Under which circumstances something was measured. */
export interface Circumstances {
  readonly cpuModel: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** Version of Node, with its `v`. */
  readonly node: string;
  /** Unix ms. */
  readonly atMs: number;
  readonly commit: string;
  /** Whether files differed from the commit; results do not count. */
  readonly isDirty: boolean;
}

/** The circumstances in a few lines of a Markdown list. */
export function circumstancesText(circumstances: Circumstances): string {
  const { cpuModel, cpuCount, memoryBytes, node, atMs, commit, isDirty } = circumstances;
  return [
    `- machine: ${cpuCount} × ${cpuModel}, ${(memoryBytes / 1e9).toFixed(1)} GB`,
    `- Node: ${node}`,
    `- date: ${new Date(atMs).toISOString()}`,
    `- commit: ${commit}${isDirty ? ', with changes that are not committed' : ''}`,
  ].join('\n');
}

/** A table below what it was measured on. */
export function tableText(table: BenchTable): string {
  return `${table.about}\n\n${printed(table)}`;
}

/** What is kept of a benchmark: Markdown, whose tables a script finds by the bar at the begin of their lines. */
export function resultText(name: string, circumstances: Circumstances, tables: readonly BenchTable[]): string {
  const head = `# ${name}\n\nWritten by \`npm run bench -- ${name}\`.\n\n${circumstancesText(circumstances)}`;
  return `${[head, ...tables.map(tableText)].join('\n\n')}\n`;
}
