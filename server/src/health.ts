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
  /** Those that the roles of this process need: `ok`, or what it said. */
  readonly dependencies: Readonly<Partial<Record<keyof OpenedEngines, string>>>;
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
 */
export function registerHealth(app: FastifyInstance, engines: OpenedEngines, draining: () => boolean, waits: Waits): void {
  app.get('/healthz', async (_request, reply): Promise<Health> => {
    reply.header('cache-control', 'no-store');
    return { status: 'ok', waiting: waits.report() };
  });
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
  app.get('/readyz', async (_request, reply) => {
    const { log, blocks, catalog } = engines;
    const dependencies = await answersOf({
      ...(log && { log: shared('log', () => log.bounds('playhead.uploads', 0)) }),
      ...(blocks && { blocks: shared('blocks', () => blocks.size('readiness')) }),
      ...(catalog && { catalog: shared('catalog', () => catalog.progress(0)) }),
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
  const timer = new AbortController();
  try {
    const late = sleep(CHECK_MS_MAX, `no answer within ${CHECK_MS_MAX} ms`, { signal: timer.signal, ref: false });
    const answer = await Promise.race([question.then(() => 'ok'), late]);
    return answer;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    timer.abort();
  }
}
