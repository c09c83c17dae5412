import type { Connection } from '@platformatic/kafka';
import { heartbeatV3, joinGroupV5, leaveGroupV3, Reader, ResponseError, syncGroupV3, Writer } from '@platformatic/kafka';
import { CONSUMER_FORMAT_VERSION, GROUP_PROTOCOL } from '../group-protocol.ts';
import type { GroupLink, JoinRequest } from '../kafka-client.ts';
import { isPassing } from '../kafka-client.ts';
import type { Address, BrokerLink, Links } from './broker-link.ts';
import type { Cluster } from './cluster.ts';

const MEMBER_ID_REQUIRED = 79;
const PROTOCOL_TYPE = 'consumer';
/** No static membership. */
const NO_INSTANCE = null;

export interface GroupLinkOptions {
  readonly group: string;
  readonly cluster: Cluster;
  readonly links: Links;
  /** Of what a coordinator answers at once. */
  readonly requestTimeoutMs: number;
}

/** The group protocol, in the format of Kafka's own consumers. Joining waits for the others, and so has a connection of its own. */
export function openGroupLink({ group, cluster, links, requestTimeoutMs }: GroupLinkOptions): GroupLink {
  const quick = links.open(requestTimeoutMs);
  let waiting: BrokerLink | undefined;
  let coordinator: Address | undefined;

  async function ask<T>(link: BrokerLink, run: (connection: Connection) => Promise<T>): Promise<T> {
    coordinator ??= await cluster.coordinatorOf(group);
    try {
      return await link.use(coordinator, run);
    } catch (error) {
      if (isPassing(error)) coordinator = undefined;
      throw error;
    }
  }

  return {
    async join(request) {
      waiting ??= links.open(request.rebalanceTimeoutMs + requestTimeoutMs);
      const joined = await ask(waiting, (connection) => joinWith(connection, group, request));
      const members = joined.members.map(({ memberId, metadata }) => ({ memberId, userData: userDataIn(metadata) }));
      const leads = joined.leader === joined.memberId;
      return { memberId: joined.memberId, generation: joined.generationId, members: leads ? members : null };
    },

    async sync({ memberId, generation }, topic, assignments) {
      const all = [...assignments].map(([member, partitions]) => ({ memberId: member, assignment: encodeAssignment(topic, partitions) }));
      const answer = await ask(waiting ?? quick, (connection) =>
        syncGroupV3.api.async(connection, group, generation, memberId, NO_INSTANCE, PROTOCOL_TYPE, GROUP_PROTOCOL, all),
      );
      return partitionsIn(answer.assignment, topic);
    },

    async heartbeat({ memberId, generation }) {
      await ask(quick, (connection) => heartbeatV3.api.async(connection, group, generation, memberId));
    },

    async leave(memberId) {
      await ask(quick, (connection) => leaveGroupV3.api.async(connection, group, [{ memberId }]));
    },

    close() {
      links.cut(quick);
      if (waiting) links.cut(waiting);
    },
  };
}

/** A new member is first given its id, so that it can be told apart when it asks again. */
async function joinWith(connection: Connection, group: string, request: JoinRequest) {
  const { topic, userData, sessionTimeoutMs, rebalanceTimeoutMs } = request;
  const protocols = [{ name: GROUP_PROTOCOL, metadata: encodeMember(topic, userData) }];
  const joinAs = (memberId: string) =>
    joinGroupV5.api.async(connection, group, sessionTimeoutMs, rebalanceTimeoutMs, memberId, NO_INSTANCE, PROTOCOL_TYPE, protocols);
  try {
    return await joinAs(request.memberId);
  } catch (error) {
    const answer = error instanceof ResponseError ? (error['response'] as { errorCode: number; memberId: string }) : undefined;
    if (answer?.errorCode !== MEMBER_ID_REQUIRED || request.memberId !== '') throw error;
    return joinAs(answer.memberId);
  }
}

/** version int16, topics as array of string, user data as bytes. */
function encodeMember(topic: string, userData: Uint8Array): Buffer {
  return Writer.create()
    .appendInt16(CONSUMER_FORMAT_VERSION)
    .appendArray([topic], (writer, name) => writer.appendString(name, false), false, false)
    .appendBytes(Buffer.from(userData), false).buffer;
}

function userDataIn(member: Buffer): Uint8Array {
  const reader = Reader.from(member);
  reader.readInt16();
  reader.readArray((topics) => topics.readString(false), false, false);
  return reader.readBytes(false);
}

/** version int16, topics as array of string and array of int32, user data as bytes. */
function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  return Writer.create()
    .appendInt16(CONSUMER_FORMAT_VERSION)
    .appendArray(
      [topic],
      (writer, name) => {
        writer.appendString(name, false).appendArray([...partitions], (inner, partition) => inner.appendInt32(partition), false, false);
      },
      false,
      false,
    )
    .appendBytes(Buffer.alloc(0), false).buffer;
}

/** None, for a member that was given nothing. */
function partitionsIn(assignment: Buffer, topic: string): readonly number[] {
  if (assignment.length === 0) return [];
  const reader = Reader.from(assignment);
  reader.readInt16();
  const topics = reader.readArray(
    (entry): [string, number[]] => [entry.readString(false), entry.readArray((inner) => inner.readInt32(), false, false)],
    false,
    false,
  );
  return new Map(topics).get(topic) ?? [];
}
