import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts, launchServer } from './server-process.ts';

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
  /** Its data directory. */
  readonly data: string;
  /** What its processes wrote to stderr so far. */
  log(): string;
}

/** What `npm start` runs. It can be killed while it starts: `start` rejects then. */
export async function openOneProcess(flags: readonly string[] = []): Promise<OneProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-one-process-'));
  const data = join(folder, 'data');
  const [port = 0, shopPort = 0] = await freePorts(2);
  let before = '';
  let server = launchServer({ data, port, shopPort, flags });
  const { url, link, shopUrl } = await server.up;
  return {
    url,
    link,
    shopUrl,
    data,
    get pid() {
      return server.pid;
    },
    log: () => before + server.log(),
    kill: () => server.kill(),
    stop: async () => (await server.stop()) === 0,
    async start() {
      before += server.log();
      server = launchServer({ data, port, shopPort, flags });
      await server.up;
    },
    async close() {
      await server.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const READY_MS_MAX = 150_000;

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
