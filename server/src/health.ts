import { setTimeout as sleep } from 'node:timers/promises';
import type { Waiting, Waits } from '@playhead/ports';
import type { FastifyInstance } from 'fastify';
import type { OpenedEngines } from './engines.ts';

/** How long a dependency may take to answer before it counts as away. */
const CHECK_MS_MAX = 3000;

/** What `GET /readyz` answers: ready when every dependency answered, and the process is not ending. */
export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  /** Those that the roles of this process need, and the thread of the processors: `ok`, or what it said. */
  readonly dependencies: Readonly<Partial<Record<keyof OpenedEngines | 'processors', string>>>;
}

/** What `GET /healthz` answers. */
interface Health {
  readonly status: 'ok';
  /** Empty while every engine answers in time. */
  readonly waiting: readonly Waiting[];
}

/**
 * `GET /healthz`: the process answers, and what it waits for. `GET /readyz`: it can do its work now (200), or not (503) and why. Each
 * dependency is really asked, with a time limit; however many ask, one question to each is under way.
 *
 * @param waitingOfProcessors what the processors wait for, where they run on a thread of their own
 */
export function registerHealth(
  app: FastifyInstance,
  engines: OpenedEngines,
  draining: () => boolean,
  waits: Waits,
  waitingOfProcessors?: () => Promise<readonly Waiting[]>,
): void {
  const underWay = new Map<string, Promise<unknown>>();
  /** Shared by all who ask before it is answered: an engine that hangs is not asked ever more. */
  const shared = (name: string, ask: () => Promise<unknown>): Promise<unknown> => {
    let question = underWay.get(name);
    if (question === undefined) {
      question = ask().finally(() => underWay.delete(name));
      underWay.set(name, question);
    }
    return question;
  };
  const theirs = waitingOfProcessors && (async () => (await shared('processors', waitingOfProcessors)) as readonly Waiting[]);
  app.get('/healthz', async (_request, reply): Promise<Health> => {
    // That there is no answer is waited for by this thread, and told by its own report.
    const waiting = theirs ? await inTime(theirs()).catch(() => []) : [];
    reply.header('cache-control', 'no-store');
    return { status: 'ok', waiting: [...waits.report(), ...waiting] };
  });
  app.get('/readyz', async (_request, reply) => {
    const { log, blocks, catalog } = engines;
    const dependencies = await answersOf({
      ...(log && { log: shared('log', () => log.bounds('playhead.uploads', 0)) }),
      ...(blocks && { blocks: shared('blocks', () => blocks.size('readiness')) }),
      ...(catalog && { catalog: shared('catalog', () => catalog.progress(0)) }),
      ...(theirs && { processors: theirs() }),
    });
    const ready = !draining() && Object.values(dependencies).every((answer) => answer === 'ok');
    const readiness: Readiness = { ready, draining: draining(), dependencies };
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness);
  });
}

async function answersOf(questions: Readonly<Record<string, Promise<unknown>>>): Promise<Readonly<Record<string, string>>> {
  const answers = Object.entries(questions).map(async ([name, question]) => [name, await asked(question)] as const);
  return Object.fromEntries(await Promise.all(answers));
}

async function asked(question: Promise<unknown>): Promise<string> {
  try {
    await inTime(question);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function inTime<T>(question: Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    const late = sleep(CHECK_MS_MAX, undefined, { signal: timer.signal, ref: false });
    return await Promise.race([question, late.then(() => Promise.reject(new Error(`no answer within ${CHECK_MS_MAX} ms`)))]);
  } finally {
    timer.abort();
  }
}
