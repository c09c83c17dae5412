import type { Clock, Logger } from '@playhead/ports';
import type { Topic } from '@playhead/schemas';
import { LIMITS, PlayheadError, TOPIC_NAMES, TOPICS } from '@playhead/schemas';
import type { KafkaClient, NewTopic } from './kafka-client.ts';
import { KafkaFault } from './kafka-client.ts';
import { patiently } from './patience.ts';

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
 * Why a topic that somebody else made cannot be used: it would lose records, or refuse large ones. What only costs more (how many copies,
 * what is kept longer) is theirs to choose.
 */
export function unfitSettings(topic: Topic, settings: ReadonlyMap<string, string>): readonly string[] {
  const { retentionMs, compacted } = TOPICS[topic];
  const unfit: string[] = [];
  const expect = (name: string, wanted: string, fits: (value: string) => boolean): void => {
    const value = settings.get(name);
    if (value !== undefined && !fits(value)) unfit.push(`${name} is ${value}, and must be ${wanted}`);
  };
  expect('max.message.bytes', `at least ${BATCH_BYTES_MAX}`, (value) => Number(value) >= BATCH_BYTES_MAX);
  if (retentionMs === null) expect('retention.ms', '-1', (value) => value === '-1');
  else expect('retention.ms', `-1 or at least ${retentionMs}`, (value) => value === '-1' || Number(value) >= retentionMs);
  if (retentionMs === null) expect('retention.bytes', '-1', (value) => value === '-1');
  if (!compacted) expect('cleanup.policy', 'delete', (value) => value === 'delete');
  return unfit;
}

/**
 * Creates the topics that are missing; resolves when all partitions have a leader.
 *
 * @throws {PlayheadError} `invalid_request` when one exists with another number of partitions: a session's partition is computed
 *   from that number, so it cannot change; or with settings that do not fit
 * @throws {KafkaFault}
 */
export async function ensureTopics(
  client: KafkaClient,
  prefix: string,
  partitions: number,
  replication: number,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const names = TOPIC_NAMES.map((topic) => prefix + topic);
  const { signal } = new AbortController();
  const existing = await patiently(clock, signal, () => client.partitionCounts(names));
  checkCounts(existing, partitions);
  const there = TOPIC_NAMES.filter((topic) => existing.has(prefix + topic));
  if (there.length > 0) await checkSettings(client, prefix, there, { clock, logger });
  const missing = TOPIC_NAMES.filter((topic) => !existing.has(prefix + topic));
  if (missing.length > 0) {
    const wanted = missing.map(
      (topic): NewTopic => ({ topic: prefix + topic, partitions, replication, settings: topicSettings(topic, replication) }),
    );
    await patiently(clock, signal, () => client.createTopics(wanted));
  }
  await patiently(clock, signal, async () => {
    await client.refresh(names);
    const leaderless = names.filter((name) => countLeaders(client, name, partitions) < partitions);
    if (leaderless.length > 0) throw new KafkaFault('moved', `partitions without a leader in ${leaderless.join(', ')}`);
  });
  // Another process may have been faster, with another number.
  if (missing.length > 0) checkCounts(await patiently(clock, signal, () => client.partitionCounts(names)), partitions);
}

async function checkSettings(
  client: KafkaClient,
  prefix: string,
  topics: readonly Topic[],
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const { signal } = new AbortController();
  const names = topics.map((topic) => prefix + topic);
  let settings: ReadonlyMap<string, ReadonlyMap<string, string>>;
  try {
    settings = await patiently(clock, signal, () => client.topicSettings(names));
  } catch (error) {
    if (!(error instanceof KafkaFault) || error.kind !== 'refused') throw error;
    logger.warn({ error: error.message }, 'the settings of the topics may not be read, so they are not checked');
    return;
  }
  for (const topic of topics) {
    const unfit = unfitSettings(topic, settings.get(prefix + topic) ?? new Map());
    if (unfit.length > 0)
      throw new PlayheadError('invalid_request', `the topic ${prefix}${topic} cannot be used: ${unfit.join('; ')}`, { details: { topic } });
  }
}

function countLeaders(client: KafkaClient, topic: string, partitions: number): number {
  let count = 0;
  for (let partition = 0; partition < partitions; partition++) if (client.leaderOf(topic, partition) !== undefined) count += 1;
  return count;
}

function checkCounts(counts: ReadonlyMap<string, number>, partitions: number): void {
  for (const [topic, count] of counts) {
    if (count === partitions) continue;
    throw new PlayheadError('invalid_request', `the topic ${topic} has ${count} partitions; the log cannot be opened with ${partitions}`, {
      details: { topic, partitions: count },
    });
  }
}
