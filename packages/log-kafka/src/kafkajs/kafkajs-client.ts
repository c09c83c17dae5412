import './quiet-timers.ts';
import type { Admin, Cluster, KafkaConfig, Message, SASLOptions } from 'kafkajs';
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import type { ConnectOptions, SaslOptions } from '../connect-options.ts';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from '../connect-options.ts';
import type { FetchLane, GroupLink, KafkaClient, NewTopic, PartitionBounds, ProducePart } from '../kafka-client.ts';
import { KafkaFault } from '../kafka-client.ts';
import { answerOf, faultOfCode } from './answers.ts';
import { faultOf } from './faults.ts';
import { openFetchLane } from './kafkajs-fetch.ts';
import { openGroupLink } from './kafkajs-group.ts';
import { KafkajsLink } from './kafkajs-link.ts';

/** Of kafkajs inside of one call; the log repeats calls by itself. All are given: under NODE_ENV=test kafkajs has other defaults. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 3 };

/** The binding of kafkajs 2.2: its connections, protocol and administration, without its producer and consumer. */
export function kafkajsClient(options: ConnectOptions): KafkaClient {
  const kafka = new Kafka(configOf(options));
  const control = new KafkajsLink(kafka);
  const producing = new KafkajsLink(kafka);
  const others = new Set<KafkajsLink>();
  const ending = new Set<Promise<void>>();
  const leaders = new Map<string, ReadonlyMap<number, number>>();

  function openLink(): { link: KafkajsLink; close: () => void } {
    const link = new KafkajsLink(kafka);
    others.add(link);
    const close = (): void => {
      others.delete(link);
      const ended = link.close().finally(() => ending.delete(ended));
      ending.add(ended);
    };
    return { link, close };
  }

  return {
    async partitionCounts(topics) {
      return withAdmin(kafka, async (admin) => {
        const existing = new Set(await admin.listTopics());
        const wanted = topics.filter((topic) => existing.has(topic));
        if (wanted.length === 0) return new Map();
        const metadata = await admin.fetchTopicMetadata({ topics: wanted });
        return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
      });
    },

    async topicSettings(topics) {
      const asked = topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }));
      const { resources } = await withAdmin(kafka, (admin) => admin.describeConfigs({ resources: asked, includeSynonyms: false }));
      return new Map(
        resources.map(({ resourceName, configEntries }) => [
          resourceName,
          new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
        ]),
      );
    },

    async createTopics(topics: readonly NewTopic[]) {
      await withAdmin(kafka, (admin) =>
        admin.createTopics({
          // Its way to wait fails against brokers that do not know the topic yet.
          waitForLeaders: false,
          timeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
          topics: topics.map(({ topic, partitions, replication, settings }) => ({
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
          })),
        }),
      );
    },

    leaderOf: (topic, partition) => leaders.get(topic)?.get(partition),

    async refresh(topics) {
      for (const link of [control, producing]) link.addTopics(topics);
      await control.use(async (cluster) => {
        await cluster.addMultipleTargetTopics([...topics]);
        await cluster.refreshMetadata();
        for (const topic of topics) leaders.set(topic, leadersIn(cluster, topic));
      });
    },

    bounds: (topic, partition) =>
      control.use(async (cluster): Promise<PartitionBounds> => {
        const [first, next] = await Promise.all([boundOf(cluster, topic, partition, true), boundOf(cluster, topic, partition, false)]);
        return { first, next };
      }),

    produce: (broker, parts) =>
      producing.useBroker(broker, async (node) => {
        const answer = (await answerOf(node, 'Produce', {
          acks: -1,
          timeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
          topicData: topicData(parts),
        })) as ProduceAnswer;
        return outcomes(parts, answer);
      }),

    openFetchLane(): FetchLane {
      const { link, close } = openLink();
      return openFetchLane(link, close);
    },

    openGroupLink(group): GroupLink {
      const { link, close } = openLink();
      return openGroupLink(group, link, control, close);
    },

    async close() {
      await Promise.all([control, producing, ...others].map((link) => link.close()));
      await Promise.all(ending);
    },
  };
}

function configOf({ brokers, clientId, logger, ssl, sasl, connectTimeoutMs, requestTimeoutMs }: ConnectOptions): KafkaConfig {
  return {
    brokers: [...brokers],
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    connectionTimeout: connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logLevel: logLevel.INFO,
    // What goes wrong reaches the log as a fault too, and is told there if it matters: kafkajs calls much an error that it then
    // retries, such as a group's first second.
    logCreator:
      () =>
      ({ namespace, label, log: { message, broker, error, retryCount } }) =>
        logger.debug({ kafkajs: namespace, kafkajsLevel: label, broker, error, retryCount }, message),
  };
}

function saslOf(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism !== 'oauthbearer') return sasl;
  return { mechanism: sasl.mechanism, oauthBearerProvider: async () => ({ value: await sasl.token() }) };
}

async function withAdmin<T>(kafka: Kafka, run: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await run(admin);
  } catch (error) {
    throw faultOf(error);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

function leadersIn(cluster: Cluster, topic: string): ReadonlyMap<number, number> {
  const partitions = cluster.findTopicPartitionMetadata(topic).filter(({ leader }) => leader >= 0);
  return new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
}

async function boundOf(cluster: Cluster, topic: string, partition: number, fromBeginning: boolean): Promise<number> {
  const [answer] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]);
  const offset = answer?.partitions.find((found) => found.partition === partition)?.offset;
  if (offset === undefined) throw new KafkaFault('moved', `nobody leads ${topic}/${partition}`);
  return Number(offset);
}

/** kafkajs takes views only as Buffers. */
function topicData(
  parts: readonly ProducePart[],
): { topic: string; partitions: { partition: number; firstSequence: number; messages: Message[] }[] }[] {
  const topics = new Map<string, { partition: number; firstSequence: number; messages: Message[] }[]>();
  for (const { topic, partition, records } of parts) {
    const messages = records.map(({ key, value }) => ({ key, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) }));
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, firstSequence: 0, messages });
    topics.set(topic, partitions);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly baseOffset: string }[];
  }[];
}

function outcomes(parts: readonly ProducePart[], answer: ProduceAnswer): (number | KafkaFault)[] {
  const found = new Map<string, number | KafkaFault>();
  for (const { topicName, partitions } of answer.topics) {
    for (const { partition, errorCode, baseOffset } of partitions) {
      const name = `${topicName}/${partition}`;
      found.set(name, faultOfCode(errorCode, `producing to ${name}`) ?? Number(baseOffset));
    }
  }
  return parts.map(({ topic, partition }) => {
    const outcome = found.get(`${topic}/${partition}`);
    return outcome ?? new KafkaFault('unreachable', `the broker did not say what became of records for ${topic}/${partition}`);
  });
}
