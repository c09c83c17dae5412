import { systemClock } from '@playhead/ports';
import { keepingLogger } from '@playhead/testkit';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Claim } from '../src/core/assign.ts';
import type { GroupTimes } from '../src/group-member.ts';
import { GroupMember } from '../src/group-member.ts';
import type { GroupLink, JoinedGroup, JoinRequest } from '../src/kafka-client.ts';
import { KafkaFault } from '../src/kafka-client.ts';

const TIMES: GroupTimes = { sessionTimeoutMs: 100, heartbeatMs: 5, revokeLimitMs: 50, retryPauseMs: 5 };
const WAIT = { timeout: 5_000, interval: 2 };

/** A group of one real member: the test says what it is given, and what goes wrong. */
class ScriptedGroup implements GroupLink {
  /** What the member is given at its next join. */
  gives: readonly number[] = [0, 1, 2, 3];
  /** What the next heartbeats and joins fail with. */
  fault: KafkaFault | undefined;
  readonly claims: Omit<Claim, 'memberId'>[] = [];
  readonly left: string[] = [];
  heartbeats = 0;
  closed = false;
  #generation = 0;

  async join({ memberId, userData }: JoinRequest): Promise<JoinedGroup> {
    if (this.fault && this.fault.kind !== 'rejoin') throw this.fault;
    this.fault = undefined;
    this.claims.push(JSON.parse(Buffer.from(userData).toString()) as Omit<Claim, 'memberId'>);
    this.#generation += 1;
    return { memberId: memberId || 'member-1', generation: this.#generation, members: null };
  }

  async sync(): Promise<readonly number[]> {
    return this.gives;
  }

  async heartbeat(): Promise<void> {
    this.heartbeats += 1;
    if (this.fault) throw this.fault;
  }

  async leave(memberId: string): Promise<void> {
    this.left.push(memberId);
  }

  close(): void {
    this.closed = true;
  }
}

function bench(endsWork = true) {
  const link = new ScriptedGroup();
  const logger = keepingLogger();
  const working = new Set<number>();
  const starts: number[] = [];
  const member = new GroupMember({
    link,
    group: 'group',
    topic: 'topic',
    partitions: 4,
    clock: systemClock,
    logger,
    times: TIMES,
    work: async (partition, signal) => {
      working.add(partition);
      starts.push(partition);
      await new Promise<void>((resolve) => {
        if (endsWork) signal.addEventListener('abort', () => resolve(), { once: true });
      });
      working.delete(partition);
    },
  });
  onTestFinished(() => member.leave());
  return { link, logger, working, starts, member };
}

const rejoin = new KafkaFault('rejoin', 'rebalancing');

describe('GroupMember', () => {
  test('a member works on what it is given, and leaves when the work has ended', async () => {
    const { link, member, working } = bench();
    await member.joined;
    expect([...working]).toEqual([0, 1, 2, 3]);
    await member.leave();
    expect(working.size).toBe(0);
    expect(link.left).toEqual(['member-1']);
    expect(link.closed).toBe(true);
  });

  test('in a rebalance what it keeps goes on; what it loses ends before it joins without it', async () => {
    const { link, member, working, starts } = bench();
    await member.joined;
    link.gives = [0, 1];
    link.fault = rejoin;
    await vi.waitFor(() => expect(link.claims).toHaveLength(3), WAIT);
    expect(link.claims.map(({ owned }) => owned)).toEqual([[], [0, 1, 2, 3], [0, 1]]);
    expect(link.claims.map(({ generation }) => generation)).toEqual([-1, 1, 2]);
    expect([...working]).toEqual([0, 1]);
    expect(starts).toEqual([0, 1, 2, 3]);
  });

  test('work that does not end is waited for up to the limit, with heartbeats, and told', async () => {
    const { link, logger, member } = bench(false);
    await member.joined;
    link.gives = [0, 1];
    link.fault = rejoin;
    await vi.waitFor(() => expect(link.claims).toHaveLength(2), WAIT);
    const before = link.heartbeats;
    await vi.waitFor(() => expect(link.claims).toHaveLength(3), WAIT);
    expect(link.heartbeats).toBeGreaterThan(before);
    expect(link.claims[2]?.owned).toEqual([0, 1]);
    expect(logger.lines.find(({ level }) => level === 'error')).toMatchObject({ data: { partitions: [2, 3] } });
  });

  test('a member that the group has given up aborts everything and begins anew', async () => {
    const { link, member, starts } = bench();
    await member.joined;
    link.fault = new KafkaFault('expelled', 'UNKNOWN_MEMBER_ID');
    const before = link.heartbeats;
    await vi.waitFor(() => expect(link.heartbeats).toBeGreaterThan(before), WAIT);
    link.fault = undefined;
    await vi.waitFor(() => expect(starts).toHaveLength(8), WAIT);
    expect(link.claims.at(-1)).toEqual({ owned: [], generation: -1 });
  });

  test('a group that is away for a while interrupts nothing; for longer than a session, everything', async () => {
    const { link, member, working, starts } = bench();
    await member.joined;
    link.fault = new KafkaFault('unreachable', 'connection lost');
    const before = link.heartbeats;
    await vi.waitFor(() => expect(link.heartbeats).toBeGreaterThan(before), WAIT);
    expect(working.size).toBe(4);
    link.fault = undefined;
    await vi.waitFor(() => expect(link.claims).toHaveLength(2), WAIT);
    expect(starts).toHaveLength(4);

    link.fault = new KafkaFault('unreachable', 'connection lost');
    await vi.waitFor(() => expect(working.size).toBe(0), WAIT);
    link.fault = undefined;
    await vi.waitFor(() => expect(working.size).toBe(4), WAIT);
    expect(starts).toHaveLength(8);
  });
});
