/** What a compactor did since it was made. */
export interface CompactorStats {
  uploads: number;
  duplicates: number;
  rejected: number;
  flushes: number;
  /** Flushes of ours that somebody else's had overtaken. */
  lost: number;
  /** Flush records seen that extend no chain. */
  invalid: number;
  gaps: number;
  checkpoints: number;
  /** Records of `playhead.flushes` that starts have read. */
  flushesReadAtStart: number;
  ended: number;
}

export function noStats(): CompactorStats {
  const work = { uploads: 0, duplicates: 0, rejected: 0, flushes: 0, checkpoints: 0, ended: 0 };
  return { ...work, lost: 0, invalid: 0, gaps: 0, flushesReadAtStart: 0 };
}
