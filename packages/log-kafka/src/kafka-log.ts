import type { Clock, EventLog, LogBatch, LogBounds, Logger, Membership, PartitionWork, ReadOptions, RecordCodec } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import type { Offset, Partition, Topic, TopicRecords } from '@playhead/schemas';
import { LIMITS, PlayheadError, toOffset } from '@playhead/schemas';
import type { AppendLimits } from './append-queue.ts';
import { APPEND_LIMITS, AppendQueue } from './append-queue.ts';
import type { ConnectOptions } from './connect-options.ts';
import type { FetchLimits } from './fetch-lanes.ts';
import { FETCH_LIMITS, FetchLanes } from './fetch-lanes.ts';
import type { GroupTimes } from './group-member.ts';
import { GROUP_TIMES, GroupMember } from './group-member.ts';
import type { KafkaClient, PartitionBounds } from './kafka-client.ts';
import { isPassing } from './kafka-client.ts';
import { readPartition } from './partition-reader.ts';
import { patiently } from './patience.ts';
import { ensureTopics, RECORD_BYTES_MAX } from './topics.ts';

export interface KafkaLogSettings {
  /** Of every topic; fixed when the topics are created. Bounds: 1 .. LIMITS.partitionsMax. */
  readonly partitions: number;
  /** Copies of every partition, where topics are created. 3 keeps what is acknowledged when any one broker is lost. */
  readonly replication: number;
  readonly codec: RecordCodec;
  /** In front of the names of topics and groups. Default none. */
  readonly topicPrefix?: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly append?: Partial<AppendLimits>;
  readonly fetch?: Partial<FetchLimits>;
  readonly groups?: Partial<GroupTimes>;
}

export interface KafkaLogOptions extends KafkaLogSettings, ConnectOptions {
  /** What speaks with the brokers. Processes on one cluster may differ in it. Default `platformatic`. */
  readonly client?: KafkaClientName;
}

export type KafkaClientName = 'platformatic' | 'kafkajs';

/** Only the client that is used is loaded. */
const CLIENTS: Readonly<Record<KafkaClientName, (options: ConnectOptions) => Promise<KafkaClient>>> = {
  kafkajs: async (options) => (await import('./kafkajs/kafkajs-client.ts')).kafkajsClient(options),
  platformatic: async (options) => (await import('./platformatic/platformatic-client.ts')).platformaticClient(options),
};

const BATCH_BYTES_MAX = 1024 * 1024;

/**
 * Opens the event log on a Kafka cluster, and creates its topics where they are missing. Any number of processes may open it.
 *
 * @throws {PlayheadError} `invalid_request` when the topics have another number of partitions or settings that lose records, `log_unavailable` when the
 *   cluster does not answer
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<EventLog> {
  return openLogOn(await CLIENTS[options.client ?? 'platformatic'](options), options);
}

/** The same over a client that is given; closes it when the log cannot be opened, and with the log. */
export async function openLogOn(client: KafkaClient, settings: KafkaLogSettings): Promise<EventLog> {
  const { partitions, replication, topicPrefix = '' } = settings;
  try {
    if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= LIMITS.partitionsMax)) {
      throw new PlayheadError('invalid_request', `a log has 1 to ${LIMITS.partitionsMax} partitions, not ${partitions}`);
    }
    await ensureTopics(client, topicPrefix, partitions, replication, { clock: settings.clock ?? systemClock, logger: settings.logger });
    return new KafkaLog(client, settings);
  } catch (error) {
    await client.close();
    throw unavailable(error);
  }
}

