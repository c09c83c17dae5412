import type { Clock, Logger, PartitionWork } from '@playhead/ports';
import { pause } from '@playhead/ports';
import type { Claim } from './core/assign.ts';
import { assignPartitions } from './core/assign.ts';
import type { GroupLink, GroupMembership } from './kafka-client.ts';
import { KafkaFault } from './kafka-client.ts';
import { PartitionWorks } from './partition-works.ts';

export interface GroupTimes {
  /** A member that is silent for so long is taken for dead, by the group and by itself. */
  readonly sessionTimeoutMs: number;
  /** How often a member shows that it lives, and hears of changes. */
  readonly heartbeatMs: number;
  /** How long work that is taken away may take to end. */
  readonly revokeLimitMs: number;
  readonly retryPauseMs: number;
}

export const GROUP_TIMES: GroupTimes = { sessionTimeoutMs: 10_000, heartbeatMs: 1_000, revokeLimitMs: 10_000, retryPauseMs: 500 };

export interface GroupMemberOptions {
  readonly link: GroupLink;
  readonly group: string;
  /** Whose partitions are shared. */
  readonly topic: string;
  readonly partitions: number;
  readonly work: PartitionWork;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times: GroupTimes;
}

const NOBODY: GroupMembership = { memberId: '', generation: -1 };

/**
 * One member of a consumer group, which is used for nothing but to share partitions: it fetches and commits nothing.
 *
 * A rebalance leaves alone what a member keeps (see core/assign.ts); what it loses is aborted and waited for before the member
 * joins again without it. A member that cannot reach the group for a session's time aborts all of its work, because
 * the group gives it to others then.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #works: PartitionWorks;
  readonly #leaving = new AbortController();
  #membership = NOBODY;
  #heardMs = 0;
  #first: () => void = () => {};
  /** Resolves when the member has been given its first partitions, or left. */
  readonly joined: Promise<void>;
  readonly #ended: Promise<void>;
  #left: Promise<void> | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#works = new PartitionWorks(options.work, options.clock);
    this.joined = new Promise((resolve) => {
      this.#first = resolve;
    });
    this.#ended = this.#run();
  }

  /** Aborts all work, waits for it (within the limit), and leaves, so that others are given it at once. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const { link, logger, group } = this.#options;
    this.#leaving.abort();
    this.#first();
    await this.#stop(this.#works.partitions);
    if (this.#membership.memberId !== '') {
      // Also ends a join that is waiting for others.
      await link.leave(this.#membership.memberId).catch((error: unknown) => {
        logger.warn({ err: error, group }, 'leaving the group failed; it goes on without us after the session time');
      });
    }
    link.close();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { clock, logger, group, times } = this.#options;
    const { signal } = this.#leaving;
    this.#heardMs = clock.now();
    while (!signal.aborted) {
      try {
        await this.#rebalance();
        await this.#stay();
      } catch (error) {
        if (signal.aborted) break;
        const kind = error instanceof KafkaFault ? error.kind : undefined;
        if (kind === 'rejoin') continue;
        logger.warn({ err: error, group }, 'the group was lost for now');
        if (kind === 'expelled') {
          this.#membership = { ...NOBODY };
          await this.#stop(this.#works.partitions);
        } else if (clock.now() - this.#heardMs > times.sessionTimeoutMs) await this.#stop(this.#works.partitions);
        await pause(clock, times.retryPauseMs, signal);
      }
    }
    // What a last rebalance may have started.
    await this.#stop(this.#works.partitions);
  }

  /** Joins until the group and this member agree on what it has. */
  async #rebalance(): Promise<void> {
    const { link, logger, group, topic, partitions, times } = this.#options;
    for (let settled = false; !settled && !this.#leaving.signal.aborted; ) {
      const claim: Omit<Claim, 'memberId'> = { owned: this.#works.partitions, generation: this.#membership.generation };
      const joined = await link.join({
        memberId: this.#membership.memberId,
        topic,
        userData: Buffer.from(JSON.stringify(claim)),
        sessionTimeoutMs: times.sessionTimeoutMs,
        rebalanceTimeoutMs: times.revokeLimitMs + times.sessionTimeoutMs,
      });
      const assignments = joined.members ? assignPartitions(partitions, joined.members.map(claimOf)) : new Map<string, number[]>();
      // A generation is ours when we know what we have in it: a claim before that is of the generation before.
      this.#membership = { memberId: joined.memberId, generation: this.#membership.generation };
      const assigned = await link.sync(joined, topic, assignments);
      this.#membership = { memberId: joined.memberId, generation: joined.generation };
      this.#heardMs = this.#options.clock.now();
      const lost = this.#works.partitions.filter((partition) => !assigned.includes(partition));
      logger.info({ group, generation: joined.generation, assigned, lost }, 'the group shared its partitions');
      if (this.#leaving.signal.aborted) return;
      for (const partition of assigned) this.#works.start(partition);
      this.#first();
      if (lost.length > 0) await this.#giveUp(lost);
      settled = lost.length === 0;
    }
  }

  /** Ends the work on partitions while still showing that the member lives. */
  async #giveUp(lost: readonly number[]): Promise<void> {
    const { clock, link, times } = this.#options;
    const over = new AbortController();
    const living = (async () => {
      while (!over.signal.aborted) {
        await pause(clock, times.heartbeatMs, over.signal);
        // A rebalance that begins meanwhile waits for us, longer than the work may take.
        if (!over.signal.aborted) await link.heartbeat(this.#membership).catch(() => undefined);
      }
    })();
    await this.#stop(lost);
    over.abort();
    await living;
  }

  async #stop(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    const { logger, group, times } = this.#options;
    const going = await this.#works.stop(partitions, times.revokeLimitMs);
    if (going.length > 0) logger.error({ group, partitions: going }, 'work that was aborted goes on; its partitions are given to others');
  }

  /** Heartbeats until the group changes. */
  async #stay(): Promise<void> {
    const { clock, link, times } = this.#options;
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      await pause(clock, times.heartbeatMs, signal);
      if (signal.aborted) return;
      await link.heartbeat(this.#membership);
      this.#heardMs = clock.now();
    }
  }
}

function claimOf({ memberId, userData }: { readonly memberId: string; readonly userData: Uint8Array }): Claim {
  const { owned, generation } = JSON.parse(Buffer.from(userData).toString()) as Omit<Claim, 'memberId'>;
  return { memberId, owned, generation };
}
