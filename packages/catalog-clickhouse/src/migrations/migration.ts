import type { Placement } from '../placement.ts';

/** One step of the schema. A step that was released is never changed: the next one is added. */
export interface Migration {
  /** From 1, without holes, in the order in which they are applied. */
  readonly id: number;
  readonly name: string;
  /** Each can be repeated, and run by several processes at once. */
  readonly statements: (at: Placement) => readonly string[];
}