class KafkaLog implements EventLog {
  readonly partitions: number;
  readonly #client: KafkaClient;
  readonly #codec: RecordCodec;
  readonly #prefix: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #groupTimes: GroupTimes;
  readonly #appends: AppendQueue;
  readonly #lanes: FetchLanes;
  readonly #members = new Set<GroupMember>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(client: KafkaClient, settings: KafkaLogSettings) {
    const { partitions, codec, topicPrefix = '', logger, clock = systemClock, append, fetch, groups } = settings;
    this.partitions = partitions;
    this.#client = client;
    this.#codec = codec;
    this.#prefix = topicPrefix;
    this.#logger = logger;
    this.#clock = clock;
    this.#groupTimes = { ...GROUP_TIMES, ...groups };
    this.#appends = new AppendQueue(client, clock, logger, { ...APPEND_LIMITS, ...append });
    this.#lanes = new FetchLanes(client, clock, logger, { ...FETCH_LIMITS, ...fetch });
  }

  /** @throws {PlayheadError} also `too_large`, for a record that no broker would take; it is not in the log */
  async append<T extends Topic>(topic: T, partition: Partition, key: string, record: TopicRecords[T]): Promise<Offset> {
    this.#checkOpen();
    const name = this.#name(topic, partition);
    const bytes = this.#codec.encode(topic, record);
    if (bytes.length > RECORD_BYTES_MAX) throw new PlayheadError('too_large', `a record of ${bytes.length} bytes for ${topic}`);
    return toOffset(await this.#appends.add(name, partition, key, bytes));
  }

  async bounds(topic: Topic, partition: Partition): Promise<LogBounds> {
    this.#checkOpen();
    const { first, next } = await this.#bounds(this.#name(topic, partition), partition);
    return { first: toOffset(first), next: toOffset(next) };
  }

  /** Repeats the question while the cluster is on its way back. */
  async #bounds(name: string, partition: number): Promise<PartitionBounds> {
    try {
      return await patiently(this.#clock, this.#closing.signal, async () => {
        try {
          return await this.#client.bounds(name, partition);
        } catch (error) {
          if (isPassing(error)) await this.#client.refresh([name]);
          throw error;
        }
      });
    } catch (error) {
      throw unavailable(error);
    }
  }

  async *read<T extends Topic>(topic: T, partition: Partition, from: Offset, options: ReadOptions): AsyncGenerator<LogBatch<T>> {
    this.#checkOpen();
    const { signal, batchBytesMax = BATCH_BYTES_MAX } = options;
    const name = this.#name(topic, partition);
    const ends = AbortSignal.any([signal, this.#closing.signal]);
    const context = {
      lanes: this.#lanes,
      bounds: (asked: string, number: number) => this.#bounds(asked, number),
      codec: this.#codec,
      clock: this.#clock,
      logger: this.#logger,
    };
    try {
      yield* readPartition<T>(context, { topic, name, partition, from, batchBytesMax, signal: ends });
    } catch (error) {
      if (!ends.aborted) throw error;
    }
  }

  async join(group: string, work: PartitionWork): Promise<Membership> {
    this.#checkOpen();
    const name = this.#prefix + group;
    const member = new GroupMember({
      link: this.#client.openGroupLink(name),
      group: name,
      topic: `${this.#prefix}playhead.uploads`,
      partitions: this.partitions,
      work,
      clock: this.#clock,
      logger: this.#logger,
      times: this.#groupTimes,
    });
    this.#members.add(member);
    await member.joined;
    return {
      leave: async () => {
        await member.leave();
        this.#members.delete(member);
      },
    };
  }

  /** Kafka removes by itself what a topic does not keep. */
  async trim(): Promise<void> {
    this.#checkOpen();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#appends.close(), ...[...this.#members].map((member) => member.leave())]);
    this.#lanes.close();
    await this.#client.close();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new PlayheadError('log_unavailable', 'the log is closed');
  }

  #name(topic: Topic, partition: Partition): string {
    if (!(Number.isInteger(partition) && partition >= 0 && partition < this.partitions)) {
      throw new RangeError(`no partition ${partition} of ${this.partitions} of ${topic}`);
    }
    return this.#prefix + topic;
  }
}

function unavailable(error: unknown): PlayheadError {
  if (error instanceof PlayheadError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PlayheadError('log_unavailable', `the log does not answer: ${reason}`, { cause: error });
}
