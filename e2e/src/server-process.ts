import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..', '..');
const START_MS_MAX = 150_000;
/** Processes are started hundreds of times: what Node compiled once is kept, which saves a third of a start's CPU. */
const ENV = { ...process.env, NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'compiled') };

export interface ServerOptions {
  readonly data: string;
  readonly port: number;
  readonly shopPort: number;
  /** Further flags of `npm start`. */
  readonly flags?: readonly string[];
}

/** A real process of the server's program. */
export interface Process {
  readonly pid: number;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** Ctrl-C: resolves with the exit code. */
  stop(): Promise<number | null>;
  /** kill -9. */
  kill(): Promise<void>;
}

/** One process with all roles: what `npm start` runs after its build. */
export interface ServerProcess extends Process {
  readonly url: string;
  /** The sign-in link that it printed. */
  readonly link: string;
  readonly shopUrl: string;
}

/** A process that was launched: it may not be up yet, and can be ended before it is. */
export interface Launched<Up extends Process> extends Process {
  /** Rejects, with what it wrote, when it ended before it was up. */
  readonly up: Promise<Up>;
}

/** Launches a server; it is up when it has printed its link. */
export function launchServer(options: ServerOptions): Launched<ServerProcess> {
  const { data, port, shopPort, flags = [] } = options;
  const own = ['--data', data, '--port', String(port), '--shop-port', String(shopPort)];
  const { said, ...process } = launch([...own, ...flags], /https?:\/\/\S+\?token=\S+/);
  const places = { url: `http://127.0.0.1:${port}`, shopUrl: `http://127.0.0.1:${shopPort}/` };
  return { ...process, up: awaited(said, (link) => ({ ...process, ...places, link })) };
}

/** Starts a server and waits for its link. */
export function startServer(options: ServerOptions): Promise<ServerProcess> {
  return launchServer(options).up;
}

/** A process of a cluster, with the roles that its flags name. */
export interface RoleProcess extends Process {
  readonly url: string;
}

export function launchRole(port: number, flags: readonly string[]): Launched<RoleProcess> {
  const { said, ...process } = launch(['--port', String(port), ...flags], /https?:\/\/\S+/);
  return { ...process, up: awaited(said, (url) => ({ ...process, url })) };
}

export function startRole(port: number, flags: readonly string[]): Promise<RoleProcess> {
  return launchRole(port, flags).up;
}

/** What is said, made into what is up. Nobody has to wait for it. */
function awaited<Up>(said: Promise<string>, up: (said: string) => Up): Promise<Up> {
  const waiting = said.then(up);
  waiting.catch(() => undefined);
  return waiting;
}

/** Launches the program with `flags`; `said` is what it prints that `sign` matches. */
function launch(flags: readonly string[], sign: RegExp): Process & { readonly said: Promise<string> } {
  const child = spawn(process.execPath, [join(ROOT, 'server', 'src', 'main.ts'), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: ENV,
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exited)[0];
  };
  return {
    said: firstMatch(child, sign, () => log),
    pid: child.pid ?? 0,
    log: () => log,
    stop: () => end('SIGINT'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

async function firstMatch(child: ChildProcess, sign: RegExp, log: () => string): Promise<string> {
  if (!child.stdout) throw new Error('the server has no stdout');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const match = sign.exec(line);
      if (match) return match[0];
    }
  } finally {
    clearTimeout(timer);
    child.stdout.resume();
  }
  throw new Error(`the server ended before it said ${sign.source}:\n${log()}`);
}

/**
 * Runs one of the commands (`simulate`, `import`, `rebuild`) to its end.
 *
 * @param killAt kill -9 as soon as it has printed what this matches
 */
export async function runCommand(
  command: 'simulate' | 'import' | 'rebuild',
  args: readonly string[],
  killAt?: RegExp,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const main = join(ROOT, 'server', 'src', command, 'main.ts');
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: ENV });
  let output = '';
  const take = (text: string): void => {
    output += text;
    if (killAt?.test(output)) child.kill('SIGKILL');
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
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
