import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');
const START_MS_MAX = 60_000;

export interface ServerOptions {
  readonly data: string;
  readonly port: number;
  readonly shopPort: number;
  /** Further flags of `npm start`. */
  readonly flags?: readonly string[];
}

/** A real server: the process that `npm start` runs after its build. */
export interface ServerProcess {
  readonly url: string;
  /** The sign-in link that it printed. */
  readonly link: string;
  readonly shopUrl: string;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** Ctrl-C: resolves with the exit code. */
  stop(): Promise<number | null>;
  /** kill -9. */
  kill(): Promise<void>;
}

/** Starts a server and waits for its link. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const flags = ['--data', options.data, '--port', String(options.port), '--shop-port', String(options.shopPort), ...(options.flags ?? [])];
  const child = spawn(process.execPath, [join(ROOT, 'server', 'src', 'main.ts'), ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const link = await linkOf(child, () => log);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exited)[0];
  };
  return {
    url: `http://127.0.0.1:${options.port}`,
    link,
    shopUrl: `http://127.0.0.1:${options.shopPort}/`,
    log: () => log,
    stop: () => end('SIGINT'),
    kill: async () => void (await end('SIGKILL')),
  };
}

async function linkOf(child: ChildProcess, log: () => string): Promise<string> {
  if (!child.stdout) throw new Error('the server has no stdout');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const link = /https?:\/\/\S+\?token=\S+/.exec(line);
      if (link) return link[0];
    }
  } finally {
    clearTimeout(timer);
    child.stdout.resume();
  }
  throw new Error(`the server ended before it printed its link:\n${log()}`);
}

/** Runs one of the commands (`simulate`, `import`) to its end. */
export async function runCommand(
  command: 'simulate' | 'import',
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'server', 'src', command, 'main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Ports of loopback that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')));
  return ports;
}
