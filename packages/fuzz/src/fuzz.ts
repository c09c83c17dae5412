import { Worker } from 'node:worker_threads';

/** What was found: which decoder broke which promise on which bytes. */
export interface Finding {
  readonly decoder: string;
  readonly what: string;
  /** The smallest bytes that show it; those that were being read when it hangs or runs out of memory. */
  readonly bytes: Uint8Array;
}

export interface FuzzOptions {
  /** Module that exports `DECODERS`. */
  readonly table: URL;
  /** The same seed makes the same bytes. */
  readonly seed: number;
  /** Damaged inputs for each decoder. */
  readonly runs: number;
  /** Of decoders; empty: all. */
  readonly names?: readonly string[];
  /** Read these bytes and no others. */
  readonly replay?: Uint8Array;
  /** One input that is read for longer hangs. */
  readonly hangMs?: number;
  /** JavaScript heap of the thread that decodes, in MiB. */
  readonly heapMbMax?: number;
  /** Told when a decoder is through. */
  readonly onDecoder?: (name: string) => void;
  readonly onFinding?: (finding: Finding) => void;
}

/**
 * At the limit Node lets a thread have 16 MiB more and stops it. What a young generation of the usual size hands on at once
 * can be more than that, and then the whole process ends.
 */
const YOUNG_MB_MAX = 8;

export interface WorkerTask extends Pick<FuzzOptions, 'seed' | 'runs' | 'replay'> {
  readonly table: string;
  readonly names: readonly string[];
  readonly board: SharedArrayBuffer;
}

/** What the thread tells: the names of all decoders at first, then each one that is through. */
export interface WorkerNews {
  readonly names?: readonly string[];
  readonly decoder?: string;
  readonly finding?: Finding | undefined;
}

/** Inputs take milliseconds, on a busy machine too. */
const HANG_MS = 30_000;
const HEAP_MB_MAX = 512;
const INPUT_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES = 12;

/** Memory that both threads see: how many inputs were begun, by which decoder, and the newest input. */
export class Blackboard {
  readonly #numbers: Int32Array;
  readonly #input: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#numbers = new Int32Array(memory, 0, 3);
    this.#input = new Uint8Array(memory, HEADER_BYTES);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + INPUT_BYTES_MAX);
  }

  write(decoder: number, bytes: Uint8Array): void {
    const length = Math.min(bytes.length, INPUT_BYTES_MAX);
    this.#input.set(bytes.subarray(0, length));
    Atomics.store(this.#numbers, 1, decoder);
    Atomics.store(this.#numbers, 2, length);
    Atomics.add(this.#numbers, 0, 1);
  }

  get begun(): number {
    return Atomics.load(this.#numbers, 0);
  }

  get decoder(): number {
    return Atomics.load(this.#numbers, 1);
  }

  get input(): Uint8Array {
    return this.#input.slice(0, Atomics.load(this.#numbers, 2));
  }
}

/**
 * Lets every decoder of a table read damaged bytes, on a thread of its own that is ended when it hangs or needs too much heap.
 * A decoder that hangs or runs out of memory is the last one: its thread is gone.
 */
export async function fuzz(options: FuzzOptions): Promise<readonly Finding[]> {
  const { table, seed, runs, names = [], replay, hangMs = HANG_MS, heapMbMax = HEAP_MB_MAX, onDecoder, onFinding } = options;
  const memory = Blackboard.memory();
  const board = new Blackboard(memory);
  const task: WorkerTask = { table: table.href, seed, runs, names, board: memory, ...(replay ? { replay } : {}) };
  const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), {
    workerData: task,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMbMax, maxYoungGenerationSizeMb: YOUNG_MB_MAX },
  });
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    onFinding?.(finding);
  };
  let all: readonly string[] = [];
  const lost = (what: string): void => found({ decoder: all[board.decoder] ?? 'none', what, bytes: board.input });
  let begun = -1;
  await new Promise<void>((resolve) => {
    const watchdog = setInterval(() => {
      if (board.begun === begun && begun > 0) {
        lost(`hang: one input is read for more than ${hangMs} ms`);
        void worker.terminate();
      }
      begun = board.begun;
    }, hangMs);
    worker.on('message', ({ names: told, decoder, finding }: WorkerNews) => {
      if (told) all = told;
      if (finding) found(finding);
      if (decoder) onDecoder?.(decoder);
    });
    worker.on('error', (error: Error) => lost(`the thread ends: ${error.message}`));
    worker.on('exit', () => {
      clearInterval(watchdog);
      resolve();
    });
  });
  return findings;
}
