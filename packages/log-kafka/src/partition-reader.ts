import type { Clock, LogBatch, Logger, LogRecord, RecordCodec } from '@playhead/ports';
import { pause } from '@playhead/ports';
import type { Offset, Topic } from '@playhead/schemas';
import { nextOffset, PlayheadError, toOffset } from '@playhead/schemas';
import type { FetchLanes } from './fetch-lanes.ts';
import type { FetchedRecord, PartitionBounds } from './kafka-client.ts';
import { KafkaFault } from './kafka-client.ts';

export interface ReaderContext {
  readonly lanes: Pick<FetchLanes, 'fetch'>;
  readonly bounds: (topic: string, partition: number) => Promise<PartitionBounds>;
  readonly codec: RecordCodec;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ReaderOptions<T extends Topic> {
  readonly topic: T;
  /** The topic's name in Kafka. */
  readonly name: string;
  readonly partition: number;
  readonly from: Offset;
  readonly batchBytesMax: number;
  readonly signal: AbortSignal;
}

/** How often a reader ahead of the log's end asks whether it is there. */
const AHEAD_PAUSE_MS = 200;

/**
 * Reads one partition from an offset on, for as long as the signal lets it. What one answer of the broker holds beyond a
 * batch is kept for the next ones; nothing is fetched ahead of that.
 *
 * @throws {PlayheadError} `position_gone` with `details.first`, `log_unavailable`
 */
export async function* readPartition<T extends Topic>(context: ReaderContext, options: ReaderOptions<T>): AsyncGenerator<LogBatch<T>> {
  const { topic, batchBytesMax, signal } = options;
  let position = options.from;
  let held: readonly FetchedRecord[] = [];
  while (!signal.aborted) {
    const { taken, rest } = cut(held, batchBytesMax);
    held = rest;
    const last = taken.at(-1);
    if (!last) {
      held = (await fetchFrom(context, options, position)).filter((record) => record.offset >= position);
      continue;
    }
    const records = await decoded(context.codec, topic, taken);
    position = nextOffset(toOffset(last.offset));
    if (!signal.aborted) yield { records, next: position };
  }
}

/** Records of at least the position; none when there is reason to ask again. */
async function fetchFrom<T extends Topic>(
  context: ReaderContext,
  { name, partition, batchBytesMax, signal }: ReaderOptions<T>,
  position: Offset,
): Promise<readonly FetchedRecord[]> {
  try {
    // Kafka takes some offsets below 0 for commands.
    if (position < 0) throw new KafkaFault('out_of_range', `offset ${position}`);
    const answer = await context.lanes.fetch({ topic: name, partition, offset: position, bytesMax: batchBytesMax }, signal);
    return answer?.records ?? [];
  } catch (error) {
    if (!(error instanceof KafkaFault) || error.kind !== 'out_of_range') throw unavailable(error);
  }
  const { first, next } = await context.bounds(name, partition);
  if (position < first) {
    throw new PlayheadError('position_gone', `the log begins at ${first}, asked for ${position}`, { details: { first } });
  }
  if (position > next) context.logger.debug({ topic: name, partition, position, next }, 'a reader is ahead of the end of the log');
  await pause(context.clock, AHEAD_PAUSE_MS, signal);
  return [];
}

/** The first records up to `bytesMax`; at least one, where there is one. */
function cut(records: readonly FetchedRecord[], bytesMax: number): { taken: readonly FetchedRecord[]; rest: readonly FetchedRecord[] } {
  let bytes = 0;
  let count = 0;
  for (const { value } of records) {
    bytes += value?.length ?? 0;
    if (count > 0 && bytes > bytesMax) break;
    count += 1;
  }
  return { taken: records.slice(0, count), rest: records.slice(count) };
}

async function decoded<T extends Topic>(codec: RecordCodec, topic: T, fetched: readonly FetchedRecord[]): Promise<LogRecord<T>[]> {
  const records: LogRecord<T>[] = [];
  for (const { offset: at, key, value } of fetched) {
    const offset = toOffset(at);
    if (value === null) {
      records.push({ offset, key, record: null, fault: 'a record without a value' });
      continue;
    }
    // A copy: what is kept of a record would keep the whole answer, with the records of other partitions, in memory.
    const bytes = new Uint8Array(value);
    const waiting = codec.ready?.(topic, bytes);
    if (waiting) await waiting.catch(rethrowUnavailable);
    try {
      records.push({ offset, key, record: codec.decode(topic, bytes) });
    } catch (error) {
      records.push({ offset, key, record: null, fault: messageOf(error) });
    }
  }
  return records;
}

function rethrowUnavailable(error: unknown): never {
  throw unavailable(error);
}

function unavailable(error: unknown): PlayheadError {
  if (error instanceof PlayheadError) return error;
  return new PlayheadError('log_unavailable', `the log cannot be read: ${messageOf(error)}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
