import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import process from 'node:process';
import { noContainers, startKafka } from '@playhead/containers';
import type { KafkaClientName } from '@playhead/log-kafka';
import { openKafkaLog } from '@playhead/log-kafka';
import type { EventLog, RecordCodec } from '@playhead/ports';
import type { TopicRecords } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import { silentLogger } from '@playhead/testkit';
import type { Producer } from 'kafkajs';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { withScript } from './bare-script.ts';
import type { Goal } from './goal.ts';
import { goalTable } from './goal.ts';
import type { Run } from './run.ts';
import type { BenchTable } from './table.ts';
import { median, quantile } from './table.ts';

const PARTITIONS = 4;
const IN_FLIGHT = 32;
const TOTAL_BYTES = 256 * 1024 * 1024;
const SIZES = [5 * 1024, 64 * 1024];
/** Of every row, in turns, so that whatever else the machine does falls on all of them. */
const ROUNDS = 5;
const READS = 20;

const UPLOADS = 'playhead.uploads';
const CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic'];
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

/** @param run takes that many values to where they go; an eighth of them first, which is not measured */
async function measured(bytesEach: number, run: (count: number) => Promise<void>): Promise<Cost> {
  const count = Math.min(20_000, Math.floor(TOTAL_BYTES / bytesEach));
  await run(Math.floor(count / 8));
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(count);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const gb = (count * bytesEach) / 1e9;
  return { mbPerS: (gb * 1000) / seconds, recordsPerS: count / seconds, cpuSPerGb: (user + system) / 1e6 / gb };
}

async function manySent(count: number, send: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < count) await send(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
}

/** Reads as many records from the beginning of the partitions, of all at once. */
async function readBack(log: EventLog, count: number): Promise<void> {
  const share = Math.floor(count / PARTITIONS);
  const reader = async (partition: number): Promise<void> => {
    let left = share;
    for await (const { records } of log.read(UPLOADS, partition, toOffset(0), { signal: new AbortController().signal })) {
      left -= records.length;
      if (left <= 0) return;
    }
  };
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => reader(partition)));
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

/** What gathers for 2 ms goes as one `sendBatch`. */
function gathering(producer: Producer, topic: string): (value: Buffer, partition: number) => Promise<void> {
  let waiting: { key: string; value: Buffer; partition: number; settle: (error?: unknown) => void }[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    try {
      const messages = batch.map(({ key, value, partition }) => ({ key, value, partition }));
      await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] });
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
      waiting.push({ key: 'session', value, partition, settle });
    });
}

const SOCKET = 'a TCP socket that a peer reads';
const AS_IT_COMES = 'kafkajs producer, one by one';
const logOver = (client: KafkaClientName): string => `the log over ${client}`;

/** Ways to bring values to one topic, and back; and, to compare, to a socket. */
async function openWays(brokers: readonly string[], socketUrl: string, topicPrefix: string, bytes: number) {
  const topic = topicPrefix + UPLOADS;
  const bodies = Array.from({ length: IN_FLIGHT }, () => randomBytes(bytes));
  const bodyOf = (i: number): Buffer => bodies[i % IN_FLIGHT] as Buffer;
  const logs = await Promise.all(
    CLIENTS.map(async (client): Promise<[string, EventLog]> => [logOver(client), await open(brokers, topicPrefix, client)]),
  );
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
  await producer.connect();
  const gather = gathering(producer, topic);
  const oneByOne = (i: number) =>
    producer.send({ topic, acks: -1, messages: [{ key: 'session', value: bodyOf(i), partition: i % PARTITIONS }] });

  const { hostname, port } = new URL(socketUrl);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const written = (i: number) =>
    new Promise<void>((resolve, reject) => socket.write(bodyOf(i), (error) => (error ? reject(error) : resolve())));

  const ways = new Map<string, (count: number) => Promise<void>>();
  ways.set(SOCKET, (count) => manySent(count, written));
  ways.set(AS_IT_COMES, (count) => manySent(count, oneByOne));
  ways.set('kafkajs producer, sendBatch of 2 ms', (count) => manySent(count, (i) => gather(bodyOf(i), i % PARTITIONS)));
  for (const [name, log] of logs) {
    const append = (i: number) => log.append(UPLOADS, i % PARTITIONS, 'session', { body: bodyOf(i) } as never);
    ways.set(name, (count) => manySent(count, append));
  }
  for (const [name, log] of logs) ways.set(`${name}, reading`, (count) => readBack(log, count));

  const close = async (): Promise<void> => {
    socket.destroy();
    await Promise.all([producer.disconnect(), ...logs.map(([, log]) => log.close())]);
  };
  return { ways, close };
}

/** What every way cost, by the bytes of a value. */
type Produced = ReadonlyMap<number, ReadonlyMap<string, readonly Cost[]>>;

async function produce(brokers: readonly string[], socketUrl: string): Promise<Produced> {
  const produced = new Map<number, Map<string, Cost[]>>();
  for (const bytes of SIZES) {
    const { ways, close } = await openWays(brokers, socketUrl, `produce-${bytes}.`, bytes);
    const costs = new Map([...ways.keys()].map((name): [string, Cost[]] => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, run] of ways) costs.get(name)?.push(await measured(bytes, run));
    }
    await close();
    produced.set(bytes, costs);
  }
  return produced;
}

