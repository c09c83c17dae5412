import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { openDiskBlocks } from '@playhead/blocks-disk';
import { openChdbCatalog } from '@playhead/catalog-clickhouse';
import { answerFrameworkError, answerNotFound, registerIngest } from '@playhead/ingest';
import { registerLiveGateway } from '@playhead/live-gateway';
import { openLmdbLog } from '@playhead/log-lmdb';
import type { Logger } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import { startProcessors } from '@playhead/processors';
import { LIMITS } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import type { FastifyInstance } from 'fastify';
import Fastify from 'fastify';
import type { DataDirectory } from './data-directory.ts';
import { projectsOf } from './data-directory.ts';
import { openDemoShop } from './demo-shop.ts';
import type { Settings } from './settings.ts';
import { registerWebApp, workspaceFolder } from './web-app.ts';

/** Everything that runs, and how to end it. */
export interface RunningServer {
  /** Address of the web app, without a token. */
  readonly url: string;
  /** The link that signs in. */
  readonly link: string;
  readonly shopUrl: string | undefined;
  /** Ends viewers and requests, flushes what is buffered, closes the log. */
  stop(): Promise<void>;
}

/** A request that has not arrived whole by then is cut off. */
const REQUEST_MS_MAX = 120_000;
const TRIM_INTERVAL_MS = 60 * 60 * 1000;

/** All roles in one process, on a data directory that is already claimed. */
export async function startOneProcess(settings: Settings, data: DataDirectory, logger: Logger): Promise<RunningServer> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const log = await openLmdbLog({ path: data.log, partitions: settings.partitions, codec: avroCodec });
    closers.push(() => log.close());
    const blocks = await openDiskBlocks({ path: data.blocks });
    closers.push(() => blocks.close());
    const catalog = await openChdbCatalog({ path: data.catalog });
    closers.push(() => catalog.close());
    await catalog.migrate();

    const clock = systemClock;
    const processors = await startProcessors({
      log,
      blocks,
      catalog,
      clock,
      logger,
      writer: `${hostname()}:${process.pid}`,
      settings: { flushAgeMs: settings.flushAgeMs, flushBytesMax: settings.flushBytesMax, sessionSilenceMs: settings.sessionSilenceMs },
    });
    closers.push(() => processors.stop());

    const trimming = setInterval(() => {
      log.trim(clock.now()).catch((error: unknown) => logger.warn({ err: error }, 'the log could not be trimmed'));
    }, TRIM_INTERVAL_MS);
    trimming.unref();
    closers.push(async () => clearInterval(trimming));

    const projects = projectsOf(data.projects);
    const app = Fastify({
      bodyLimit: LIMITS.uploadBytesMax,
      forceCloseConnections: true,
      requestTimeout: REQUEST_MS_MAX,
      frameworkErrors: answerFrameworkError,
    });
    app.setNotFoundHandler(answerNotFound);
    closers.push(() => app.close());
    const random = (count: number): Uint8Array => randomBytes(count);
    const writeKey = data.projects.projects[0]?.writeKey ?? '';
    let shopUrl: string | undefined;
    await registerIngest(app, { log, projects, clock, randomBytes: random, logger });
    await registerLiveGateway(app, { log, blocks, catalog, projects, clock, randomBytes: random, logger });
    await registerWebApp(app, {
      playerFolder: workspaceFolder('player', 'dist'),
      recorderFolder: workspaceFolder('recorder', 'dist'),
      projects,
      appConfig: () => ({ writeKey, ...(shopUrl === undefined ? {} : { demoShopUrl: shopUrl }) }),
    });
    const url = await listen(app, settings.host, settings.port);

    if (settings.shop === 'on') {
      const shop = openDemoShop(workspaceFolder('recorder', 'demo'), () => ({ origin: url, writeKey }));
      closers.push(() => shop.close());
      shopUrl = await listen(shop, settings.host, settings.shopPort);
    }

    const token = data.projects.projects[0]?.viewers[0]?.token ?? '';
    return { url, link: `${url}/?token=${token}`, shopUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address;
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`;
}
