import { randomBytes, randomUUID } from 'node:crypto';
import process from 'node:process';
import { Connection, ProduceAcks, produceV11 } from '@platformatic/kafka';
import { noContainers, startKafka } from '@playhead/containers';
import { openKafkaLog } from '@playhead/log-kafka';
import type { EventLog, Logger, RecordCodec } from '@playhead/ports';
import type { TopicRecords } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { BenchTable } from './table.ts';
import { median } from './table.ts';

const PARTITIONS = 4;
const IN_FLIGHT = 32;
const TOTAL_BYTES = 256 * 1024 * 1024;
const SIZES = [5 * 1024, 64 * 1024];
/** Of every row, in turns, so that whatever else the machine does falls on all of them. */
const ROUNDS = 7;
const READS = 20;

const UPLOADS = 'playhead.uploads';
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
/** The body alone: what Avro costs is measured elsewhere. */
const bodyCodec: RecordCodec = {
  encode: (_, record) => (record as TopicRecords[typeof UPLOADS]).body,
  decode: (_, bytes) => ({ body: bytes }) as never,
};

interface Cost {
  readonly mbPerS: number;
  readonly recordsPerS: number;
  readonly cpuSPerGb: number;
}

async function measured(bytesEach: number, send: (i: number) => Promise<unknown>): Promise<Cost> {
  const count = Math.min(20_000, Math.floor(TOTAL_BYTES / bytesEach));
  const run = async (end: number): Promise<void> => {
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < end) await send(next++);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
  };
  await run(Math.floor(count / 8));
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(count);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const gb = (count * bytesEach) / 1e9;
  return { mbPerS: (gb * 1000) / seconds, recordsPerS: count / seconds, cpuSPerGb: (user + system) / 1e6 / gb };
}

/** Medians of the rounds, and the least and the most of what it costs. */
function cells(name: string, bytes: number, costs: readonly Cost[]): string[] {
  const cpu = costs.map((cost) => cost.cpuSPerGb);
  return [
    `${bytes / 1024} KB`,
    name,
    median(costs.map((cost) => cost.mbPerS)).toFixed(1),
    median(costs.map((cost) => cost.recordsPerS)).toFixed(0),
    median(cpu).toFixed(1),
    `${Math.min(...cpu).toFixed(1)} to ${Math.max(...cpu).toFixed(1)}`,
  ];
}

interface Sent {
  readonly value: Buffer;
  readonly partition: number;
}

/** What gathers for 2 ms goes as one. */
function gathering(sendAll: (batch: readonly Sent[]) => Promise<unknown>): (value: Buffer, partition: number) => Promise<void> {
  let waiting: (Sent & { settle: (error?: unknown) => void })[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    try {
      await sendAll(batch);
      for (const { settle } of batch) settle();
    } catch (error) {
      for (const { settle } of batch) settle(error);
    }
  };
  return (value, partition) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setTimeout(() => void flush(), 2);
      const settle = (error?: unknown): void =>
        error === undefined ? resolve() : reject(error instanceof Error ? error : new Error('sending failed', { cause: error }));
      waiting.push({ value, partition, settle });
    });
}

/** The two clients, and the log, ready to take values for one topic. */
async function senders(brokers: readonly string[], topicPrefix: string) {
  const topic = topicPrefix + UPLOADS;
  const log = await open(brokers, topicPrefix);
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
  await producer.connect();
  const other = new Connection('bench');
  const [host = '', port = ''] = brokers[0]?.split(':') ?? [];
  await other.connect(host, Number(port));
  const key = Buffer.from('session');

  const sendBatch = gathering((batch) =>
    producer.sendBatch({
      acks: -1,
      topicMessages: [{ topic, messages: batch.map(({ value, partition }) => ({ key: 'session', value, partition })) }],
    }),
  );
  // Without its producer: the request that the log would send, to the one broker there is.
  const produceRequest = gathering((batch) =>
    produceV11.api.async(
      other,
      ProduceAcks.ALL,
      10_000,
      batch.map(({ value, partition }) => ({ topic, partition, key, value })),
    ),
  );
  const ways: Readonly<Record<string, (value: Buffer, partition: number) => Promise<unknown>>> = {
    'kafkajs producer, one by one': (value, partition) =>
      producer.send({ topic, acks: -1, messages: [{ key: 'session', value, partition }] }),
    'kafkajs producer, sendBatch of 2 ms': sendBatch,
    'the log': (value, partition) => log.append(UPLOADS, partition, 'session', { body: value } as never),
    '@platformatic/kafka, produce request of 2 ms': produceRequest,
  };
  const close = async (): Promise<void> => {
    await Promise.all([producer.disconnect(), other.close(), log.close()]);
  };
  return { ways, close };
}

