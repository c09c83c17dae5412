/** What a member of a group tells the others. */
export interface Claim {
  readonly memberId: string;
  /** Partitions that it works on. */
  readonly owned: readonly number[];
  /** The generation of the group in which it was given them; of two who claim one, the later one is right. */
  readonly generation: number;
}

/**
 * Shares `partitions` among the members: as many for each, give or take one, and as little changed as possible.
 *
 * A partition that has to move is given to nobody in this generation: its owner sees that, ends its work, and joins again
 * without it; then it is given on. So nobody has to end work that it keeps, and nothing is worked on twice.
 */
export function assignPartitions(partitions: number, claims: readonly Claim[]): ReadonlyMap<string, readonly number[]> {
  const owners = ownersOf(partitions, claims);
  const members = claims
    .map(({ memberId }) => ({ memberId, kept: owners.flatMap((owner, partition) => (owner === memberId ? [partition] : [])) }))
    .toSorted((a, b) => b.kept.length - a.kept.length || (a.memberId < b.memberId ? -1 : 1));
  const share = Math.floor(partitions / Math.max(1, members.length));
  const larger = partitions % Math.max(1, members.length);
  const free = owners.flatMap((owner, partition) => (owner === undefined ? [partition] : []));
  const assignment = new Map<string, readonly number[]>();
  // Those that have most get the larger shares, so that fewest partitions move.
  for (const [i, { memberId, kept }] of members.entries()) {
    const quota = share + (i < larger ? 1 : 0);
    const stay = kept.slice(0, quota);
    assignment.set(
      memberId,
      [...stay, ...free.splice(0, quota - stay.length)].toSorted((a, b) => a - b),
    );
  }
  return assignment;
}

function ownersOf(partitions: number, claims: readonly Claim[]): (string | undefined)[] {
  const owners = Array.from({ length: partitions }, (): Claim | undefined => undefined);
  for (const claim of claims) {
    for (const partition of claim.owned) {
      if (partition < 0 || partition >= partitions) continue;
      const other = owners[partition];
      if (!other || claim.generation > other.generation) owners[partition] = claim;
    }
  }
  return owners.map((owner) => owner?.memberId);
}
