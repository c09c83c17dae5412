import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * `GET /healthz`: the process answers. `GET /readyz`: it can do its work now (200), or not (503) and why. Each dependency is really asked,
 * with a time limit.
 */
export function registerHealth(app: FastifyInstance, engines: OpenedEngines, draining: () => boolean): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const readiness = await askAll(engines, draining());
    return reply
      .code(readiness.ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness);
  });
}

async function askAll({ log, blocks, catalog }: OpenedEngines, draining: boolean): Promise<Readiness> {
  const questions = {
    ...(log && { log: log.bounds('playhead.uploads', 0) }),
    ...(blocks && { blocks: blocks.size('readiness') }),
    ...(catalog && { catalog: catalog.progress(0) }),
  };
  const answers = Object.entries(questions).map(async ([name, question]) => [name, await asked(question)] as const);
  const dependencies = Object.fromEntries(await Promise.all(answers));
  const ready = !draining && Object.values(dependencies).every((answer) => answer === 'ok');
  return { ready, draining, dependencies };
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
