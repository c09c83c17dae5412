import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaContainer, SchemaRegistryContainer, StartedClickHouse, StartedS3 } from '@playhead/containers';
import { startClickHouse, startHaproxy, startKafka, startS3, startSchemaRegistry } from '@playhead/containers';
import type { Deployment } from './deployment.ts';
import { untilUp } from './deployment.ts';
import type { Launched, RoleProcess } from './server-process.ts';
import { freePorts, launchRole } from './server-process.ts';

export const CLUSTER_WRITE_KEY = 'pk_cluster';
export const CLUSTER_TOKEN = 'cluster-token';

export const ROLES = ['ingest', 'processors', 'live-gateway', 'player'] as const;
export type Role = (typeof ROLES)[number];

/** Places of each role that the proxy knows; in the beginning two of them are taken where nothing else is said. */
const PLACES = 3;
const TAKEN = 2;

/** A place of one process in the cluster: it always has the same address, whether the process runs or not. */
export interface Member {
  readonly role: Role;
  /** Of the process itself, not of the proxy. */
  readonly url: string;
  /** Also while it starts. */
  readonly runs: boolean;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Resolves when it is up; rejects when it ended before. */
  start(): Promise<void>;
  /** Ctrl-C: drains. Answers whether it ended cleanly. */
  stop(): Promise<boolean>;
  /** kill -9. */
  kill(): Promise<void>;
  /** What its processes wrote to stderr so far. */
  log(): string;
}

export interface Engines {
  readonly kafka: KafkaContainer;
  readonly registry: SchemaRegistryContainer;
  readonly s3: StartedS3;
  readonly clickhouse: StartedClickHouse;
}

/** Processes of the roles on real servers, behind one address. */
export interface Cluster extends Deployment {
  readonly engines: Engines;
  /** All places of a role; in the beginning the first of them run. */
  members(role: Role): readonly Member[];
  /** Resolves when every process that runs is ready, and the proxy knows who runs. */
  settled(): Promise<void>;
}

/**
 * Starts the servers, processes of each role and a proxy with the routes of infra/haproxy.
 *
 * @param flags further settings of every process
 * @param taken how many processes of a role run in the beginning, 0 to 3; two where it is not said
 */
