import { mkdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchBlockCodec } from './block-codec.ts';
import { circumstances } from './circumstances.ts';
import type { Part } from './cluster/bench-cluster.ts';
import { benchCluster, PARTS } from './cluster/bench-cluster.ts';
import { benchCompaction } from './compaction.ts';
import { benchSessionHour } from './cost/session-hour.ts';
import { benchFanOut } from './fan-out/bench-fan-out.ts';
import { summaryTable } from './goal.ts';
import { benchGrowth } from './growth/bench-growth.ts';
import { benchIngest } from './ingest/bench-ingest.ts';
import { benchJoin } from './join/bench-join.ts';
import { benchKafkaProduce, benchKafkaRead } from './kafka-client.ts';
import { keptGoals } from './kept-goals.ts';
import { benchLive } from './live/bench-live.ts';
import { benchLogAppend } from './log-append.ts';
import { benchMergedPieces } from './merged-pieces.ts';
import { circumstancesText, resultText, tableText } from './results.ts';
import type { Run } from './run.ts';
import { benchStartUp } from './start-up/bench-start-up.ts';
import type { BenchTable } from './table.ts';
import { printed } from './table.ts';
import { benchWatched } from './watched/bench-watched.ts';

/** Answers its table, or reports several. */
type Bench = (run: Run) => Promise<BenchTable | void>;

/** Every benchmark by name. Machines are noisy: read ratios, not times. */
const BENCHES: Readonly<Record<string, Bench>> = {
  'block-codec': benchBlockCodec,
  'merged-pieces': ({ report }) => benchMergedPieces(report),
  'log-append': benchLogAppend,
  ingest: benchIngest,
  live: benchLive,
  watched: benchWatched,
  'fan-out': benchFanOut,
  growth: benchGrowth,
  'start-up': benchStartUp,
  join: benchJoin,
  compaction: benchCompaction,
  'session-hour': benchSessionHour,
  kafka: benchKafkaProduce,
  'kafka-read': benchKafkaRead,
  cluster: ({ report }) => benchCluster(PARTS, report),
};

/** Parts of `cluster`, run when they are named. */
const ALONE: Readonly<Record<string, Bench>> = Object.fromEntries(
  PARTS.map((part: Part): [string, Bench] => [`cluster-${part}`, ({ report }) => benchCluster([part], report)]),
);

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, kept: { type: 'boolean', default: false } },
});
const { quick, kept } = values;
if (kept) {
  process.stdout.write(`${printed(keptGoals(RESULTS))}\n`);
  process.exit(0);
}
const all = { ...BENCHES, ...ALONE };
const unknown = names.filter((name) => !(name in all));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(all).join(', ')}\n`);
  process.exit(2);
}

const began = performance.now();
const under = circumstances(Date.now());
process.stdout.write(`${circumstancesText(under)}\n`);
const measured: [name: string, table: BenchTable][] = [];
for (const [name, bench] of Object.entries(names.length > 0 ? all : BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stdout.write(`\n## ${name}\n`);
  try {
    const tables = await tablesOf(name, bench);
    measured.push(...tables.map((table): [string, BenchTable] => [name, table]));
    if (!quick) keep(name, tables);
  } catch (error) {
    process.stdout.write(`left out: ${error instanceof Error ? error.message : String(error)}\n`);
    // What was asked for by its name is missed.
    if (names.length > 0) process.exitCode = 1;
  }
}
const summary = summaryTable(measured);
if (summary.rows.length > 0) process.stdout.write(`\n## Summary\n\n${tableText(summary)}\n`);

async function tablesOf(name: string, bench: Bench): Promise<readonly BenchTable[]> {
  const tables: BenchTable[] = [];
  const report = (table: BenchTable): void => {
    tables.push(table);
    process.stdout.write(`\n${tableText(table)}\n`);
  };
  const progress = (what: string): void => {
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    process.stderr.write(`${seconds.padStart(5)} s  ${name}: ${what}\n`);
  };
  const table = await bench({ quick, progress, report });
  if (table) report(table);
  return tables;
}

function keep(name: string, tables: readonly BenchTable[]): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = `${RESULTS}${name}.md`;
  writeFileSync(file, resultText(name, under, tables));
  process.stdout.write(`\nkept in ${relative(process.cwd(), file)}\n`);
}
