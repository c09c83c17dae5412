import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDiskBlocks } from '@playhead/blocks-disk';
import { openS3Blocks } from '@playhead/blocks-s3';
import { openClickHouseCatalog } from '@playhead/catalog-clickhouse';
import { openChdbCatalog } from '@playhead/catalog-clickhouse/chdb';
import type { BlockStore, Catalog } from '@playhead/ports';
import { openDataDirectory, readProjects } from '@playhead/server/data-directory';
import type { Member } from '../cluster.ts';
import { CLUSTER_TOKEN, CLUSTER_WRITE_KEY, openCluster } from '../cluster.ts';
import { openOneProcess, untilUp } from '../deployment.ts';
import type { Victim, Where } from './core/cycles.ts';
import { ROLES_OF } from './core/cycles.ts';

export const PARTITIONS = 4;
/**
 * Short, so that a process has flushed when it is killed, and is killed in a flush; and not so short that the catalog in the process,
 * which takes one statement at a time, falls behind on a busy machine.
 */
const FLUSH_AGE_MS = 2000;
/** Sessions are merged while they are compared, by every process that starts, and what that replaces is swept in the next round. */
const MERGE_AFTER_MS = 1000;
const MERGE_AGE_MS = 3000;
const SWEEP_EVERY_MS = 5000;
/** Longer than a reader needs for a block. */
const SWEEP_GRACE_MS = 20_000;

/** What is killed, and how what it stored is read. */
export interface CrashTarget {
  readonly on: Where;
  readonly url: string;
  readonly writeKey: string;
  readonly token: string;
  /** Each answers viewers by itself. */
  readonly gateways: readonly string[];
  /** kill -9. Answers whether it was up. */
  kill(victim: Victim): Promise<boolean>;
  /** Begins to start it. */
  launch(victim: Victim): void;
  /** How long their last starts took at most, ms. */
  startMs(victims: readonly Victim[]): number;
  /** SIGSTOP, and SIGCONT. */
  freeze(victim: Victim): void;
  thaw(victim: Victim): void;
  /** Resolves when everything that was launched is up and ready; rejects when a process ended by itself. */
  untilUp(): Promise<void>;
  /** Block store and catalog, read beside the processes or, where they are in the process, when it is killed. */
  openStores(): Promise<Stores>;
  /** What the processes wrote to stderr. */
  log(): string;
  close(): Promise<void>;
}

