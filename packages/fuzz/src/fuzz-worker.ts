import { parentPort, workerData } from 'node:worker_threads';
import * as fc from 'fast-check';
import type { Case } from './damage.ts';
import { anyCase } from './damage.ts';
import type { Decoder } from './decoder.ts';
import type { Finding, WorkerNews, WorkerTask } from './fuzz.ts';
import { Blackboard } from './fuzz.ts';
import { bytesOf, judgeBytes, judgeCase, judgeTruncation } from './judge.ts';

/** Runs what `fuzz.ts` asks for, and writes down each input before it is read. */
const task = workerData as WorkerTask;
const { DECODERS } = (await import(task.table)) as { DECODERS: readonly Decoder[] };
const board = new Blackboard(task.board);

async function findingOf(decoder: Decoder, number: number): Promise<Omit<Finding, 'decoder'> | undefined> {
  const before = (bytes: Uint8Array): void => board.write(number, bytes);
  if (task.replay) return findingOfCall(decoder, task.replay, before);
  for (const sample of decoder.samples) {
    const finding = await findingOfSample(decoder, sample.bytes, before);
    if (finding) return finding;
    before(sample.bytes);
    const { error } = await outcome(() => judgeTruncation(decoder, sample));
    if (error) return { what: error.message, bytes: sample.bytes };
  }
  const property = fc.asyncProperty(anyCase, (one: Case) => judgeCase(decoder, one, before));
  const { failed, counterexample, counterexamplePath, errorInstance } = await fc.check(property, {
    seed: task.seed,
    numRuns: Math.ceil(task.runs / (decoder.runsDivisor ?? 1)),
    // Counted in runs, shrinking too: what a seed does must not depend on the time of day.
    endOnFailure: false,
  });
  if (!failed || !counterexample) return undefined;
  const what = `${errorInstance instanceof Error ? errorInstance.message : String(errorInstance)} (path ${counterexamplePath})`;
  return { what, bytes: bytesOf(decoder, counterexample[0]) };
}

/** A sample has to be read: a table whose samples are all refused would prove nothing. */
async function findingOfSample(
  decoder: Decoder,
  bytes: Uint8Array,
  before: (bytes: Uint8Array) => void,
): Promise<Omit<Finding, 'decoder'> | undefined> {
  before(bytes);
  const { error } = await outcome(async () => {
    if ((await judgeBytes(decoder, bytes)) === undefined) throw new Error('a sample is refused');
  });
  return error && { what: error.message, bytes };
}

async function findingOfCall(
  decoder: Decoder,
  bytes: Uint8Array,
  before: (bytes: Uint8Array) => void,
): Promise<Omit<Finding, 'decoder'> | undefined> {
  before(bytes);
  const { error } = await outcome(() => judgeBytes(decoder, bytes));
  return error && { what: error.message, bytes };
}

async function outcome(run: () => Promise<unknown>): Promise<{ readonly error?: Error }> {
  try {
    await run();
    return {};
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function tell(news: WorkerNews): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window's
  parentPort?.postMessage(news);
}

tell({ names: DECODERS.map(({ name }) => name) });
for (const [number, decoder] of DECODERS.entries()) {
  if (task.names.length > 0 && !task.names.includes(decoder.name)) continue;
  const finding = await findingOf(decoder, number);
  tell({ decoder: decoder.name, finding: finding && { decoder: decoder.name, ...finding } });
}
