import type { FetchedPart, FetchedRecord, FetchLane, FetchPart } from '../kafka-client.ts';
import { ANSWER_BYTES_MAX } from '../kafka-client.ts';
import { answerOf, faultOfCode } from './answers.ts';
import type { KafkajsLink } from './kafkajs-link.ts';

/** Kafka: READ_UNCOMMITTED. Nothing here is transactional. */
const ISOLATION = 0;

interface FetchAnswer {
  readonly errorCode?: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly messages: readonly {
        readonly offset: string;
        readonly key: Buffer | null;
        readonly value: Buffer | null;
        readonly isControlRecord?: boolean;
      }[];
    }[];
  }[];
}

/** Fetches of kafkajs's brokers, without its consumer: that one reads only what a group gave it, and takes a join to begin. */
export function openFetchLane(link: KafkajsLink, close: () => void): FetchLane {
  return {
    fetch: (broker, parts, maxWaitMs) =>
      link.useBroker(broker, async (node) => {
        const answer = (await answerOf(node, 'Fetch', {
          isolationLevel: ISOLATION,
          maxWaitTime: maxWaitMs,
          minBytes: 1,
          maxBytes: ANSWER_BYTES_MAX,
          topics: topicsOf(parts),
        })) as FetchAnswer;
        return answersTo(parts, answer);
      }),
    close,
  };
}

type FetchTopics = { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];

function topicsOf(parts: readonly FetchPart[]): FetchTopics {
  const topics = new Map<string, FetchTopics[number]['partitions']>();
  for (const { topic, partition, offset, bytesMax } of parts) {
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, fetchOffset: String(offset), maxBytes: bytesMax });
    topics.set(topic, partitions);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

function answersTo(parts: readonly FetchPart[], answer: FetchAnswer): FetchedPart[] {
  const fault = faultOfCode(answer.errorCode ?? 0, 'fetching');
  if (fault) throw fault;
  const found = new Map<string, FetchedPart>();
  for (const { topicName, partitions } of answer.responses) {
    for (const { partition, errorCode, messages } of partitions) {
      const name = `${topicName}/${partition}`;
      const records = messages
        .filter(({ isControlRecord }) => isControlRecord !== true)
        .map(({ offset, key, value }): FetchedRecord => ({ offset: Number(offset), key: key?.toString() ?? '', value }));
      found.set(name, { records, fault: faultOfCode(errorCode, `fetching ${name}`) });
    }
  }
  return parts.map(({ topic, partition }) => found.get(`${topic}/${partition}`) ?? { records: [] });
}
