import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchBlockCodec } from './block-codec.ts';
import type { Part } from './cluster/bench-cluster.ts';
import { benchCluster, PARTS } from './cluster/bench-cluster.ts';
import { benchCompaction } from './compaction.ts';
import { benchFanOut } from './fan-out/bench-fan-out.ts';
import { benchIngest } from './ingest/bench-ingest.ts';
import { benchKafkaProduce, benchKafkaRead } from './kafka-client.ts';
import { benchLive } from './live/bench-live.ts';
import { benchLogAppend } from './log-append.ts';
import type { BenchTable } from './table.ts';
import { printed } from './table.ts';

/** Answers a table, or hands over each of several when it is there. */
type Bench = (report: (table: BenchTable) => void, quick: boolean) => Promise<BenchTable | void>;

/** Every benchmark by name. Machines are noisy: read ratios, not times. */
const BENCHES: Readonly<Record<string, Bench>> = {
  'block-codec': benchBlockCodec,
  'log-append': benchLogAppend,
  ingest: (_, quick) => benchIngest(quick),
  live: (_, quick) => benchLive(quick),
  'fan-out': (_, quick) => benchFanOut(quick),
  compaction: (_, quick) => benchCompaction(quick),
  kafka: benchKafkaProduce,
  'kafka-read': benchKafkaRead,
  cluster: (report) => benchCluster(PARTS, report),
};

/** Parts of `cluster`, run when they are named. */
const ALONE: Readonly<Record<string, Bench>> = Object.fromEntries(
  PARTS.map((part: Part): [string, Bench] => [`cluster-${part}`, (report) => benchCluster([part], report)]),
);

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  // So small that it shows only that the benchmark runs.
  options: { quick: { type: 'boolean', default: false } },
});
const all = { ...BENCHES, ...ALONE };
const unknown = names.filter((name) => !(name in all));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(all).join(', ')}\n`);
  process.exit(2);
}

const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
process.stdout.write(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, commit ${commit}\n`);
for (const [name, bench] of Object.entries(names.length > 0 ? all : BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stdout.write(`\n${name} ...\n`);
  try {
    const table = await bench(report, values.quick);
    if (table) report(table);
  } catch (error) {
    process.stdout.write(`left out: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function report(table: BenchTable): void {
  process.stdout.write(`\n${table.about}\n\n${printed(table)}\n`);
}
