import type { Assignment } from 'kafkajs';
import { AssignerProtocol } from 'kafkajs';
import { CONSUMER_FORMAT_VERSION, GROUP_PROTOCOL } from '../group-protocol.ts';
import type { GroupLink } from '../kafka-client.ts';
import type { KafkajsLink } from './kafkajs-link.ts';

/** The group protocol of kafkajs's brokers, in the format of Kafka's own consumers, so that its tools can show who has what. */
export function openGroupLink(groupId: string, link: KafkajsLink, control: KafkajsLink, close: () => void): GroupLink {
  return {
    join: ({ memberId, topic, userData, sessionTimeoutMs, rebalanceTimeoutMs }) =>
      link.useCoordinator(groupId, async (broker) => {
        const metadata = AssignerProtocol.MemberMetadata.encode({
          version: CONSUMER_FORMAT_VERSION,
          topics: [topic],
          userData: Buffer.from(userData),
        });
        const joined = await broker.joinGroup({
          groupId,
          memberId,
          sessionTimeout: sessionTimeoutMs,
          rebalanceTimeout: rebalanceTimeoutMs,
          groupProtocols: [{ name: GROUP_PROTOCOL, metadata }],
        });
        const members = joined.members.map((member) => ({
          memberId: member.memberId,
          userData: AssignerProtocol.MemberMetadata.decode(member.memberMetadata)?.userData ?? new Uint8Array(),
        }));
        const leads = joined.leaderId === joined.memberId;
        return { memberId: joined.memberId, generation: joined.generationId, members: leads ? members : null };
      }),

    sync: ({ memberId, generation }, topic, assignments) =>
      link.useCoordinator(groupId, async (broker) => {
        const answer = await broker.syncGroup({
          groupId,
          memberId,
          generationId: generation,
          groupAssignment: [...assignments].map(([member, partitions]) => ({
            memberId: member,
            memberAssignment: encodeAssignment({ [topic]: [...partitions] }),
          })),
        });
        return AssignerProtocol.MemberAssignment.decode(answer.memberAssignment)?.assignment[topic] ?? [];
      }),

    async heartbeat({ memberId, generation }) {
      await link.useCoordinator(groupId, (broker) => broker.heartbeat({ groupId, memberId, groupGenerationId: generation }));
    },

    async leave(memberId) {
      await control.useCoordinator(groupId, (broker) => broker.leaveGroup({ groupId, memberId }));
    },

    close,
  };
}

function encodeAssignment(assignment: Assignment): Buffer {
  return AssignerProtocol.MemberAssignment.encode({ version: CONSUMER_FORMAT_VERSION, assignment, userData: Buffer.alloc(0) });
}
