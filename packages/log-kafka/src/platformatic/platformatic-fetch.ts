import type { RecordsBatch } from '@platformatic/kafka';
import { FetchIsolationLevels, fetchV11, IS_CONTROL } from '@platformatic/kafka';
import type { FetchedPart, FetchedRecord, FetchLane, FetchPart } from '../kafka-client.ts';
import { ANSWER_BYTES_MAX } from '../kafka-client.ts';
import type { Links } from './broker-link.ts';
import type { Cluster } from './cluster.ts';
import { faultOfCode, wholeAnswer } from './faults.ts';

/** Of a fetch that the broker does not remember. */
const NO_SESSION = { id: 0, epoch: -1 } as const;
const UNKNOWN = -1;

export interface FetchLaneOptions {
  readonly cluster: Cluster;
  readonly links: Links;
  readonly requestTimeoutMs: number;
}

/** Fetches of any offset, without the client's consumer. */
export function openFetchLane({ cluster, links, requestTimeoutMs }: FetchLaneOptions): FetchLane {
  const link = links.open(requestTimeoutMs);
  return {
    async fetch(broker, parts, maxWaitMs) {
      const answer = await link.use(cluster.addressOf(broker), (connection) =>
        wholeAnswer(
          fetchV11.api.async(
            connection,
            maxWaitMs,
            1,
            ANSWER_BYTES_MAX,
            FetchIsolationLevels.READ_UNCOMMITTED,
            NO_SESSION.id,
            NO_SESSION.epoch,
            topicsOf(parts),
            [],
            '',
          ),
        ),
      );
      const fault = faultOfCode(answer.errorCode, 'fetching');
      if (fault) throw fault;
      const found = new Map<string, FetchedPart>();
      // Up to version 12 of the request a topic's id is its name.
      for (const { topicId: topic, partitions } of answer.responses) {
        for (const { partitionIndex, errorCode, records } of partitions) {
          const name = `${topic}/${partitionIndex}`;
          found.set(name, { records: (records ?? []).flatMap(recordsOf), fault: faultOfCode(errorCode, `fetching ${name}`) });
        }
      }
      return parts.map(({ topic, partition }) => found.get(`${topic}/${partition}`) ?? { records: [] });
    },
    close: () => links.cut(link),
  };
}

function topicsOf(parts: readonly FetchPart[]): fetchV11.FetchRequestTopic[] {
  const topics = new Map<string, fetchV11.FetchRequestTopic>();
  for (const { topic, partition, offset, bytesMax } of parts) {
    const asked = topics.get(topic) ?? { topicId: topic, partitions: [] };
    asked.partitions.push({
      partition,
      currentLeaderEpoch: UNKNOWN,
      lastFetchedEpoch: UNKNOWN,
      fetchOffset: BigInt(offset),
      partitionMaxBytes: bytesMax,
    });
    topics.set(topic, asked);
  }
  return [...topics.values()];
}

function recordsOf({ attributes, firstOffset, records }: RecordsBatch): FetchedRecord[] {
  if ((attributes & IS_CONTROL) !== 0) return [];
  const first = Number(firstOffset);
  return records.map(({ offsetDelta, key, value }) => ({
    offset: first + offsetDelta,
    key: key?.toString() ?? '',
    value,
  }));
}
