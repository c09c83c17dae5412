import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from './server-process.ts';
import { freePorts, startServer } from './server-process.ts';

/** A Playhead that people use, whatever it consists of. It is running when a test gets it. */
export interface Deployment {
  /** Origin of the web app, the recorders and the API. */
  readonly url: string;
  /** The link that signs in. */
  readonly link: string;
  readonly shopUrl: string;
  /** kill -9 of everything that is ours; stores stay. */
  kill(): Promise<void>;
  /** Ctrl-C; answers whether everything ended cleanly. */
  stop(): Promise<boolean>;
  /** Starts again what was killed or stopped; resolves when it can be used. */
  start(): Promise<void>;
  /** Ends everything and removes what it stored. */
  close(): Promise<void>;
}

export interface OneProcess extends Deployment {
  readonly pid: number;
}

/** What `npm start` runs. */
export async function openOneProcess(flags: readonly string[] = []): Promise<OneProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-one-process-'));
  const [port = 0, shopPort = 0] = await freePorts(2);
  const start = (): Promise<ServerProcess> => startServer({ data: join(folder, 'data'), port, shopPort, flags });
  let server = await start();
  return {
    url: server.url,
    link: server.link,
    shopUrl: server.shopUrl,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    stop: async () => (await server.stop()) === 0,
    async start() {
      server = await start();
    },
    async close() {
      await server.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const READY_MS_MAX = 60_000;

/** Resolves when every address answers with a 2xx. */
export async function untilUp(...urls: readonly string[]): Promise<void> {
  const deadline = Date.now() + READY_MS_MAX;
  for (const url of urls) {
    for (;;) {
      const answer = await fetch(url).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok) break;
      if (Date.now() > deadline) throw new Error(`${url} is not up: ${answer?.status ?? 'no answer'}`);
      await sleep(100);
    }
  }
}
