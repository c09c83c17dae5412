import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlClient } from '@playhead/catalog-clickhouse';
import type { EventLog } from '@playhead/ports';

/** Uploads that are acknowledged and not yet in a flush that the catalog has. */
export interface Lag {
  readonly records: number;
  /** Age of the oldest of them, as far as it was looked at: true to {@link LOOK_MS}. */
  readonly seconds: number;
}

export const LOOK_MS = 500;
const ANSWER_MS_MAX = 60_000;

/** The end of a partition of the uploads at some time. */
interface Seen {
  readonly atMs: number;
  readonly next: number;
}

/** Looks at the ends of log and catalog, on a clock of its own, until it is closed. */
export class LagProbe {
  readonly #log: EventLog;
  readonly #sql: SqlClient;
  readonly #database: string;
  /** By partition, oldest first, without what the catalog has. */
  readonly #ends: Seen[][];
  readonly #closing = new AbortController();
  readonly #looking: Promise<void>;
  #last: Lag = { records: 0, seconds: 0 };
  #most: Lag = { records: 0, seconds: 0 };
  #looks = 0;
  #fault: unknown;

  /** Both are the probe's to close. */
  constructor(log: EventLog, sql: SqlClient, database: string) {
    [this.#log, this.#sql, this.#database] = [log, sql, database];
    this.#ends = Array.from({ length: log.partitions }, () => []);
    this.#looking = this.#look();
  }

  /** Forgets the most that was seen. */
  begin(): void {
    this.#most = this.#last;
  }

  /** The most since `begin`, of records and of seconds. */
  get most(): Lag {
    return this.#most;
  }

  /** A look that began after the call. @throws when there is none for a minute */
  async now(): Promise<Lag> {
    const [looks, began] = [this.#looks, performance.now()];
    while (this.#looks < looks + 2) {
      if (performance.now() - began > ANSWER_MS_MAX) throw new Error('log and catalog do not tell their ends', { cause: this.#fault });
      await sleep(LOOK_MS / 10);
    }
    return this.#last;
  }

  /** Seconds until nothing is behind; undefined when that takes longer than `limitS`. */
  async drained(limitS: number): Promise<number | undefined> {
    const began = performance.now();
    for (;;) {
      const { records } = await this.now();
      const seconds = (performance.now() - began) / 1000;
      if (records === 0) return seconds;
      if (seconds > limitS) return undefined;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
    await Promise.all([this.#log.close(), this.#sql.close()]);
  }

  async #look(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const began = performance.now();
      try {
        await this.#once();
        this.#looks++;
      } catch (error) {
        // A server that is too busy to answer is asked again.
        this.#fault = error;
      }
      await sleep(Math.max(0, LOOK_MS - (performance.now() - began)), undefined, { signal }).catch(() => undefined);
    }
  }

  async #once(): Promise<void> {
    const atMs = performance.now();
    const ends = await Promise.all(this.#ends.map((_, partition) => this.#log.bounds('playhead.uploads', partition)));
    const rows = await this.#sql.query(`SELECT partition, chain_end FROM ${this.#database}.projection_progress`);
    const stored = new Map(rows.map((row) => [Number(row['partition']), Number(row['chain_end']) + 1]));
    let [records, sinceMs] = [0, atMs];
    for (const [partition, { next }] of ends.entries()) {
      const seen = this.#ends[partition] ?? [];
      const done = stored.get(partition) ?? 0;
      seen.push({ atMs, next });
      while (seen[0] && seen[0].next <= done) seen.shift();
      records += Math.max(0, next - done);
      sinceMs = Math.min(sinceMs, seen[0]?.atMs ?? atMs);
    }
    this.#last = { records, seconds: records === 0 ? 0 : (performance.now() - sinceMs) / 1000 };
    this.#most = { records: Math.max(this.#most.records, records), seconds: Math.max(this.#most.seconds, this.#last.seconds) };
  }
}