export interface Stores {
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

/** One process, as the target knows it. */
interface Body {
  readonly pid: number | undefined;
  start(): Promise<void>;
  kill(): Promise<void>;
  log(): string;
}

const FLAGS = Object.entries({
  'flush-age-ms': FLUSH_AGE_MS,
  'merge-after-ms': MERGE_AFTER_MS,
  'merge-age-ms': MERGE_AGE_MS,
  'sweep-every-ms': SWEEP_EVERY_MS,
  'sweep-grace-ms': SWEEP_GRACE_MS,
  partitions: PARTITIONS,
  'log-format': 'json',
}).flatMap(([name, value]) => [`--${name}`, String(value)]);

export function openTarget(on: Where): Promise<CrashTarget> {
  return on === 'cluster' ? clusterTarget() : oneProcessTarget();
}

async function oneProcessTarget(): Promise<CrashTarget> {
  const server = await openOneProcess(FLAGS);
  const { projects } = await readProjects(server.data);
  const life = lifeOf(new Map([['server 0', server]]));
  return {
    ...life,
    on: 'one-process',
    url: server.url,
    writeKey: projects[0]?.writeKey ?? '',
    token: projects[0]?.viewers[0]?.token ?? '',
    gateways: [server.url],
    async untilUp() {
      await life.untilStarted();
      await untilUp(`${server.url}/readyz`);
    },
    async openStores() {
      await server.kill();
      const data = await openDataDirectory(server.data);
      const catalog = await openChdbCatalog({ path: data.catalog });
      const blocks = await openDiskBlocks({ path: data.blocks });
      return storesOf(blocks, catalog, () => data.release());
    },
    close: () => server.close(),
  };
}

async function clusterTarget(): Promise<CrashTarget> {
  const roles = ROLES_OF.cluster;
  const cluster = await openCluster(FLAGS, { ...roles, player: 0 });
  const members = Object.keys(roles).flatMap((role) => {
    const ofRole = cluster.members(role as keyof typeof roles).slice(0, roles[role as keyof typeof roles]);
    return ofRole.map((member, place): [string, Member] => [`${role} ${place}`, member]);
  });
  const life = lifeOf(new Map(members));
  return {
    ...life,
    on: 'cluster',
    url: cluster.url,
    writeKey: CLUSTER_WRITE_KEY,
    token: CLUSTER_TOKEN,
    gateways: members.filter(([, { role }]) => role === 'live-gateway').map(([, { url }]) => url),
    async untilUp() {
      await life.untilStarted();
      await cluster.settled();
    },
    async openStores() {
      const { s3, clickhouse } = cluster.engines;
      const blocks = await openS3Blocks({ bucket: 'playhead', endpoint: s3.endpoint, credentials: s3 });
      return storesOf(blocks, await openClickHouseCatalog(clickhouse));
    },
    close: () => cluster.close(),
  };
}

function storesOf(blocks: BlockStore, catalog: Catalog, release: () => void = () => undefined): Stores {
  return {
    blocks,
    catalog,
    async close() {
      await catalog.close();
      await blocks.close();
      release();
    },
  };
}

type Life = Pick<CrashTarget, 'kill' | 'launch' | 'startMs' | 'freeze' | 'thaw' | 'log'> & {
  /** Resolves when nothing starts any more; rejects when a start failed that nobody killed. */
  untilStarted(): Promise<void>;
};

/** Where nothing has started yet. */
const START_MS = 2000;
/** Another program had the port for a moment, as the source of a connection: it is nobody's failure. */
const PORT_TAKEN = 'EADDRINUSE';
const PORT_PAUSE_MS = 500;

function lifeOf(bodies: ReadonlyMap<string, Body>): Life {
  const starting = new Map<string, Promise<void>>();
  const killed = new Set<string>();
  const tookMs = new Map<string, number>();
  const failures: string[] = [];
  const nameOf = ({ role, place }: Victim): string => `${role} ${place}`;
  const bodyOf = (victim: Victim): Body => {
    const body = bodies.get(nameOf(victim));
    if (body === undefined) throw new RangeError(`there is no ${nameOf(victim)}`);
    return body;
  };
  const start = async (name: string, body: Body): Promise<void> => {
    for (;;) {
      try {
        const begunAt = performance.now();
        await body.start();
        tookMs.set(name, performance.now() - begunAt);
        return;
      } catch (error) {
        if (killed.has(name)) return;
        if (!String(error).includes(PORT_TAKEN)) {
          failures.push(String(error));
          return;
        }
        await sleep(PORT_PAUSE_MS);
        if (killed.has(name)) return;
      }
    }
  };
  const signal = (victim: Victim, name: NodeJS.Signals): void => {
    const { pid } = bodyOf(victim);
    if (pid !== undefined) process.kill(pid, name);
  };
  return {
    async kill(victim) {
      const name = nameOf(victim);
      const wasUp = !starting.has(name);
      killed.add(name);
      await bodyOf(victim).kill();
      await starting.get(name);
      return wasUp;
    },
    launch(victim) {
      const name = nameOf(victim);
      killed.delete(name);
      const begun = start(name, bodyOf(victim)).finally(() => starting.delete(name));
      starting.set(name, begun);
    },
    startMs: (victims) => Math.max(...victims.map((victim) => tookMs.get(nameOf(victim)) ?? START_MS)),
    freeze: (victim) => signal(victim, 'SIGSTOP'),
    thaw: (victim) => signal(victim, 'SIGCONT'),
    async untilStarted() {
      while (starting.size > 0) await Promise.all(starting.values());
      if (failures.length > 0) throw new Error(`a process ended by itself while it started: ${failures.splice(0).join('; ')}`);
    },
    log: () => [...bodies].map(([name, body]) => `== ${name}\n${body.log()}`).join('\n'),
  };
}
