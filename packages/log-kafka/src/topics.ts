import type { Topic } from '@playhead/schemas';
import { LIMITS, PlayheadError, TOPIC_NAMES, TOPICS } from '@playhead/schemas';
import type { KafkaClient, NewTopic } from './kafka-client.ts';

/** A record of the log, at most: the largest upload with its facts, or a flush of very many sessions. */
export const RECORD_BYTES_MAX = LIMITS.uploadBytesMax + 8 * 1024 * 1024;
/** What a broker takes as one batch: such a record and Kafka's framing. */
const BATCH_BYTES_MAX = RECORD_BYTES_MAX + 1024 * 1024;

/** From this many replicas on, one may be missing and writing goes on, to at least two. */
const REPLICAS_FOR_TWO = 3;

/** How a topic is kept, in Kafka's words. */
export function topicSettings(topic: Topic, replication: number): Readonly<Record<string, string>> {
  const { retentionMs, compacted } = TOPICS[topic];
  return {
    'retention.ms': String(retentionMs ?? -1),
    'retention.bytes': '-1',
    'cleanup.policy': compacted ? 'compact,delete' : 'delete',
    'max.message.bytes': String(BATCH_BYTES_MAX),
    'min.insync.replicas': replication >= REPLICAS_FOR_TWO ? '2' : '1',
  };
}

/**
 * Creates the topics that are missing.
 *
 * @throws {PlayheadError} `invalid_request` when one exists with another number of partitions: a session's partition is computed
 *   from that number, so it cannot change
 */
export async function ensureTopics(client: KafkaClient, prefix: string, partitions: number, replication: number): Promise<void> {
  const names = TOPIC_NAMES.map((topic) => prefix + topic);
  const existing = await client.partitionCounts(names);
  checkCounts(existing, partitions);
  const missing = TOPIC_NAMES.filter((topic) => !existing.has(prefix + topic));
  if (missing.length === 0) return;
  await client.createTopics(
    missing.map((topic): NewTopic => ({ topic: prefix + topic, partitions, replication, settings: topicSettings(topic, replication) })),
  );
  // Another process may have been faster, with another number.
  checkCounts(await client.partitionCounts(names), partitions);
}

function checkCounts(counts: ReadonlyMap<string, number>, partitions: number): void {
  for (const [topic, count] of counts) {
    if (count === partitions) continue;
    throw new PlayheadError('invalid_request', `the topic ${topic} has ${count} partitions; the log cannot be opened with ${partitions}`, {
      details: { topic, partitions: count },
    });
  }
}
