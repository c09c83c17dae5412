import type { Merge } from './records/types.ts';

/**
 * Which merge of a partition counts: the first that has the next number. Readers apply it in log order, so they agree
 * without talking to each other. A merger gives its merge the number behind the last one that it knew of when it chose what to
 * merge; so of two that chose at the same time one is invalid, and no block is merged twice.
 *
 * @param last number of the last valid merge; 0 before the first
 */
export function extendsMerges(last: number, merge: Pick<Merge, 'number'>): boolean {
  return merge.number === last + 1;
}
