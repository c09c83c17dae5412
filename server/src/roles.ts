import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerFrameworkError, answerNotFound, registerIngest } from '@playhead/ingest';
import { registerLiveGateway } from '@playhead/live-gateway';
import type { EventLog, Logger } from '@playhead/ports';
import { systemClock, Waits } from '@playhead/ports';
import { LIMITS } from '@playhead/schemas';
import type { FastifyInstance } from 'fastify';
import Fastify from 'fastify';
import { openDemoShop } from './demo-shop.ts';
import type { Engines } from './engines.ts';
import { everyEngine, watchedEngines } from './engines.ts';
import { registerHealth } from './health.ts';
import type { ProjectsFile } from './projects-file.ts';
import { projectsOf } from './projects-file.ts';
import type { RunningProcessors } from './run-processors.ts';
import type { Settings } from './settings.ts';
import { registerWebApp, workspaceFolder } from './web-app.ts';

/** Everything that runs, and how to end it. */
export interface RunningServer {
  /** Address that it listens on. */
  readonly url: string;
  /** The link that signs in; undefined where the web app is not served. */
  readonly link: string | undefined;
  readonly shopUrl: string | undefined;
  /**
   * Drains: says that it is not ready, waits `drainMs` for the proxy to notice, ends viewers and requests, flushes what is
   * buffered, closes the engines.
   */
  stop(): Promise<void>;
}

/** A request that has not arrived whole by then is cut off. */
const REQUEST_MS_MAX = 120_000;
/** Requests that are under way when a process ends may take this long. */
const LAST_REQUESTS_MS = 5_000;
const TRIM_INTERVAL_MS = 60 * 60 * 1000;

/**
 * Starts the roles that the settings name, each on the engines that it needs. They are closed by `stop`, and when this fails.
 *
 * @param startProcessors called where that is a role: starts them on the engines, in this thread or in another one
 */
export async function startRoles(
  settings: Settings,
  given: Engines,
  file: ProjectsFile,
  logger: Logger,
  startProcessors: (engines: Engines) => Promise<RunningProcessors>,
): Promise<RunningServer> {
  const clock = systemClock;
  const waits = new Waits(clock, logger);
  const engines = watchedEngines(given, waits);
  const closers: (() => Promise<void>)[] = [() => engines.close()];
  let draining = false;
  const stop = async (): Promise<void> => {
    draining = true;
    if (settings.drainMs > 0) await sleep(settings.drainMs);
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const processors = settings.role.has('processors') ? waits.watched('processors', await startProcessors(engines)) : undefined;
    if (processors !== undefined) {
      closers.push(() => processors.stop());
      closers.push(keepTrimming(await engines.log(), logger));
    }

    const app = Fastify({
      bodyLimit: LIMITS.uploadBytesMax,
      forceCloseConnections: 'idle',
      requestTimeout: REQUEST_MS_MAX,
      frameworkErrors: answerFrameworkError,
    });
    closers.push(() => app.close());
    app.setNotFoundHandler(answerNotFound);
    app.addHook('preClose', async () => cutLate(app));
    registerHealth(app, engines.opened(), () => draining, waits, processors?.waiting);

    const projects = projectsOf(file);
    const random = (count: number): Uint8Array => randomBytes(count);
    const [project] = file.projects;
    let shopUrl: string | undefined;
    if (settings.role.has('ingest')) await registerIngest(app, { log: await engines.log(), projects, clock, randomBytes: random, logger });
    if (settings.role.has('live-gateway'))
      await registerLiveGateway(app, { ...(await everyEngine(engines)), projects, clock, randomBytes: random, logger });
    if (settings.role.has('player')) {
      await registerWebApp(app, {
        playerFolder: workspaceFolder('player', 'dist'),
        recorderFolder: workspaceFolder('recorder', 'dist'),
        projects,
        appConfig: () => ({ writeKey: project?.writeKey ?? '', ...(shopUrl === undefined ? {} : { demoShopUrl: shopUrl }) }),
      });
    }
    const url = await listen(app, settings.host, settings.port);
    const origin = settings.publicUrl || url;

    if (settings.role.has('player') && settings.shop === 'on') {
      const shop = openDemoShop(workspaceFolder('recorder', 'demo'), () => ({ origin, writeKey: project?.writeKey ?? '' }));
      closers.push(() => shop.close());
      const shopListens = await listen(shop, settings.host, settings.shopPort);
      shopUrl = settings.shopUrl || shopListens;
    }
    const link = settings.role.has('player') ? `${origin}/?token=${project?.viewers[0]?.token ?? ''}` : undefined;
    return { url, link, shopUrl, stop };
  } catch (error) {
    for (const close of closers.splice(0).toReversed()) await close();
    throw error;
  }
}

/** From now on requests that do not end by themselves are cut off in time, so that nobody holds up the end. */
function cutLate(app: FastifyInstance): void {
  setTimeout(() => app.server.closeAllConnections(), LAST_REQUESTS_MS).unref();
}

/** Lets the log drop what its retention no longer keeps, every hour. */
function keepTrimming(log: EventLog, logger: Logger): () => Promise<void> {
  const timer = setInterval(() => {
    log.trim(Date.now()).catch((error: unknown) => logger.warn({ err: error }, 'the log could not be trimmed'));
  }, TRIM_INTERVAL_MS);
  timer.unref();
  return async () => clearInterval(timer);
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address;
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`;
}
