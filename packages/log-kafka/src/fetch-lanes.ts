import type { Clock, Logger } from '@playhead/ports';
import { backoffMs } from '@playhead/ports';
import type { FetchedPart, FetchLane, FetchPart, KafkaClient } from './kafka-client.ts';
import { isPassing, KafkaFault } from './kafka-client.ts';

export interface FetchLimits {
  /** How long a request waits at the broker for records. */
  readonly maxWaitMs: number;
  /** Connections for requests that wait. */
  readonly lanesMax: number;
  /** For how long a failure that passes is borne before readers hear of it. */
  readonly patienceMs: number;
  readonly retryPauseMs: number;
  readonly retryPauseMaxMs: number;
}

export const FETCH_LIMITS: FetchLimits = { maxWaitMs: 500, lanesMax: 16, patienceMs: 20_000, retryPauseMs: 100, retryPauseMaxMs: 2_000 };

interface Want {
  readonly part: FetchPart;
  readonly resolve: (answer: FetchedPart | undefined) => void;
  readonly reject: (error: unknown) => void;
  done: boolean;
  /** When the failures began that it suffers from. */
  failingSinceMs: number | undefined;
}

interface Lane {
  readonly link: FetchLane;
  busy: boolean;
}

/**
 * Fetches for many readers over few connections. A request that waits at a broker blocks its connection, so each takes a
 * lane; all readers that want something at the time share it, and those that got nothing share the next one. A partition is
 * in a request once: a second reader of it takes another lane. Where all lanes wait, a reader waits for the first that is
 * answered, `maxWaitMs` at the most.
 */
export class FetchLanes {
  readonly #client: Pick<KafkaClient, 'leaderOf' | 'refresh' | 'openFetchLane'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: FetchLimits;
  readonly #lanes = new Set<Lane>();
  /** Everything that is wanted, wherever it waits. */
  readonly #wants = new Set<Want>();
  #waiting: Want[] = [];
  #planned = false;
  #failures = 0;
  #closed = false;