async function produce(brokers: readonly string[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const bytes of SIZES) {
    const bodies = Array.from({ length: IN_FLIGHT }, () => randomBytes(bytes));
    const { ways, close } = await senders(brokers, `produce-${bytes}.`);
    const costs = new Map(Object.keys(ways).map((name): [string, Cost[]] => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, send] of Object.entries(ways)) {
        costs.get(name)?.push(await measured(bytes, (i) => send(bodies[i % IN_FLIGHT] as Buffer, i % PARTITIONS)));
      }
    }
    await close();
    for (const [name, all] of costs) rows.push(cells(name, bytes, all));
  }
  return rows;
}

function open(brokers: readonly string[], topicPrefix: string): Promise<EventLog> {
  return openKafkaLog({
    brokers,
    clientId: 'bench',
    partitions: PARTITIONS,
    replication: 1,
    codec: bodyCodec,
    topicPrefix,
    logger: silent,
  });
}

async function read(brokers: readonly string[]): Promise<string[][]> {
  const topicPrefix = 'read.';
  const log = await open(brokers, topicPrefix);
  for (let i = 0; i < 200; i++) await log.append(UPLOADS, 0, 'session', { body: randomBytes(5 * 1024) } as never);

  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < READS; i++) {
    ours.push(await startOfRead(log, 10 + i));
    theirs.push(await startOfConsumer(brokers, `${topicPrefix}${UPLOADS}`, 10 + i));
  }
  const tail: number[] = [];
  const { next } = await log.bounds(UPLOADS, 0);
  const stop = new AbortController();
  const batches = log.read(UPLOADS, 0, next, { signal: stop.signal })[Symbol.asyncIterator]();
  for (let i = 0; i < 200; i++) {
    const waiting = batches.next();
    await log.append(UPLOADS, 0, 'session', { body: randomBytes(5 * 1024) } as never);
    const acknowledged = performance.now();
    await waiting;
    tail.push(performance.now() - acknowledged);
  }
  stop.abort();
  await log.close();
  return [
    times('read start: the log', ours),
    times('read start: kafkajs consumer of its own group', theirs),
    times('tail: from acknowledged to read', tail),
  ];
}

async function startOfRead(log: EventLog, from: number): Promise<number> {
  const began = performance.now();
  const stop = new AbortController();
  for await (const _ of log.read(UPLOADS, 0, toOffset(from), { signal: stop.signal })) break;
  stop.abort();
  return performance.now() - began;
}

async function startOfConsumer(brokers: readonly string[], topic: string, from: number): Promise<number> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const began = performance.now();
  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 500 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: false });
  let found: (ms: number) => void = () => {};
  const first = new Promise<number>((resolve) => {
    found = resolve;
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      if (batch.partition === 0) found(performance.now() - began);
    },
  });
  consumer.seek({ topic, partition: 0, offset: String(from) });
  const ms = await first;
  await consumer.disconnect();
  return ms;
}

function times(name: string, ms: readonly number[]): string[] {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
  return [name, at(0.5), at(0.9), at(1)];
}

/** Runs against a broker in a container on the same machine. */
async function withBroker(measure: (brokers: readonly string[]) => Promise<string[][]>): Promise<string[][]> {
  if (noContainers) throw new Error(noContainers);
  const kafka = await startKafka();
  try {
    return await measure(kafka.brokers);
  } finally {
    await kafka.stop();
  }
}

/** What producing costs the log, beside other ways to send: values of one size, a number of them in flight, as ingest does it. */
export async function benchKafkaProduce(): Promise<BenchTable> {
  return {
    about: `${IN_FLIGHT} in flight, ${PARTITIONS} partitions, median of ${ROUNDS} rounds, broker in a container on the same machine`,
    columns: ['value', 'how', 'MB/s', 'records/s', 'CPU-s/GB', 'of the rounds'],
    rows: await withBroker(produce),
  };
}

/** From asking for a position in the middle of a partition to its first record, beside a kafkajs consumer; and how fresh a tail is. */
export async function benchKafkaRead(): Promise<BenchTable> {
  return {
    about: `${READS} starts of reading, 200 records at the tail, broker in a container on the same machine`,
    columns: ['what', 'median, ms', 'p90, ms', 'most, ms'],
    rows: await withBroker(read),
  };
}
