import { readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import process from 'node:process';
import type { Decoder } from './decoder.ts';

/**
 * Measures what each decoder of a table costs on its nastiest inputs, in a process of its own:
 *
 *     node --expose-gc cost.ts memory <table>
 *     node --no-opt --no-maglev --no-sparkplug cost.ts steps <table>
 *
 * Prints a JSON array of Cost. Steps are counted by the engine, the same on every machine; optimised code is not counted.
 */
export interface Cost {
  readonly decoder: string;
  /** Which of its nasty inputs. */
  readonly input: number;
  readonly inputBytes: number;
  /** `read`, `fault`, or the crash. */
  readonly outcome: string;
  /** `memory`: bytes that the process grew by, at the highest. `steps`: how often the busiest place of our sources ran. */
  readonly cost: number;
  readonly costMax: number;
}

/** Where Linux takes the order to forget the highest size of the process. Elsewhere memory is not measured. */
export const PEAK_RESET = '/proc/self/clear_refs';

/** Pages of young objects and of code that comes and goes. */
const NOISE_BYTES = 24 * 1024 * 1024;
const MEMORY_INPUT_BYTES = 256 * 1024;
const STEPS_INPUT_BYTES = 16 * 1024;
/** A place of a loop over bytes, over digits of them, over what was made of them. */
const STEPS_PER_BYTE = 8;
const STEPS_ALWAYS = 20_000;
const SOURCES = new URL('../../../', import.meta.url).href;

function statusBytes(field: 'VmHWM' | 'VmRSS'): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kib) * 1024;
}

async function outcomeOf(decoder: Decoder, bytes: Uint8Array): Promise<string> {
  try {
    await decoder.decode(bytes);
    return 'read';
  } catch (error) {
    if (decoder.faults.some((fault) => (error as object | undefined)?.constructor === fault)) return 'fault';
    return `crash: ${error instanceof Error ? error.message : String(error)}`;
  }
}

type Measured = Pick<Cost, 'outcome' | 'cost' | 'costMax'>;

/** The least that the process ever held: what an earlier input left behind must not hide what a later one takes. */
let floorBytes = Number.POSITIVE_INFINITY;

async function memoryOf(decoder: Decoder, bytes: Uint8Array): Promise<Measured> {
  globalThis.gc?.();
  // Gives pages back, too, and takes ten times as long.
  if (statusBytes('VmRSS') > floorBytes + NOISE_BYTES / 4) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  writeFileSync(PEAK_RESET, '5');
  floorBytes = Math.min(floorBytes, statusBytes('VmRSS'));
  const outcome = await outcomeOf(decoder, bytes);
  return { outcome, cost: Math.max(0, statusBytes('VmHWM') - floorBytes), costMax: decoder.memoryMax(bytes.length) + NOISE_BYTES };
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

const inspector = new Session();
inspector.connect();

function ask(method: string, params: object = {}): Coverage {
  let answer: unknown;
  inspector.post(method, params, (_error: Error | null, result?: object) => {
    answer = result;
  });
  return answer as Coverage;
}

async function stepsOf(decoder: Decoder, bytes: Uint8Array): Promise<Measured> {
  ask('Profiler.takePreciseCoverage');
  const outcome = await outcomeOf(decoder, bytes);
  const { result } = ask('Profiler.takePreciseCoverage');
  const counts = result
    .filter(({ url }) => url.startsWith(SOURCES) && !url.includes('/packages/fuzz/src/'))
    .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges.map(({ count }) => count)));
  const reads = decoder.readsMax?.(bytes.length) ?? bytes.length;
  return { outcome, cost: counts.reduce((most, count) => Math.max(most, count), 0), costMax: STEPS_PER_BYTE * reads + STEPS_ALWAYS };
}

async function main([what, table = '']: readonly string[]): Promise<void> {
  const { DECODERS } = (await import(table)) as { DECODERS: readonly Decoder[] };
  const [inputBytes, measure] = what === 'memory' ? [MEMORY_INPUT_BYTES, memoryOf] : [STEPS_INPUT_BYTES, stepsOf];
  if (what === 'steps') {
    ask('Profiler.enable');
    ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }
  const costs: Cost[] = [];
  // What little is kept of large inputs would count for small ones.
  for (const decoder of DECODERS.toSorted((a, b) => a.memoryMax(0) - b.memoryMax(0))) {
    for (const [input, bytes] of decoder.nasty(inputBytes).entries()) {
      costs.push({ decoder: decoder.name, input, inputBytes: bytes.length, ...(await measure(decoder, bytes)) });
    }
  }
  process.stdout.write(JSON.stringify(costs));
}

if (import.meta.main) await main(process.argv.slice(2));
