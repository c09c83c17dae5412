import type { BlockStore, Catalog, StoredObject } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import type { SimProcess } from './process.ts';
import type { Store, World } from './world.ts';

const away = (store: Store): PlayheadError => new PlayheadError('unavailable', `the ${store} are away (planned)`);

async function call<T>(
  world: World,
  process: SimProcess,
  store: Store,
  what: string,
  isWrite: boolean,
  perform: () => Promise<T>,
): Promise<T> {
  return process.ask(async () => {
    const { thereMs, backMs, error } = world.fate(store, isWrite);
    await world.time.sleep(thereMs);
    if (error === 'death-before') process.kill();
    if (error === 'before' || error === 'death-before' || world.isAway(store)) {
      await process.wait(backMs);
      throw away(store);
    }
    const outcome = await perform();
    if (isWrite) world.trace(() => `${process.name} ${what}`);
    if (error === 'death-after') process.kill();
    await process.wait(backMs);
    if (error === 'after') throw away(store);
    return outcome;
  });
}

/**
 * The block store as `process` reaches it.
 *
 * @param onSwept is told of every object of a flush or a merge that was removed
 */
export function blocksOf(world: World, inner: BlockStore, process: SimProcess, onSwept: () => void): BlockStore {
  const on = <T>(what: string, isWrite: boolean, perform: () => Promise<T>): Promise<T> =>
    call(world, process, 'blocks', what, isWrite, perform);
  return {
    put: (key, parts) => on(`put ${key}`, true, () => inner.put(key, parts)),
    get: (key, range) => on(`get ${key}`, false, () => inner.get(key, range)),
    size: (key) => on(`size ${key}`, false, () => inner.size(key)),
    async *list(prefix) {
      const objects = await on('list', false, async () => {
        const found: StoredObject[] = [];
        for await (const object of inner.list(prefix)) found.push(object);
        return found;
      });
      yield* objects;
    },
    delete: (key) =>
      on(`delete ${key}`, true, async () => {
        if (!key.startsWith('checkpoints/') && (await inner.size(key)) !== null) onSwept();
        await inner.delete(key);
      }),
    close: async () => undefined,
  };
}

/** The catalog's two servers: writes go to the first; the second takes them over in order, some time later. */
export class CatalogServers {
  readonly first: Catalog;
  readonly second: Catalog;
  readonly #world: World;
  #copiedAtMs = 0;

  constructor(world: World, first: Catalog, second: Catalog) {
    this.#world = world;
    this.first = first;
    this.second = second;
  }

  copy(write: () => Promise<void>): void {
    const { time, random, plan } = this.#world;
    const lagMs = this.#world.isTroubled() ? random.int(0, plan.catalogLagMaxMs) : 0;
    this.#copiedAtMs = Math.max(this.#copiedAtMs, time.nowMs + lagMs);
    time.after(this.#copiedAtMs - time.nowMs, () => void write());
  }
}

/**
 * The catalog as `process` reaches it. Processors write to and ask the first server; gateways ask the second, which is a
 * whole catalog at all times, but of some time ago.
 */
export function catalogOf(world: World, servers: CatalogServers, process: SimProcess, asks: 'first' | 'second'): Catalog {
  const { first, second } = servers;
  const asked = servers[asks];
  const on = <T>(what: string, isWrite: boolean, perform: () => Promise<T>): Promise<T> =>
    call(world, process, 'catalog', what, isWrite, perform);
  return {
    migrate: async () => undefined,
    progress: (partition) => on('progress', false, () => asked.progress(partition)),
    applyFlush: (flush, flushesNext, signals) =>
      on(`applied flush ${flush.partition}/${flush.lastOffset}`, true, async () => {
        await first.applyFlush(flush, flushesNext, signals);
        servers.copy(() => second.applyFlush(flush, flushesNext, signals));
      }),
    applyMerge: (merge, mergesNext, signals) =>
      on(`applied merge ${merge.partition}/${merge.number}`, true, async () => {
        await first.applyMerge(merge, mergesNext, signals);
        servers.copy(() => second.applyMerge(merge, mergesNext, signals));
      }),
    applyFacts: (partition, facts, sessionsNext) =>
      on(`applied ${facts.length} facts of ${partition}`, true, async () => {
        await first.applyFacts(partition, facts, sessionsNext);
        servers.copy(() => second.applyFacts(partition, facts, sessionsNext));
      }),
    sessions: (query) => on('sessions', false, () => asked.sessions(query)),
    session: (projectId, sessionId) => on('session', false, () => asked.session(projectId, sessionId)),
    blocks: (projectId, sessionId, partition) => on('blocks', false, () => asked.blocks(projectId, sessionId, partition)),
    mergeable: (query) => on('mergeable', false, () => asked.mergeable(query)),
    objectsInUse: (partition, keys, replacedBeforeMs) =>
      on('objects in use', false, () => asked.objectsInUse(partition, keys, replacedBeforeMs)),
    signals: (projectId, sessionId) => on('signals', false, () => asked.signals(projectId, sessionId)),
    recordView: (view) => on('view', false, () => first.recordView(view)),
    close: async () => undefined,
  };
}
