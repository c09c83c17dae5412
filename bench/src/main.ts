import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import process from 'node:process';
import { benchBlockCodec } from './block-codec.ts';
import { benchKafkaProduce, benchKafkaRead } from './kafka-client.ts';
import { benchLogAppend } from './log-append.ts';
import type { BenchTable } from './table.ts';
import { printed } from './table.ts';

/** Every benchmark by name. Machines are noisy: read ratios, not times. */
const BENCHES: Readonly<Record<string, () => Promise<BenchTable>>> = {
  'block-codec': benchBlockCodec,
  'log-append': benchLogAppend,
  kafka: benchKafkaProduce,
  'kafka-read': benchKafkaRead,
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}

const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
process.stdout.write(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, commit ${commit}\n`);
for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stdout.write(`\n${name} ...\n`);
  const table = await bench().catch((error: unknown) => `left out: ${error instanceof Error ? error.message : String(error)}`);
  process.stdout.write(typeof table === 'string' ? `${table}\n` : `${table.about}\n\n${printed(table)}\n`);
}
