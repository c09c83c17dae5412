import { PlayheadError } from '@playhead/schemas';
import type { Clock, Logger } from './runtime.ts';

/** What a process waits for, as its operator is told. */
export interface Waiting {
  /** The engine: log, blocks, catalog. */
  readonly engine: string;
  /** What it was asked for: a method of its port. */
  readonly operation: string;
  /** Since the first call of this kind that has failed or is not answered, Unix ms. */
  readonly sinceMs: number;
  /** Calls that are not answered yet. */
  readonly calls: number;
  /** Calls that have failed since `sinceMs`. */
  readonly failures: number;
  /** What the last of them said; '' while none has. */
  readonly error: string;
}

/** A call that is not answered for so long is waited for. Longer than a large object takes. */
const SLOW_MS = 5_000;
/** What is waited for is said again after this time. */
const SAID_AGAIN_MS = 10_000;
/** Calls that failed and were not repeated for so long are nobody's any more. Longer than any pause between attempts. */
const FORGOTTEN_MS = 90_000;

interface Calls {
  readonly engine: string;
  readonly operation: string;
  /** When those that are not answered yet began, the oldest first. */
  readonly underWay: Set<{ readonly sinceMs: number }>;
  failures: number;
  failingSinceMs: number;
  failedMs: number;
  error: string;
  /** When it was last said that these are waited for. */
  saidMs: number;
  /** Since when, as it was last said; null while nothing was, and after it was said to be over. */
  saidSinceMs: number | null;
}

/**
 * Watches the calls to the engines of a process and says what it waits for: at the first failure, or when an answer takes
 * long, then every ten seconds, however many wait and however often they try; and when it is over.
 *
 * An engine's kinds of calls are told apart: one that can be read may take no writes. Memory: what is under way.
 */
export class Waits {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #calls = new Map<string, Calls>();
  #ticking = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** What is waited for now, the longest first. */
  report(): readonly Waiting[] {
    const nowMs = this.#clock.now();
    const waiting: Waiting[] = [];
    for (const calls of this.#calls.values()) {
      const sinceMs = waitingSinceMs(calls, nowMs);
      if (sinceMs === undefined) continue;
      const { engine, operation, underWay, failures, error } = calls;
      waiting.push({ engine, operation, sinceMs, calls: underWay.size, failures, error });
    }
    return waiting.toSorted((a, b) => a.sinceMs - b.sinceMs);
  }

  /**
   * The same engine, its calls watched. What it answers with an error that waiting does not cure (`not_found`) counts as an answer.
   *
   * @param name of the engine, for people
   */
  watched<T extends object>(name: string, engine: T): T {
    return new Proxy(engine, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        const call = (...given: unknown[]): unknown => Reflect.apply(member, target, given);
        if (typeof key !== 'string' || key === 'close') return call;
        return (...given: unknown[]) => this.#watch(this.#callsOf(name, key), call(...given));
      },
    });
  }

  #watch(calls: Calls, answer: unknown): unknown {
    if (answer instanceof Promise) return this.#answered(calls, answer);
    if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer)
      return this.#read(calls, answer as AsyncIterable<unknown>);
    return answer;
  }

  async #answered<T>(calls: Calls, answer: Promise<T>): Promise<T> {
    const call = { sinceMs: this.#clock.now() };
    calls.underWay.add(call);
    this.#tickSoon();
    try {
      const value = await answer;
      calls.underWay.delete(call);
      this.#succeeded(calls);
      return value;
    } catch (error) {
      calls.underWay.delete(call);
      if (isAnswer(error)) this.#succeeded(calls);
      else this.#failed(calls, error, call.sinceMs);
      throw error;
    }
  }

  /** A reader that gets nothing may stand at the end, so only its failures count. */
  async *#read(calls: Calls, items: AsyncIterable<unknown>): AsyncGenerator {
    try {
      for await (const item of items) {
        this.#succeeded(calls);
        yield item;
      }
    } catch (error) {
      if (!isAnswer(error)) this.#failed(calls, error, this.#clock.now());
      throw error;
    }
  }

  #succeeded(calls: Calls): void {
    calls.failures = 0;
    if (calls.operation !== 'read') {
      // A reader at the end of the log hears nothing of its coming back: what else the log answers tells it.
      const reads = this.#calls.get(`${calls.engine} read`);
      if (reads && reads.failures > 0) this.#succeeded(reads);
    }
    if (waitingSinceMs(calls, this.#clock.now()) === undefined) this.#sayOver(calls, 'an engine answers again');
  }

  #failed(calls: Calls, error: unknown, sinceMs: number): void {
    calls.failedMs = this.#clock.now();
    if (calls.failures++ === 0) calls.failingSinceMs = sinceMs;
    calls.error = error instanceof Error ? error.message : String(error);
    this.#say(calls);
    this.#tickSoon();
  }

  #say(calls: Calls): void {
    const nowMs = this.#clock.now();
    const sinceMs = waitingSinceMs(calls, nowMs);
    if (sinceMs === undefined || nowMs - calls.saidMs < SAID_AGAIN_MS) return;
    calls.saidMs = nowMs;
    calls.saidSinceMs ??= sinceMs;
    const { engine, operation, underWay, failures, error } = calls;
    this.#logger.warn({ engine, operation, forMs: nowMs - sinceMs, calls: underWay.size, failures, error }, 'waiting for an engine');
  }

  #sayOver(calls: Calls, message: string): void {
    const { engine, operation, saidSinceMs } = calls;
    if (saidSinceMs === null) return;
    calls.saidSinceMs = null;
    this.#logger.info({ engine, operation, forMs: this.#clock.now() - saidSinceMs }, message);
  }

  #tickSoon(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.#clock.setTimer(SLOW_MS, () => {
      this.#ticking = false;
      for (const calls of this.#calls.values()) {
        if (calls.failures > 0 && calls.underWay.size === 0 && this.#clock.now() - calls.failedMs >= FORGOTTEN_MS) {
          calls.failures = 0;
          this.#sayOver(calls, 'nobody waits for an engine any more');
        }
        this.#say(calls);
        if (calls.failures > 0 || calls.underWay.size > 0) this.#tickSoon();
      }
    });
  }

  #callsOf(engine: string, operation: string): Calls {
    const name = `${engine} ${operation}`;
    let calls = this.#calls.get(name);
    if (calls === undefined) {
      const said = { saidMs: Number.NEGATIVE_INFINITY, saidSinceMs: null };
      calls = { engine, operation, underWay: new Set(), failures: 0, failingSinceMs: 0, failedMs: 0, error: '', ...said };
      this.#calls.set(name, calls);
    }
    return calls;
  }
}

/** Undefined while these calls are answered in time. */
function waitingSinceMs({ underWay, failures, failingSinceMs }: Calls, nowMs: number): number | undefined {
  const [oldest] = underWay;
  const slowSinceMs = oldest && nowMs - oldest.sinceMs >= SLOW_MS ? oldest.sinceMs : undefined;
  if (failures === 0) return slowSinceMs;
  return Math.min(failingSinceMs, slowSinceMs ?? failingSinceMs);
}

function isAnswer(error: unknown): boolean {
  return error instanceof PlayheadError && !error.retryable;
}