export async function openCluster(flags: readonly string[] = [], taken: Partial<Readonly<Record<Role, number>>> = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-cluster-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).toReversed()) await end();
  };
  try {
    const projects = join(folder, 'projects.json');
    const viewers = [{ name: 'owner', token: CLUSTER_TOKEN }];
    await writeFile(projects, JSON.stringify({ projects: [{ id: 'default', writeKey: CLUSTER_WRITE_KEY, viewers }] }));
    const engines = await startEngines(closers);

    const ports = await freePorts(3 + (ROLES.length + 1) * PLACES);
    const [proxyPort = 0, shopPort = 0, statePort = 0] = ports.splice(0, 3);
    const [url, shopUrl, stateUrl] = [`http://127.0.0.1:${proxyPort}`, `http://127.0.0.1:${shopPort}/`, `http://127.0.0.1:${statePort}`];
    const common = [...flagsOf({ projects, 'public-url': url, 'shop-url': new URL(shopUrl).origin }), ...engineFlags(engines), ...flags];
    const shopPorts = ports.splice(0, PLACES);
    const members = ROLES.flatMap((role) =>
      ports.splice(0, PLACES).map((port, place) => memberOf(role, port, ['--shop-port', String(shopPorts[place]), ...common])),
    );
    closers.push(() => Promise.all(members.map((member) => member.kill())));
    const inTheBeginning = members.filter(({ role }, at) => at % PLACES < (taken[role] ?? TAKEN));
    let ours: readonly Member[] = inTheBeginning;
    const settled = (): Promise<void> => untilSettled(members, stateUrl);
    const start = async (): Promise<void> => {
      await Promise.all(ours.map((member) => member.start()));
      await settled();
    };

    const proxy = await startHaproxy({
      configuration: {
        'routes.cfg': await readFile(join(import.meta.dirname, '..', '..', 'infra', 'haproxy', 'routes.cfg'), 'utf8'),
        'servers.cfg': serversOf(members, shopPorts, statePort),
      },
      environment: { PLAYHEAD_HOST: '127.0.0.1', PLAYHEAD_PORT: String(proxyPort), PLAYHEAD_SHOP_PORT: String(shopPort) },
    });
    closers.push(() => proxy.stop());
    await start();
    return {
      url,
      link: `${url}/?token=${CLUSTER_TOKEN}`,
      shopUrl,
      engines,
      members: (role) => members.filter((member) => member.role === role),
      async kill() {
        ours = members.filter((member) => member.runs);
        await Promise.all(ours.map((member) => member.kill()));
      },
      async stop() {
        ours = members.filter((member) => member.runs);
        return (await Promise.all(ours.map((member) => member.stop()))).every(Boolean);
      },
      start,
      settled,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startEngines(closers: (() => Promise<unknown>)[]): Promise<Engines> {
  const keep = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    closers.push(() => server.stop());
    return server;
  };
  const [kafka, registry, s3, clickhouse] = await Promise.all([
    keep(startKafka()),
    keep(startSchemaRegistry()),
    keep(startS3()),
    keep(startClickHouse()),
  ]);
  return { kafka, registry, s3, clickhouse };
}

function engineFlags({ kafka, registry, s3, clickhouse }: Engines): readonly string[] {
  return flagsOf({
    'kafka-brokers': kafka.brokers.join(','),
    'kafka-replication': '1',
    'schema-registry': registry.url,
    's3-bucket': 'playhead',
    's3-endpoint': s3.endpoint,
    's3-access-key-id': s3.accessKeyId,
    's3-secret-access-key': s3.secretAccessKey,
    clickhouse: clickhouse.url,
    'clickhouse-user': clickhouse.user,
    'clickhouse-password': clickhouse.password,
    'clickhouse-database': clickhouse.database,
  });
}

function flagsOf(settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function memberOf(role: Role, port: number, flags: readonly string[]): Member {
  let running: Launched<RoleProcess> | undefined;
  let before = '';
  const end = async <T>(how: (process: Launched<RoleProcess>) => Promise<T>): Promise<T | undefined> => {
    const ending = running;
    running = undefined;
    if (ending === undefined) return undefined;
    const outcome = await how(ending);
    before += ending.log();
    return outcome;
  };
  return {
    role,
    url: `http://127.0.0.1:${port}`,
    get runs() {
      return running !== undefined;
    },
    get pid() {
      return running?.pid;
    },
    async start() {
      const starting = (running ??= launchRole(port, ['--role', role, ...flags]));
      try {
        await starting.up;
      } catch (error) {
        if (running === starting) await end((process) => process.kill());
        throw error;
      }
    },
    stop: async () => (await end((process) => process.stop())) === 0,
    kill: async () => {
      await end((process) => process.kill());
    },
    log: () => before + (running?.log() ?? ''),
  };
}

const SETTLED_MS_MAX = 150_000;

/** Asks the processes themselves, then the proxy. @param stateUrl where the proxy tells what it knows of them */
async function untilSettled(members: readonly Member[], stateUrl: string): Promise<void> {
  await untilUp(...members.filter(({ runs }) => runs).map(({ url }) => `${url}/readyz`));
  const namesOf = ({ role }: Member, place: number): readonly string[] =>
    role === 'processors' ? [] : role === 'player' ? [`player-${place}`, `shop-${place}`] : [`${role}-${place}`];
  const deadline = Date.now() + SETTLED_MS_MAX;
  for (;;) {
    const up = await serversThatAreUp(stateUrl);
    const wrong = members.flatMap((member, at) => namesOf(member, at % PLACES).filter((name) => up.has(name) !== member.runs));
    if (wrong.length === 0) return;
    if (Date.now() > deadline) throw new Error(`the proxy has not noticed what became of ${wrong.join(', ')}`);
    await sleep(50);
  }
}

/** Names of servers that the proxy sends requests to. */
async function serversThatAreUp(stateUrl: string): Promise<ReadonlySet<string>> {
  const [head = [], ...rows] = (await (await fetch(`${stateUrl}/;csv`)).text()).split('\n').map((line) => line.split(','));
  const [name, status] = [head.indexOf('svname'), head.indexOf('status')];
  return new Set(rows.filter((row) => row[status]?.startsWith('UP')).map((row) => row[name] ?? ''));
}

/** What infra/haproxy/servers.cfg is for the compose file; and who is up, for `untilSettled` to read. */
function serversOf(members: readonly Member[], shopPorts: readonly number[], statePort: number): string {
  const backend = (name: string, addresses: readonly string[]): string =>
    [
      `backend ${name}`,
      '  balance leastconn',
      '  option httpchk GET /readyz',
      ...addresses.map((address, place) => `  server ${name}-${place} ${address} check inter 500ms fall 1 rise 1`),
      '',
    ].join('\n');
  const hostsOf = (role: Role): readonly string[] => members.filter((member) => member.role === role).map(({ url }) => new URL(url).host);
  // The shop cannot say that it ends; the process that serves it can.
  const shops = hostsOf('player').map((player, place) => `127.0.0.1:${shopPorts[place]} check port ${player.split(':')[1]}`);
  return [
    `frontend state\n  bind 127.0.0.1:${statePort}\n  stats enable\n  stats uri /\n`,
    ...ROLES.filter((role) => role !== 'processors').map((role) => backend(role, hostsOf(role))),
    backend('shop', shops),
  ].join('\n');
}
