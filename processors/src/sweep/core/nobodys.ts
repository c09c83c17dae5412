import type { Offset } from '@playhead/schemas';
import { originOf } from '../../core/object-key.ts';

/** How far a catalog has come. */
export interface AppliedUpTo {
  readonly chainEnd: Offset;
  readonly mergeNumber: number;
}

/**
 * Whether what a key names can no longer become valid, by what a catalog has applied: a flush that ends beyond its chain, or a merge
 * with a later number, may still. Keys that no flush or merge makes are not ours to judge.
 */
export function isPassed(key: string, { chainEnd, mergeNumber }: AppliedUpTo): boolean {
  const origin = originOf(key);
  if (origin === null) return false;
  return origin.kind === 'flush' ? origin.lastOffset <= chainEnd : origin.number <= mergeNumber;
}

/** Of the keys that were passed those that nobody refers to any more. */
export function nobodys(passed: readonly string[], inUse: ReadonlySet<string>): readonly string[] {
  return passed.filter((key) => !inUse.has(key));
}
