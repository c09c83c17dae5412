import type { Clock, Logger } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import type { KafkaClient, ProducePart } from './kafka-client.ts';
import { isPassing, KafkaFault } from './kafka-client.ts';

export interface AppendLimits {
  /** What is appended within this time shares a request. */
  readonly lingerMs: number;
  /** Bytes that wait or are under way. Beyond it an append is refused at once; one alone is always taken. */
  readonly waitingBytesMax: number;
  /** Bytes of one request. One larger record still goes alone. */
  readonly requestBytesMax: number;
  /** Bytes of one partition in one request: it becomes one batch, and the broker bounds batches. One larger record still goes alone. */
  readonly batchBytesMax: number;
  /** Requests under way to one broker. */
  readonly requestsMax: number;
  /** After this time an append that is not known to be durable is given up. */
  readonly timeoutMs: number;
  /** Before what failed is tried again. */
  readonly retryPauseMs: number;
}

export const APPEND_LIMITS: AppendLimits = {
  lingerMs: 2,
  waitingBytesMax: 64 * 1024 * 1024,
  requestBytesMax: 8 * 1024 * 1024,
  batchBytesMax: 4 * 1024 * 1024,
  requestsMax: 3,
  timeoutMs: 10_000,
  retryPauseMs: 100,
};

/** Of one batch: kafkajs spreads them into a call's arguments when it reads them, whose number is bounded. */
const BATCH_RECORDS_MAX = 10_000;
/** Kafka's framing of a record, at most; keys count as they are. */
const RECORD_OVERHEAD_BYTES = 64;

interface Entry {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: Uint8Array;
  readonly bytes: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: PlayheadError) => void;
  settled: boolean;
  /** Failed, and waits for word of who leads. */
  held: boolean;
  cancelTimer: () => void;
}

/**
 * Gathers appends into requests, one at a time per broker and linger, and tells each its offset.
 *
 * What fails for a reason that passes (no connection, another leader) is sent again until the time is up; so a record may be
 * in the log twice, or be there although its append failed. Readers recognise duplicates.
 */
export class AppendQueue {
  readonly #client: Pick<KafkaClient, 'leaderOf' | 'refresh' | 'produce'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: AppendLimits;
  #waiting: Entry[] = [];
  /** Of what waits or is under way, also when it was given up: it is still in memory. */
  #bytes = 0;
  readonly #underWay = new Map<number, number>();
  #round: (() => void) | undefined;
  #refreshing = false;
  readonly #drained: (() => void)[] = [];
  #closed = false;

