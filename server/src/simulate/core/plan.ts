/** The pure part of the simulation: when a phone takes its pictures, and how the bundles travel. */

/** A stream of numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: the same seed gives the same phones. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Pictures in one bundle, as the phones pack them. */
export const FRAMES_PER_BUNDLE = 3;

const FRAME_INTERVAL_MS = 1000;
/** Phones are late or early by up to this share of the interval. */
const INTERVAL_JITTER = 0.35;
const SENT_TWICE_SHARE = 0.12;
const HELD_BACK_SHARE = 0.12;
/** A bundle that is held back leaves after the one behind it. */
const HELD_BACK_MS = 3600;
const REPEAT_AFTER_MS = 400;

/** Times of the pictures: ms since the session's epoch, growing, about one a second. */
export function frameTimes(durationMs: number, random: Random): number[] {
  const times: number[] = [];
  for (let at = 0; at < durationMs; ) {
    times.push(Math.round(at));
    at += FRAME_INTERVAL_MS * (1 + (random() * 2 - 1) * INTERVAL_JITTER);
  }
  return times;
}

/** One transmission of one bundle. */
export interface Sending {
  /** Ms since the session's epoch. */
  readonly atMs: number;
  readonly bundle: number;
  readonly repeat: boolean;
  /** It leaves after a bundle of later pictures. */
  readonly outOfOrder: boolean;
}

/** When each bundle leaves: as it is full, some after their successor, some twice. In order of time. */
export function planSendings(times: readonly number[], random: Random): Sending[] {
  const departures: { readonly atMs: number; readonly bundle: number; readonly repeat: boolean }[] = [];
  for (let first = 0, bundle = 0; first < times.length; first += FRAMES_PER_BUNDLE, bundle++) {
    const full = times[Math.min(first + FRAMES_PER_BUNDLE, times.length) - 1] ?? 0;
    const heldBack = random() < HELD_BACK_SHARE && first + FRAMES_PER_BUNDLE < times.length;
    const atMs = full + (heldBack ? HELD_BACK_MS : 0);
    departures.push({ atMs, bundle, repeat: false });
    if (random() < SENT_TWICE_SHARE) departures.push({ atMs: atMs + REPEAT_AFTER_MS, bundle, repeat: true });
  }
  departures.sort((a, b) => a.atMs - b.atMs);
  const sendings: Sending[] = [];
  let newest = -1;
  for (const { atMs, bundle, repeat } of departures) {
    sendings.push({ atMs, bundle, repeat, outOfOrder: bundle < newest && !repeat });
    newest = Math.max(newest, bundle);
  }
  return sendings;
}
