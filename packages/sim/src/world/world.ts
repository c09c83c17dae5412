import type { Plan } from '../plan.ts';
import type { Random } from '../random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** The three stores that may be slow, err or be away. */
export type Store = 'log' | 'blocks' | 'catalog';

/** What happens to one call of a port. */
export interface Fate {
  /** How long the call is on its way, and the answer. */
  readonly thereMs: number;
  readonly backMs: number;
  /** `after`: the effect has happened, and the caller is told that it has not. `death`: the caller dies of it. */
  readonly error: 'none' | 'before' | 'after' | 'death-before' | 'death-after';
}

/** What all parts of a run share. */
export interface World {
  readonly plan: Plan;
  readonly time: VirtualTime;
  readonly random: Random;
  sinceStartMs(): number;
  /** False behind the end of the troubles: from then on everything works, at ordinary speed. */
  isTroubled(): boolean;
  readonly isAway: (store: Store) => boolean;
  readonly fate: (store: Store, isWrite: boolean) => Fate;
  /** A line of the trace; made only when somebody reads it. */
  readonly trace: (line: () => string) => void;
}
