import type { EventLog, LogBatch, Membership, ReadOptions } from '@playhead/ports';
import type { Offset, Partition, Topic } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';
import type { Groups } from './groups.ts';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

/** An append on its way to the log. */
interface InFlight {
  readonly append: () => Promise<Offset>;
  state: 'on its way' | 'done' | 'dropped';
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const away = (): PlayheadError => new PlayheadError('log_unavailable', 'the log is away (planned)');

/** The log of a run, and each process's connection to it. */
export class SimLog {
  /** As it is, without delay and fault: for the oracle. */
  readonly inner: EventLog;
  readonly #world: World;
  readonly #groups: Groups;
  readonly #inFlight = new Set<InFlight>();
  #breaks = 0;

  constructor(world: World, inner: EventLog, groups: Groups) {
    this.#world = world;
    this.inner = inner;
    this.#groups = groups;
  }

  /** The log's own crash: of the appends that were under way the first few are in it, the tail is torn off, and nobody hears which. */
  async crash(): Promise<void> {
    const { random } = this.#world;
    const pending = [...this.#inFlight].filter(({ state }) => state === 'on its way');
    const kept = random.int(0, pending.length);
    this.#world.trace(() => `the log crashes: ${kept} of ${pending.length} appends under way are in it`);
    this.#breaks++;
    for (const [i, one] of pending.entries()) {
      one.state = i < kept ? 'done' : 'dropped';
      if (i < kept) await one.append();
    }
  }

  /** The log as `process` reaches it. */
  of(process: SimProcess): EventLog {
    const { inner } = this;
    return {
      partitions: inner.partitions,
      append: (topic, partition, key, record) =>
        process.ask(() => this.#append(process, () => inner.append(topic, partition, key, record), `${topic}/${partition}`)),
      bounds: (topic, partition) => process.ask(() => this.#bounds(process, topic, partition)),
      read: (topic, partition, from, options) => this.#read(process, topic, partition, from, options),
      join: async (group, work): Promise<Membership> => this.#groups.join(process, group, work),
      trim: (nowMs) => inner.trim(nowMs),
      close: async () => undefined,
    };
  }

  async #append(process: SimProcess, append: () => Promise<Offset>, where: string): Promise<Offset> {
    const { time, trace, fate, isAway } = this.#world;
    const { thereMs, backMs, error } = fate('log', true);
    const entry: InFlight = { append, state: 'on its way' };
    this.#inFlight.add(entry);
    // On the wire: it arrives although the process may be gone by then.
    await time.sleep(thereMs);
    this.#inFlight.delete(entry);
    if (error === 'death-before') process.kill();
    if (entry.state !== 'on its way' || error === 'before' || error === 'death-before' || isAway('log')) {
      await process.wait(backMs);
      throw away();
    }
    entry.state = 'done';
    const offset = await append();
    trace(() => `${process.name} appended ${where}@${offset}`);
    if (error === 'death-after') process.kill();
    await process.wait(backMs);
    if (error === 'after') throw away();
    return offset;
  }

  async #bounds(process: SimProcess, topic: Topic, partition: Partition): Promise<{ first: Offset; next: Offset }> {
    const { thereMs, backMs, error } = this.#world.fate('log', false);
    await process.wait(thereMs);
    if (error !== 'none' || this.#world.isAway('log')) throw away();
    const bounds = await this.inner.bounds(topic, partition);
    await process.wait(backMs);
    return bounds;
  }

  async *#read<T extends Topic>(
    process: SimProcess,
    topic: T,
    partition: Partition,
    from: Offset,
    options: ReadOptions,
  ): AsyncGenerator<LogBatch<T>> {
    if (!process.isAlive) await never();
    const { random, plan } = this.#world;
    const signal = AbortSignal.any([options.signal, process.death]);
    const batchBytesMax = Math.min(options.batchBytesMax ?? plan.batchBytesMax, plan.batchBytesMax);
    const breaks = this.#breaks;
    for await (const batch of this.inner.read(topic, partition, from, { signal, batchBytesMax })) {
      const { thereMs, error } = this.#world.fate('log', false);
      await process.wait(thereMs);
      if (options.signal.aborted) return;
      if (error !== 'none' || this.#world.isAway('log') || this.#breaks !== breaks) throw away();
      yield batch;
      // The consumer's pace is the pace; a connection may be lost between two batches too.
      if (this.#world.isTroubled() && random.chance(plan.chances.lostConnection)) throw away();
    }
    if (!process.isAlive) await never();
  }
}
