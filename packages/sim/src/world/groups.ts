import type { Membership } from '@playhead/ports';
import type { Partition } from '@playhead/schemas';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

type Work = (partition: Partition, signal: AbortSignal) => Promise<void>;

interface Member {
  readonly process: SimProcess;
  readonly work: Work;
  isLeaving: boolean;
}

/** One member at work on one partition. It may go on when somebody else has the partition: then it is a zombie. */
interface Shift {
  readonly member: Member;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  isOver: boolean;
}

const AGAIN_MS = 200;

/**
 * Who works on which partition, as Kafka would say it: a member that does not answer for a while is believed to be gone, and
 * its partition is given to another, whether it has stopped or not.
 */
export class Groups {
  readonly #world: World;
  readonly #partitions: number;
  readonly #groups = new Map<string, Group>();

  constructor(world: World, partitions: number) {
    this.#world = world;
    this.#partitions = partitions;
  }

  join(process: SimProcess, name: string, work: Work): Membership {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group(this.#world, this.#partitions);
      this.#groups.set(name, group);
    }
    return group.join(process, work);
  }

  /** Gives partitions to other members, at random. */
  rebalance(): void {
    for (const group of this.#groups.values()) group.rebalance(true);
  }
}

class Group {
  readonly #world: World;
  readonly #partitions: number;
  readonly #shifts = new Map<Partition, Shift>();
  readonly #moving = new Set<Partition>();
  #members: Member[] = [];

  constructor(world: World, partitions: number) {
    this.#world = world;
    this.#partitions = partitions;
  }

  join(process: SimProcess, work: Work): Membership {
    const member: Member = { process, work, isLeaving: false };
    this.#members.push(member);
    process.death.addEventListener('abort', () => this.#world.time.after(this.#patienceMs(), () => this.rebalance(false)));
    this.rebalance(true);
    return {
      leave: async () => {
        member.isLeaving = true;
        const ending = [...this.#shifts.values()].filter((shift) => shift.member === member);
        this.rebalance(false);
        await Promise.all(ending.map(({ ended }) => ended));
      },
    };
  }

  rebalance(shuffle: boolean): void {
    const { random, time } = this.#world;
    this.#members = this.#members.filter(({ process, isLeaving }) => process.isAlive && !isLeaving);
    const able = this.#members.filter(({ process }) => !process.isFrozen);
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#moving.has(partition)) continue;
      const shift = this.#shifts.get(partition);
      const isServed = shift !== undefined && !shift.isOver && this.#members.includes(shift.member);
      if (isServed && !shuffle) continue;
      const next = random.pick(able);
      if (next === undefined || (isServed && next === shift?.member)) continue;
      if (shift === undefined || shift.isOver || !shift.member.process.isAlive) {
        this.#begin(partition, next);
        continue;
      }
      this.#moving.add(partition);
      const { abort, member, ended } = shift;
      member.process.post(() => abort.abort());
      const move = (): void => {
        if (!this.#moving.delete(partition)) return;
        this.#shifts.delete(partition);
        this.rebalance(true);
      };
      void ended.then(move);
      time.after(this.#patienceMs(), move);
    }
  }

  #patienceMs(): number {
    return this.#world.random.int(0, this.#world.plan.groupPatienceMs);
  }

  #begin(partition: Partition, member: Member): void {
    const { process, work } = member;
    const abort = new AbortController();
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const shift: Shift = { member, abort, ended, isOver: false };
    this.#shifts.set(partition, shift);
    this.#world.trace(() => `${process.name} has partition ${partition}`);
    const run = async (): Promise<void> => {
      while (!abort.signal.aborted) {
        try {
          await work(partition, abort.signal);
        } catch {
          await process.wait(AGAIN_MS);
        }
      }
      shift.isOver = true;
      end();
      this.rebalance(false);
    };
    process.post(() => void run());
  }
}