  constructor(client: Pick<KafkaClient, 'leaderOf' | 'refresh' | 'produce'>, clock: Clock, logger: Logger, limits: AppendLimits) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
  }

  /** Bytes that wait or are under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Resolves with the record's offset when it is durable.
   *
   * @throws {PlayheadError} `log_unavailable`
   */
  add(topic: string, partition: number, key: string, value: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(new PlayheadError('log_unavailable', 'the log is closed'));
    const bytes = value.length + key.length + RECORD_OVERHEAD_BYTES;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limits.waitingBytesMax) {
      return Promise.reject(new PlayheadError('log_unavailable', `${this.#bytes} bytes wait for the log already`));
    }
    return new Promise((resolve, reject) => {
      const entry: Entry = { topic, partition, key, value, bytes, resolve, reject, settled: false, held: false, cancelTimer: () => {} };
      entry.cancelTimer = this.#clock.setTimer(this.#limits.timeoutMs, () => this.#giveUp(entry));
      this.#bytes += bytes;
      this.#waiting.push(entry);
      this.#soon(this.#limits.lingerMs);
    });
  }

  /** Takes no more; resolves when what was added is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#send();
    if (this.#bytes > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Sends in `ms`, unless that is planned for already. */
  #soon(ms: number): void {
    if (this.#round) return;
    this.#round = this.#clock.setTimer(ms, () => {
      this.#round = undefined;
      this.#send();
    });
  }

  #send(): void {
    const entries = this.#waiting;
    this.#waiting = [];
    const byBroker = new Map<number, Entry[]>();
    const left: Entry[] = [];
    let leaderless = false;
    for (const entry of entries) {
      if (entry.held) {
        left.push(entry);
        continue;
      }
      const broker = this.#client.leaderOf(entry.topic, entry.partition);
      if (broker === undefined) leaderless = true;
      if (broker === undefined || (this.#underWay.get(broker) ?? 0) >= this.#limits.requestsMax) left.push(entry);
      else if (!pushTo(byBroker, broker, entry)) byBroker.set(broker, [entry]);
    }
    for (const [broker, mine] of byBroker) left.push(...this.#sendTo(broker, mine));
    // In order of coming: entries of one broker were kept in it, and those of different brokers are of different partitions.
    this.#waiting = [...left, ...this.#waiting];
    if (leaderless) this.#refresh([...new Set(left.map((entry) => entry.topic))]);
    this.#checkDrained();
  }

  /** Starts as many requests to a broker as may be under way; answers with what has to wait. */
  #sendTo(broker: number, entries: readonly Entry[]): readonly Entry[] {
    let rest = entries;
    while (rest.length > 0 && (this.#underWay.get(broker) ?? 0) < this.#limits.requestsMax) {
      const request = gather(rest, this.#limits);
      rest = request.rest;
      this.#underWay.set(broker, (this.#underWay.get(broker) ?? 0) + 1);
      void this.#request(broker, request.batches);
    }
    return rest;
  }

  async #request(broker: number, batches: readonly (readonly Entry[])[]): Promise<void> {
    try {
      const outcomes = await this.#client.produce(broker, batches.map(partOf));
      const failed = new Map<string, { fault: KafkaFault; entries: Entry[] }>();
      for (const [i, batch] of batches.entries()) {
        const outcome = outcomes[i];
        if (typeof outcome === 'number') this.#succeed(batch, outcome);
        else {
          const fault = outcome ?? new KafkaFault('unreachable', 'the broker did not say what became of a record');
          const same = failed.get(fault.message) ?? { fault, entries: [] };
          same.entries.push(...batch);
          failed.set(fault.message, same);
        }
      }
      for (const { fault, entries } of failed.values()) this.#fail(entries, fault);
    } catch (error) {
      this.#fail(batches.flat(), error);
    }
    this.#underWay.set(broker, (this.#underWay.get(broker) ?? 1) - 1);
    if (this.#waiting.length > 0) this.#soon(this.#limits.lingerMs);
    this.#checkDrained();
  }

  #succeed(batch: readonly Entry[], first: number): void {
    for (const [i, entry] of batch.entries()) {
      this.#free(entry);
      if (entry.settled) continue;
      entry.settled = true;
      entry.cancelTimer();
      entry.resolve(first + i);
    }
  }

  #fail(entries: readonly Entry[], error: unknown): void {
    const passing = isPassing(error);
    const again: Entry[] = [];
    for (const entry of entries) {
      if (passing && !entry.settled) {
        entry.held = true;
        again.push(entry);
        continue;
      }
      this.#free(entry);
      if (entry.settled) continue;
      entry.settled = true;
      entry.cancelTimer();
      entry.reject(unavailable(error));
    }
    this.#logger.warn({ err: error, records: entries.length, again: again.length }, 'appending to the log failed');
    if (again.length === 0) return;
    this.#waiting = [...again, ...this.#waiting];
    this.#refresh([...new Set(again.map((entry) => entry.topic))]);
  }

  /** Asks who leads, pauses, and sends again. */
  #refresh(topics: readonly string[]): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const done = (): void => {
      this.#clock.setTimer(this.#limits.retryPauseMs, () => {
        this.#refreshing = false;
        for (const entry of this.#waiting) entry.held = false;
        this.#send();
      });
    };
    this.#client.refresh(topics).then(done, (error: unknown) => {
      this.#logger.warn({ err: error, topics }, 'asking who leads the partitions failed');
      done();
    });
  }

  #giveUp(entry: Entry): void {
    entry.settled = true;
    const { timeoutMs } = this.#limits;
    entry.reject(new PlayheadError('log_unavailable', `the log did not confirm a record within ${timeoutMs} ms; it may have it`));
    const at = this.#waiting.indexOf(entry);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.#free(entry);
    this.#checkDrained();
  }

  #free(entry: Entry): void {
    this.#bytes -= entry.bytes;
  }

  #checkDrained(): void {
    if (this.#bytes > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

function pushTo(byBroker: ReadonlyMap<number, Entry[]>, broker: number, entry: Entry): boolean {
  return (byBroker.get(broker)?.push(entry) ?? 0) > 0;
}

/** The next request out of `entries`: one batch a partition, in order; the rest keeps its order. */
function gather(entries: readonly Entry[], limits: AppendLimits): { batches: Entry[][]; rest: Entry[] } {
  const batches = new Map<string, { entries: Entry[]; bytes: number; full: boolean }>();
  const rest: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const name = `${entry.topic}/${entry.partition}`;
    let batch = batches.get(name);
    if (!batch) {
      batch = { entries: [], bytes: 0, full: false };
      batches.set(name, batch);
    }
    const fitsBatch =
      batch.entries.length === 0 || (batch.bytes + entry.bytes <= limits.batchBytesMax && batch.entries.length < BATCH_RECORDS_MAX);
    const fitsRequest = bytes === 0 || bytes + entry.bytes <= limits.requestBytesMax;
    // Full once, full for all behind: they keep their order.
    batch.full ||= !(fitsBatch && fitsRequest);
    if (batch.full) {
      rest.push(entry);
      continue;
    }
    batch.entries.push(entry);
    batch.bytes += entry.bytes;
    bytes += entry.bytes;
  }
  return { batches: [...batches.values()].map((batch) => batch.entries).filter((batch) => batch.length > 0), rest };
}

function partOf(batch: readonly Entry[]): ProducePart {
  const [first] = batch;
  if (!first) throw new RangeError('an empty batch');
  return { topic: first.topic, partition: first.partition, records: batch };
}

function unavailable(cause: unknown): PlayheadError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlayheadError('log_unavailable', `the log did not take the record: ${reason.slice(0, 500)}`, { cause });
}