  constructor(client: Pick<KafkaClient, 'leaderOf' | 'refresh' | 'openFetchLane'>, clock: Clock, logger: Logger, limits: FetchLimits) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
  }

  /** Connections that are open. */
  get lanes(): number {
    return this.#lanes.size;
  }

  /**
   * Resolves with records at or behind the offset when there are some; with undefined when the signal aborts.
   *
   * @throws {KafkaFault} `out_of_range`, `refused`, or what did not pass in time
   */
  fetch(part: FetchPart, signal: AbortSignal): Promise<FetchedPart | undefined> {
    if (signal.aborted || this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        want.done = true;
        this.#wants.delete(want);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        finish();
        resolve(undefined);
      };
      const want: Want = {
        part,
        resolve: (answer) => {
          finish();
          resolve(answer);
        },
        reject: (error) => {
          finish();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
        done: false,
        failingSinceMs: undefined,
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#wants.add(want);
      this.#waiting.push(want);
      this.#plan();
    });
  }

  /** Ends what waits with undefined. */
  close(): void {
    this.#closed = true;
    for (const want of this.#wants) want.resolve(undefined);
    for (const lane of this.#lanes) lane.link.close();
    this.#lanes.clear();
  }

  /** Sends at the end of this turn: what is wanted until then shares a request. */
  #plan(): void {
    if (this.#planned || this.#closed) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#closed) return;
    const left: Want[] = [];
    const byBroker = new Map<number, Want[]>();
    const leaderless: Want[] = [];
    for (const want of this.#waiting) {
      if (want.done) continue;
      const broker = this.#client.leaderOf(want.part.topic, want.part.partition);
      const mine = broker === undefined ? undefined : byBroker.get(broker);
      if (broker === undefined) leaderless.push(want);
      else if (mine) mine.push(want);
      else byBroker.set(broker, [want]);
    }
    for (const [broker, wants] of byBroker) left.push(...this.#sendTo(broker, wants));
    this.#waiting = left;
    if (leaderless.length > 0) this.#afterRefresh(leaderless);
  }

  /** Gives lanes to wants while there are free ones; answers with the wants that got none. */
  #sendTo(broker: number, wants: readonly Want[]): readonly Want[] {
    let rest = wants;
    while (rest.length > 0) {
      const lane = this.#freeLane();
      if (!lane) break;
      const taken = new Map<string, Want>();
      const others: Want[] = [];
      for (const want of rest) {
        const name = `${want.part.topic}/${want.part.partition}`;
        if (taken.has(name)) others.push(want);
        else taken.set(name, want);
      }
      rest = others;
      lane.busy = true;
      void this.#request(lane, broker, [...taken.values()]);
    }
    return rest;
  }

  #freeLane(): Lane | undefined {
    for (const lane of this.#lanes) if (!lane.busy) return lane;
    if (this.#lanes.size >= this.#limits.lanesMax) return undefined;
    const lane: Lane = { link: this.#client.openFetchLane(), busy: false };
    this.#lanes.add(lane);
    return lane;
  }

  async #request(lane: Lane, broker: number, wants: readonly Want[]): Promise<void> {
    try {
      const answers = await lane.link.fetch(
        broker,
        wants.map((want) => want.part),
        this.#limits.maxWaitMs,
      );
      const failed = new Map<string, { fault: KafkaFault; wants: Want[] }>();
      for (const [i, want] of wants.entries()) {
        const answer = answers[i];
        if (want.done) continue;
        if (answer?.fault) {
          const same = failed.get(answer.fault.message) ?? { fault: answer.fault, wants: [] };
          same.wants.push(want);
          failed.set(answer.fault.message, same);
          continue;
        }
        this.#failures = 0;
        want.failingSinceMs = undefined;
        if (answer && answer.records.length > 0) want.resolve(answer);
        else this.#again(want);
      }
      for (const { fault, wants: suffering } of failed.values()) this.#fail(suffering, fault);
      this.#plan();
    } catch (error) {
      if (error instanceof KafkaFault && error.kind === 'unreachable') {
        this.#lanes.delete(lane);
        lane.link.close();
      }
      this.#fail(wants, error);
    } finally {
      lane.busy = false;
    }
  }

  #again(want: Want): void {
    if (!want.done) this.#waiting.push(want);
  }

  #fail(wants: readonly Want[], error: unknown): void {
    const nowMs = this.#clock.now();
    const again: Want[] = [];
    for (const want of wants) {
      if (want.done) continue;
      want.failingSinceMs ??= nowMs;
      if (isPassing(error) && nowMs - want.failingSinceMs < this.#limits.patienceMs) again.push(want);
      else want.reject(error);
    }
    if (this.#closed) return;
    // What cannot be read is told to the reader, who knows whether it is amiss.
    if (again.length > 0) {
      this.#logger.warn({ err: error, readers: wants.length }, 'reading the log failed; trying again');
      this.#afterRefresh(again);
    }
    this.#plan();
  }

  /** Asks who leads, pauses, and lets these be fetched again. Until then they are not in the queue. */
  #afterRefresh(wants: readonly Want[]): void {
    const topics = [...new Set(wants.map((want) => want.part.topic))];
    const { retryPauseMs, retryPauseMaxMs } = this.#limits;
    const pauseMs = backoffMs(retryPauseMs, this.#failures, retryPauseMaxMs);
    this.#failures += 1;
    const resume = (): void => {
      this.#clock.setTimer(pauseMs, () => {
        for (const want of wants) this.#again(want);
        this.#plan();
      });
    };
    this.#client.refresh(topics).then(resume, (error: unknown) => {
      this.#logger.warn({ err: error, topics }, 'asking who leads the partitions failed');
      for (const want of wants) want.failingSinceMs ??= this.#clock.now();
      resume();
    });
  }
}
