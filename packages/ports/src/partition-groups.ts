import { PlayheadError } from '@playhead/schemas';
import type { Membership } from './event-log.ts';
import { backoffMs, pause } from './pause.ts';
import type { Clock } from './runtime.ts';

/** What a member does with a partition until the signal aborts. */
export type PartitionWork = (partition: number, signal: AbortSignal) => Promise<void>;

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

/**
 * The groups of a log (rules EL10, EL11) among the members of one process: partition p falls to member p mod members, in order of joining.
 * A partition is given on only when the work before it has settled, so it is never worked on twice at a time.
 */
export class PartitionGroups {
  readonly #partitions: number;
  readonly #setTimer: Clock['setTimer'];
  readonly #groups = new Map<string, Group>();
  #closed = false;

  constructor(partitions: number, setTimer: Clock['setTimer']) {
    this.#partitions = partitions;
    this.#setTimer = setTimer;
  }

  /** @throws {PlayheadError} `log_unavailable` after `close` */
  join(name: string, work: PartitionWork): Membership {
    if (this.#closed) throw new PlayheadError('log_unavailable', 'the log is closed');
    let group = this.#groups.get(name);
    if (!group) {
      group = new Group(this.#partitions, this.#setTimer);
      this.#groups.set(name, group);
    }
    return group.join(work);
  }

  /** Aborts all work of all groups and waits for it. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#groups.values()].map((group) => group.close()));
  }
}

interface Member {
  readonly work: PartitionWork;
}

interface Assignment {
  readonly member: Member;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

class Group {
  readonly #partitions: number;
  readonly #setTimer: Clock['setTimer'];
  #members: readonly Member[] = [];
  readonly #assignments = new Map<number, Assignment>();

  constructor(partitions: number, setTimer: Clock['setTimer']) {
    this.#partitions = partitions;
    this.#setTimer = setTimer;
  }

  join(work: PartitionWork): Membership {
    const member: Member = { work };
    this.#setMembers([...this.#members, member]);
    return {
      leave: async () => {
        const ending = [...this.#assignments.values()].filter((assignment) => assignment.member === member);
        this.#setMembers(this.#members.filter((other) => other !== member));
        await Promise.all(ending.map((assignment) => assignment.ended));
      },
    };
  }

  async close(): Promise<void> {
    const ending = [...this.#assignments.values()];
    this.#setMembers([]);
    await Promise.all(ending.map((assignment) => assignment.ended));
  }

  #setMembers(members: readonly Member[]): void {
    this.#members = members;
    for (let partition = 0; partition < this.#partitions; partition++) this.#assign(partition);
  }

  /** Starts the work of the member that the partition falls to, or takes it from one that it does not fall to any more. */
  #assign(partition: number): void {
    const member = this.#members[partition % this.#members.length];
    const current = this.#assignments.get(partition);
    if (current) {
      if (current.member !== member) current.abort.abort();
      return;
    }
    if (!member) return;
    const abort = new AbortController();
    const ended = this.#run(member.work, partition, abort.signal).then(() => {
      this.#assignments.delete(partition);
      this.#assign(partition);
    });
    this.#assignments.set(partition, { member, abort, ended });
  }

  /** Settles after the signal has aborted and the work has ended. Never rejects. */
  async #run(work: PartitionWork, partition: number, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await work(partition, signal);
        await aborted(signal);
      } catch {
        await pause({ setTimer: this.#setTimer }, backoffMs(RETRY_MIN_MS, attempt, RETRY_MAX_MS), signal);
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
