import { randomBytes, randomUUID } from 'node:crypto';
import { cpus } from 'node:os';
import process from 'node:process';
import { startKafka } from '@playhead/containers';
import { openKafkaLog } from '@playhead/log-kafka';
import type { EventLog, Logger, RecordCodec } from '@playhead/ports';
import type { TopicRecords } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';
import type { Producer } from 'kafkajs';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

/**
 * What the log costs beside kafkajs's own producer and consumer, on a broker in a container on the same machine:
 *
 *     node packages/log-kafka/bench/kafka-client.ts
 *
 * Producing: values of one size, a number of them in flight, as ingest does it. Reading: from asking for a position in the
 * middle of a partition to its first record.
 */
const PARTITIONS = 4;
const IN_FLIGHT = 32;
const TOTAL_BYTES = 512 * 1024 * 1024;
const SIZES = [5 * 1024, 64 * 1024];
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

function row(name: string, bytes: number, { mbPerS, recordsPerS, cpuSPerGb }: Cost): void {
  const cells = [
    name.padEnd(34),
    `${bytes / 1024} KB`.padStart(6),
    `${mbPerS.toFixed(1)} MB/s`.padStart(11),
    `${recordsPerS.toFixed(0)}/s`.padStart(8),
  ];
  process.stdout.write(`${cells.join('  ')}  ${cpuSPerGb.toFixed(1)} CPU-s/GB\n`);
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

async function produce(brokers: readonly string[]): Promise<void> {
  for (const bytes of SIZES) {
    const bodies = Array.from({ length: IN_FLIGHT }, () => randomBytes(bytes));
    const body = (i: number): Buffer => bodies[i % IN_FLIGHT] as Buffer;
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
    await producer.connect();

    const log = await open(brokers, `produce-${bytes}.`);
    const topic = `produce-${bytes}.${UPLOADS}`;
    const one = (i: number) =>
      producer.send({ topic, acks: -1, messages: [{ key: 'session', value: body(i), partition: i % PARTITIONS }] });
    row('kafkajs producer, one by one', bytes, await measured(bytes, one));
    const gather = gathering(producer, topic);
    row('kafkajs producer, sendBatch of 2 ms', bytes, await measured(bytes, (i) => gather(body(i), i % PARTITIONS)));
    row('the log', bytes, await measured(bytes, (i) => log.append(UPLOADS, i % PARTITIONS, 'session', { body: body(i) } as never)));
    await producer.disconnect();
    await log.close();
  }
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

async function read(brokers: readonly string[]): Promise<void> {
  const topicPrefix = 'read.';
  const log = await open(brokers, topicPrefix);
  for (let i = 0; i < 200; i++) await log.append(UPLOADS, 0, 'session', { body: randomBytes(5 * 1024) } as never);

  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < READS; i++) {
    ours.push(await startOfRead(log, 10 + i));
    theirs.push(await startOfConsumer(brokers, `${topicPrefix}${UPLOADS}`, 10 + i));
  }
  times('read start: the log', ours);
  times('read start: kafkajs consumer of its own group', theirs);

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
  times('tail: from acknowledged to read', tail);
  await log.close();
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

function times(name: string, ms: readonly number[]): void {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
  process.stdout.write(`${name.padEnd(46)}  median ${at(0.5)} ms, p90 ${at(0.9)} ms, most ${at(1)} ms\n`);
}

const kafka = await startKafka();
process.stdout.write(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, broker on the same machine\n`);
try {
  await produce(kafka.brokers);
  await read(kafka.brokers);
} finally {
  await kafka.stop();
}
