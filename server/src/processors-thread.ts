import { setPriority } from 'node:os';
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { answerThread, sparingLogger, systemClock, Waits } from '@playhead/ports';
import { everyEngine, watchedEngines } from './engines.ts';
import { openLogger } from './logging.ts';
import type { ThreadQuestion, ThreadStart } from './processors-on-thread.ts';
import type { RunningProcessors } from './run-processors.ts';
import { runProcessors } from './run-processors.ts';
import type { SharedEngines } from './shared-engines.ts';
import { threadEngines } from './shared-engines.ts';

/** The program of the thread that `processors-on-thread.ts` starts. What is thrown here ends the process. */
const { settings, terminal, port } = workerData as ThreadStart;
const logger = sparingLogger(openLogger(settings, terminal), systemClock);
const waits = new Waits(systemClock, logger);

interface Work {
  readonly processors: RunningProcessors;
  readonly engines: ReturnType<typeof threadEngines>;
}
let work: Work | undefined;

/** Where there are too few cores, uploads and viewers go first: a flush may take longer, and is none the worse for it. */
const NICENESS = 10;

async function start(shared: SharedEngines): Promise<void> {
  // On Linux a thread has a priority of its own. Node's pool of threads is there by now, and keeps its own: it is everybody's.
  if (process.platform === 'linux') setPriority(NICENESS);
  const engines = watchedEngines(threadEngines(shared), waits);
  work = { processors: await runProcessors(settings, await everyEngine(engines), logger), engines };
}

async function stop(): Promise<void> {
  await work?.processors.stop();
  await work?.engines.close();
}

answerThread(port, async (question: ThreadQuestion) => {
  if (question.kind === 'start') return start(question.engines);
  if (question.kind === 'stop') return stop();
  return waits.report();
});
// Nothing comes by it: the thread lives until it is ended from outside.
parentPort?.ref();
