import process from 'node:process';

/** How much is done: all of it takes about eight minutes. `BENCH_SHORT=1`: a look at whether it runs, in about three. */
export interface Plan {
  /** Of a closed loop: before it is measured, and while it is. */
  readonly warmS: number;
  readonly loopS: number;
  /** Of one that only asks what half of the maximum is. */
  readonly glanceS: number;
  /** Of a load that is watched. */
  readonly watchS: number;
  /** Of each step of a rising load. */
  readonly stepS: number;
  readonly steps: readonly number[];
  readonly openSessions: readonly number[];
  /** Opening the sessions of a row takes no longer. */
  readonly openS: number;
}

const FULL: Plan = {
  warmS: 2,
  loopS: 6,
  glanceS: 3,
  watchS: 12,
  stepS: 12,
  steps: [0.1, 0.25, 0.5, 0.75, 1],
  openSessions: [1_000, 20_000],
  openS: 120,
};

const SHORT: Plan = {
  ...FULL,
  warmS: 1,
  loopS: 2,
  glanceS: 2,
  watchS: 4,
  stepS: 4,
  steps: [0.25, 1],
  openSessions: [200, 1_000],
  openS: 20,
};

export const PLAN: Plan = process.env['BENCH_SHORT'] === '1' ? SHORT : FULL;

export const PARTITIONS = 6;
export const FLUSH_AGE_MS = 2_000;
/** Requests under way at a time in a closed loop. */
export const IN_FLIGHT = 32;
export const SMALL_BYTES = 20_000;
export const LARGE_BYTES = 200_000;

/** What every process is told. Sessions stay open through all of it. */
export const FLAGS: readonly string[] = Object.entries({
  partitions: PARTITIONS,
  'flush-age-ms': FLUSH_AGE_MS,
  'session-silence-ms': 3_600_000,
  'log-level': 'warn',
}).flatMap(([name, value]) => [`--${name}`, String(value)]);

export const ABOUT_MACHINE =
  'broker, stores, our processes and the load share one machine: read shapes and ratios, these are no capacities';
