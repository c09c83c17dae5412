import type {
  FetchedPart,
  FetchedRecord,
  FetchLane,
  FetchPart,
  GroupLink,
  KafkaClient,
  NewTopic,
  PartitionBounds,
  ProducePart,
} from '../src/kafka-client.ts';
import { KafkaFault } from '../src/kafka-client.ts';

/** One produce request that waits for a test to say what becomes of it. */
export interface HeldProduce {
  readonly broker: number;
  readonly parts: readonly ProducePart[];
  /** Appends the records and answers. */
  accept(): void;
  /** Answers for each part on its own. */
  answer(outcome: (part: ProducePart) => KafkaFault | undefined): void;
  fail(fault: KafkaFault): void;
}

/** A cluster in memory, with as many brokers as wanted: partition p is led by broker p mod `brokers`. */
export class FakeKafka implements KafkaClient {
  readonly brokers: number;
  readonly created: NewTopic[] = [];
  readonly produced: HeldProduce[] = [];
  readonly fetches: { readonly broker: number; readonly parts: readonly FetchPart[] }[] = [];
  readonly #records = new Map<string, FetchedRecord[]>();
  readonly #firsts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  /** Produce requests are held for the test, instead of being accepted at once. */
  holds = false;
  /** What fetch requests fail with. */
  fetchFault: KafkaFault | undefined;
  leaderless = false;
  refreshes = 0;
  lanesOpen = 0;

  constructor(brokers = 1) {
    this.brokers = brokers;
  }

  async partitionCounts(): Promise<ReadonlyMap<string, number>> {
    return new Map(this.created.map(({ topic, partitions }) => [topic, partitions]));
  }

  async topicSettings(): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    return new Map(this.created.map(({ topic, settings }) => [topic, new Map(Object.entries(settings))]));
  }

  async createTopics(topics: readonly NewTopic[]): Promise<void> {
    this.created.push(...topics);
  }

  leaderOf(_topic: string, partition: number): number | undefined {
    return this.leaderless ? undefined : partition % this.brokers;
  }

  async refresh(): Promise<void> {
    this.refreshes += 1;
  }

  async bounds(topic: string, partition: number): Promise<PartitionBounds> {
    const name = `${topic}/${partition}`;
    return { first: this.#firsts.get(name) ?? 0, next: this.#recordsOf(name).length };
  }

  trim(topic: string, partition: number, first: number): void {
    this.#firsts.set(`${topic}/${partition}`, first);
  }

  produce(broker: number, parts: readonly ProducePart[]): Promise<readonly (number | KafkaFault)[]> {
    return new Promise((resolve, reject) => {
      const answer: HeldProduce['answer'] = (outcome) => resolve(parts.map((part) => outcome(part) ?? this.#append(part)));
      const held: HeldProduce = { broker, parts, accept: () => answer(() => undefined), answer, fail: reject };
      this.produced.push(held);
      if (!this.holds) held.accept();
    });
  }

  #append({ topic, partition, records }: ProducePart): number {
    const held = this.#recordsOf(`${topic}/${partition}`);
    const first = held.length;
    for (const [i, { key, value }] of records.entries()) held.push({ offset: first + i, key, value });
    for (const wake of this.#waiting) wake();
    return first;
  }

  openFetchLane(): FetchLane {
    this.lanesOpen += 1;
    let busy = false;
    return {
      fetch: async (broker, parts, maxWaitMs) => {
        if (busy) throw new Error('a lane takes one request at a time');
        busy = true;
        this.fetches.push({ broker, parts });
        const untilMs = Date.now() + maxWaitMs;
        try {
          for (;;) {
            if (this.fetchFault) throw this.fetchFault;
            const answers = parts.map((part) => this.#answerTo(part));
            if (answers.some(({ records, fault }) => fault ?? records.length > 0) || Date.now() >= untilMs) return answers;
            await this.#change(untilMs - Date.now());
          }
        } finally {
          busy = false;
        }
      },
      close: () => {
        this.lanesOpen -= 1;
      },
    };
  }

  #answerTo({ topic, partition, offset, bytesMax }: FetchPart): FetchedPart {
    const name = `${topic}/${partition}`;
    const held = this.#recordsOf(name);
    if (offset < (this.#firsts.get(name) ?? 0) || offset > held.length) return { records: [], fault: new KafkaFault('out_of_range', name) };
    let bytes = 0;
    const records: FetchedRecord[] = [];
    for (const record of held.slice(offset)) {
      bytes += record.value?.length ?? 0;
      if (records.length > 0 && bytes > bytesMax) break;
      records.push(record);
    }
    return { records };
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }

  #recordsOf(name: string): FetchedRecord[] {
    const held = this.#records.get(name) ?? [];
    this.#records.set(name, held);
    return held;
  }

  openGroupLink(): GroupLink {
    throw new Error('this fake has no groups');
  }

  async close(): Promise<void> {
    for (const wake of this.#waiting) wake();
  }
}
