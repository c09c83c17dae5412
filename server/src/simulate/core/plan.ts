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

/** In most minutes a phone is put away once, for some seconds; never in the first ones. */
const ABSENCE_EVERY_MS = 60_000;
const ABSENCE_SHARE = 0.7;
const ABSENCE_FROM_MS = 18_000;
const ABSENCE_SHIFT_MS = 22_000;
const ABSENCE_MS = 6_000;
const ABSENCE_MORE_MS = 8_000;

/** A stretch in which the app is in the background: no picture is taken, nothing is sent. Ms since the session's epoch. */
export interface Absence {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When the app is in the background, in order; it has come back before the end. */
export function planAbsences(durationMs: number, random: Random): Absence[] {
  const absences: Absence[] = [];
  for (let minute = 0; minute < durationMs; minute += ABSENCE_EVERY_MS) {
    const isPutAway = random() < ABSENCE_SHARE;
    const fromMs = Math.round(minute + ABSENCE_FROM_MS + random() * ABSENCE_SHIFT_MS);
    const toMs = Math.round(fromMs + ABSENCE_MS + random() * ABSENCE_MORE_MS);
    if (isPutAway && toMs < durationMs) absences.push({ fromMs, toMs });
  }
  return absences;
}

/** Times of the pictures: ms since the session's epoch, growing, about one a second while the app is on the screen. */
export function frameTimes(durationMs: number, absences: readonly Absence[], random: Random): number[] {
  const times: number[] = [];
  for (let at = 0; at < durationMs; ) {
    const time = Math.round(at);
    if (!absences.some(({ fromMs, toMs }) => fromMs <= time && time < toMs)) times.push(time);
    at += FRAME_INTERVAL_MS * (1 + (random() * 2 - 1) * INTERVAL_JITTER);
  }
  return times;
}

/** The times of each bundle: as many as fit, fewer where the app goes into the background. */
export function planBundles(times: readonly number[], absences: readonly Absence[]): number[][] {
  const bundles: number[][] = [];
  const stretchOf = (time: number): number => absences.filter(({ fromMs }) => fromMs <= time).length;
  for (const time of times) {
    const open = bundles.at(-1);
    const last = open?.at(-1);
    if (open && last !== undefined && open.length < FRAMES_PER_BUNDLE && stretchOf(last) === stretchOf(time)) open.push(time);
    else bundles.push([time]);
  }
  return bundles;
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

/** When each bundle leaves: as it is full, some after their successor, some twice; none while the app is in the background. In order of time. */
export function planSendings(bundles: readonly (readonly number[])[], absences: readonly Absence[], random: Random): Sending[] {
  const departures: { readonly atMs: number; readonly bundle: number; readonly repeat: boolean }[] = [];
  const awake = (atMs: number): number => absences.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs)?.toMs ?? atMs;
  bundles.forEach((times, bundle) => {
    const full = times.at(-1) ?? 0;
    const heldBack = random() < HELD_BACK_SHARE && bundle + 1 < bundles.length;
    const atMs = full + (heldBack ? HELD_BACK_MS : 0);
    departures.push({ atMs: awake(atMs), bundle, repeat: false });
    if (random() < SENT_TWICE_SHARE) departures.push({ atMs: awake(atMs + REPEAT_AFTER_MS), bundle, repeat: true });
  });
  departures.sort((a, b) => a.atMs - b.atMs);
  const sendings: Sending[] = [];
  let newest = -1;
  for (const { atMs, bundle, repeat } of departures) {
    sendings.push({ atMs, bundle, repeat, outOfOrder: bundle < newest && !repeat });
    newest = Math.max(newest, bundle);
  }
  return sendings;
}