/** Half of what kafkajs costs as it comes is the goal, for the client that is used where none is named; a socket is the least that it can be. */
function appendGoals(produced: Produced): Goal[] {
  return [...produced].flatMap(([bytes, costs]) => {
    const cpu = (way: string): number => median((costs.get(way) ?? []).map(({ cpuSPerGb }) => cpuSPerGb));
    const goal = (client: KafkaClientName, baseline: string, bound?: Goal['bound']): Goal => ({
      what: `${bytes / 1024} KB, ${logOver(client)}: ${baseline}`,
      measured: `${cpu(logOver(client)).toFixed(1)} s/GB`,
      baseline: `${cpu(baseline).toFixed(1)} s/GB`,
      ratio: cpu(logOver(client)) / cpu(baseline),
      bound,
    });
    return CLIENTS.flatMap((client) => [
      goal(client, AS_IT_COMES, client === 'platformatic' ? { atMost: 0.5 } : undefined),
      goal(client, SOCKET),
    ]);
  });
}

function open(brokers: readonly string[], topicPrefix: string, client: KafkaClientName): Promise<EventLog> {
  return openKafkaLog({
    client,
    brokers,
    clientId: 'bench',
    partitions: PARTITIONS,
    replication: 1,
    codec: bodyCodec,
    topicPrefix,
    logger: silentLogger,
  });
}

async function read(brokers: readonly string[]): Promise<string[][]> {
  const topicPrefix = 'read.';
  const logs = await Promise.all(CLIENTS.map((client) => open(brokers, topicPrefix, client)));
  const [first] = logs;
  for (let i = 0; i < 200; i++) await first?.append(UPLOADS, 0, 'session', { body: randomBytes(5 * 1024) } as never);

  const starts = CLIENTS.map((): number[] => []);
  const theirs: number[] = [];
  for (let i = 0; i < READS; i++) {
    for (const [at, log] of logs.entries()) starts[at]?.push(await startOfRead(log, 10 + i));
    theirs.push(await startOfConsumer(brokers, `${topicPrefix}${UPLOADS}`, 10 + i));
  }
  const tails: number[][] = [];
  for (const log of logs) tails.push(await tail(log));
  await Promise.all(logs.map((log) => log.close()));
  return [
    ...CLIENTS.map((client, at) => times(`read start: the log over ${client}`, starts[at] ?? [])),
    times('read start: kafkajs consumer of its own group', theirs),
    ...CLIENTS.map((client, at) => times(`tail: from acknowledged to read, over ${client}`, tails[at] ?? [])),
  ];
}

async function tail(log: EventLog): Promise<number[]> {
  const ms: number[] = [];
  const { next } = await log.bounds(UPLOADS, 0);
  const stop = new AbortController();
  const batches = log.read(UPLOADS, 0, next, { signal: stop.signal })[Symbol.asyncIterator]();
  for (let i = 0; i < 200; i++) {
    const waiting = batches.next();
    await log.append(UPLOADS, 0, 'session', { body: randomBytes(5 * 1024) } as never);
    const acknowledged = performance.now();
    await waiting;
    ms.push(performance.now() - acknowledged);
  }
  stop.abort();
  return ms;
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
  const at = (share: number): string => quantile(sorted, share).toFixed(1);
  return [name, at(0.5), at(0.9), at(1)];
}

/** Runs against a broker in a container on the same machine. */
async function withBroker<T>(measure: (brokers: readonly string[]) => Promise<T>): Promise<T> {
  if (noContainers) throw new Error(noContainers);
  const kafka = await startKafka();
  try {
    return await measure(kafka.brokers);
  } finally {
    await kafka.stop();
  }
}

/** What appending costs the log, beside kafkajs's own producer and a socket, and reading: values of one size, a number of them in flight, as ingest does it. */
export async function benchKafkaProduce({ report }: Run): Promise<void> {
  const reader = new URL('socket-reader.ts', import.meta.url);
  const produced = await withBroker((brokers) => withScript('socket', reader, ({ gateway }) => produce(brokers, gateway)));
  report({
    about: `${IN_FLIGHT} in flight, ${PARTITIONS} partitions, median of ${ROUNDS} rounds, broker in a container on the same machine`,
    columns: ['value', 'how', 'MB/s', 'records/s', 'CPU-s/GB', 'least to most'],
    rows: [...produced].flatMap(([bytes, costs]) => [...costs].map(([name, all]) => cells(name, bytes, all))),
  });
  report(goalTable('CPU-s per GB of values, in the process that appends them', appendGoals(produced)));
}

/** From asking for a position in the middle of a partition to its first record, beside a kafkajs consumer; and how fresh a tail is. */
export async function benchKafkaRead(): Promise<BenchTable> {
  return {
    about: `${READS} starts of reading, 200 records at the tail, broker in a container on the same machine`,
    columns: ['what', 'median, ms', 'p90, ms', 'most, ms'],
    rows: await withBroker(read),
  };
}
