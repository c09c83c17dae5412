import type { Random } from './random.ts';
import { between, oneOf, randomOf, shuffled } from './random.ts';

/** One process of a deployment: the role it has, and which of that role's. */
export interface Victim {
  readonly role: string;
  readonly place: number;
}

/**
 * What happens in one cycle. Delays are ms.
 *
 * - `kill`: SIGKILL of all victims, `delayMs` after everything is up, or, where `whileStarting` is given, when that share of the time has
 *   passed that a start takes; they are launched again `downMs` later.
 * - `freeze`: SIGSTOP of the victim, `delayMs` after everything is up, and SIGCONT `frozenMs` later: a zombie wakes up.
 */
export type Cycle =
  | {
      readonly kind: 'kill';
      readonly victims: readonly Victim[];
      readonly delayMs: number;
      /** 0 to a little over 1. The victims are those of the kill before. */
      readonly whileStarting?: number;
      readonly downMs: number;
    }
  | { readonly kind: 'freeze'; readonly victims: readonly [Victim]; readonly delayMs: number; readonly frozenMs: number };

/** How many processes of each role there are. */
export type Roles = Readonly<Record<string, number>>;

/** What a cycle is about: so many processes of each role at once; the last victims again, while they start; a zombie. */
type Card = { readonly [role: string]: number } | 'again' | 'freeze';

/** Of the time that a start took, so that a kill meets any step of it, and what comes right behind. */
const START_SHARE_MAX = 1.1;
/** A killed process lives at most this long beyond its start: some flushes, and a checkpoint now and then. */
const LIFE_MS = 4000;
/** Longer than Kafka waits for a member of a group that is silent (10 s), so that others have taken over when it wakes up. */
const FROZEN_MS_MIN = 11_000;
const FROZEN_MS_MAX = 14_000;

/** Dealt to the last card before it is shuffled again: so every kind of crash comes in every twenty cycles. */
const ONE_PROCESS: readonly Card[] = [...times<Card>(6, { server: 1 }), ...times<Card>(4, 'again')];
const CLUSTER: readonly Card[] = [
  ...times<Card>(2, { ingest: 1 }),
  ...times<Card>(4, { processors: 1 }),
  ...times<Card>(2, { 'live-gateway': 1 }),
  { ingest: 2 },
  ...times<Card>(2, { processors: 2 }),
  { 'live-gateway': 2 },
  { processors: 1, 'live-gateway': 1 },
  { ingest: 1, processors: 1 },
  { ingest: 1, 'live-gateway': 1 },
  { ingest: 2, processors: 2, 'live-gateway': 2 },
  ...times<Card>(3, 'again'),
  'freeze',
];

/** The roles that are killed in each way to run. */
export const ROLES_OF = {
  'one-process': { server: 1 },
  cluster: { ingest: 2, processors: 2, 'live-gateway': 2 },
} as const satisfies Record<string, Roles>;
export type Where = keyof typeof ROLES_OF;

/** What happens in each cycle, without an end; the same for the same seed. */
export function* cyclesOf(seed: number, where: Where): Generator<Cycle, never> {
  const random = randomOf(seed, 1);
  const deck = where === 'cluster' ? CLUSTER : ONE_PROCESS;
  let last: readonly Victim[] | undefined;
  for (;;) {
    for (const card of shuffled(random, deck)) {
      const cycle = cycleOf(card, random, ROLES_OF[where], last);
      if (cycle.kind === 'kill') last = cycle.victims;
      yield cycle;
    }
  }
}

function cycleOf(card: Card, random: Random, roles: Roles, last: readonly Victim[] | undefined): Cycle {
  // A few come at once: what is done first after a start is met, too.
  const delayMs = random() < 0.25 ? between(random, 0, 60) : between(random, 0, LIFE_MS);
  if (card === 'freeze') {
    const victims = [{ role: 'processors', place: between(random, 0, (roles['processors'] ?? 1) - 1) }] as const;
    return { kind: 'freeze', victims, delayMs, frozenMs: between(random, FROZEN_MS_MIN, FROZEN_MS_MAX) };
  }
  const downMs = random() < 0.2 ? between(random, 400, 2500) : between(random, 0, 400);
  if (card === 'again') {
    const victims = last ?? victimsOf({ [oneOf(random, Object.keys(roles))]: 1 }, random, roles);
    return { kind: 'kill', victims, delayMs: 0, whileStarting: random() * START_SHARE_MAX, downMs };
  }
  return { kind: 'kill', victims: victimsOf(card, random, roles), delayMs, downMs };
}

function victimsOf(counts: Readonly<Record<string, number>>, random: Random, roles: Roles): Victim[] {
  return Object.entries(counts).flatMap(([role, count]) => {
    const places = Array.from({ length: roles[role] ?? 1 }, (_, place) => place);
    return shuffled(random, places)
      .slice(0, count)
      .map((place) => ({ role, place }));
  });
}

function times<T>(count: number, thing: T): T[] {
  return Array.from({ length: count }, () => thing);
}
