import type { Random } from './random.ts';
import { between, oneOf, shuffled } from './random.ts';

/** When a further copy of an upload is sent. Each copy has the same identity and the same body. */
export type Copy =
  /** Beside the first. */
  | { readonly when: 'at-once' }
  /** So long after the first was answered. */
  | { readonly when: 'answered'; readonly delayMs: number }
  /** After so many cycles: whoever had the first copy was killed since, or may have been. */
  | { readonly when: 'cycles'; readonly count: number }
  /** After the session was told to be over. */
  | { readonly when: 'ended' };

/** How one upload reaches the log. */
export interface Travel {
  /** Copies beside the first, 0 to 4, in the order in which they are to be sent where they are due together. */
  readonly copies: readonly Copy[];
  /** The next upload of its window does not wait for the answer to this one. */
  readonly overtaken: boolean;
  /** It is not repeated when its answer is lost or a no, as by a page that was closed: it may be shown once, or not at all. */
  readonly abandoned: boolean;
  /** Pause of its window afterwards, ms. */
  readonly pauseMs: number;
}

const COPIES_MAX = 4;

/** @param intervalMs pause between the uploads of a window on average */
export function travelOf(random: Random, intervalMs: number): Travel {
  const count = random() < 0.5 ? 0 : between(random, 1, COPIES_MAX);
  const copies = Array.from({ length: count }, (): Copy => {
    const when = oneOf(random, ['at-once', 'answered', 'cycles', 'ended'] as const);
    if (when === 'answered') return { when, delayMs: between(random, 0, 1500) };
    if (when === 'cycles') return { when, count: between(random, 1, 4) };
    return { when };
  });
  return {
    copies: shuffled(random, copies),
    overtaken: random() < 0.2,
    abandoned: random() < 0.15,
    pauseMs: between(random, 0, 2 * intervalMs),
  };
}
