/** What a run did and what came of it. */
export interface Tally {
  cycles: number;
  /** By role; those in brackets of `killsInStart` met a process that was not up yet. */
  readonly kills: Map<string, number>;
  readonly killsInStart: Map<string, number>;
  freezes: number;
  sessions: number;
  /** Uploads, whatever the number of their copies. */
  uploads: number;
  acknowledged: number;
  /** Uploads whose recorder gave up without a yes: they may be there or not. */
  unknown: number;
  /** Requests with an upload in it, all copies. */
  requests: number;
  /** Requests that were answered with a no, by status. */
  readonly refused: Map<number, number>;
  /** Requests whose answer was lost. */
  cut: number;
  /** Copies of an upload that were acknowledged beyond its first yes. */
  duplicates: number;
  /** Viewers, and how often they tried to join again. */
  viewers: number;
  rejoins: number;
  /** Frames that were acknowledged, each once. */
  frames: number;
  /** Frames that all readers got, and that were compared. */
  replayed: number;
  twice: number;
  missing: number;
  /** Frames in a wrong order, or of no upload. */
  wrong: number;
  /** Counts of the catalog that differ, and its signals. */
  miscounted: number;
  /** Blocks of merges that the catalog names in the end: the others' are not merged yet. */
  mergedBlocks: number;
}

export function newTally(): Tally {
  return {
    cycles: 0,
    kills: new Map(),
    killsInStart: new Map(),
    freezes: 0,
    sessions: 0,
    uploads: 0,
    acknowledged: 0,
    unknown: 0,
    requests: 0,
    refused: new Map(),
    cut: 0,
    duplicates: 0,
    viewers: 0,
    rejoins: 0,
    frames: 0,
    replayed: 0,
    twice: 0,
    missing: 0,
    wrong: 0,
    miscounted: 0,
    mergedBlocks: 0,
  };
}

export function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The tally as a table, in the order of what happened. @param seconds that the run took */
export function tallyTable(tally: Tally, seconds: number): string {
  const kills = [...tally.kills].map(([role, times]) => `${role} ${times} (${tally.killsInStart.get(role) ?? 0} while starting)`);
  const refused = [...tally.refused].map(([status, times]) => `${status}: ${times}`);
  const rows: readonly (readonly [string, string | number])[] = [
    ['cycles', tally.cycles],
    ['kill -9', kills.join(', ')],
    ['zombies woken up', tally.freezes],
    ['sessions', tally.sessions],
    ['uploads sent', tally.uploads],
    ['uploads acknowledged', tally.acknowledged],
    ['uploads of unknown fate', tally.unknown],
    ['requests refused', refused.join(', ') || '0'],
    ['requests cut', tally.cut],
    ['duplicates acknowledged', tally.duplicates],
    ['viewers', tally.viewers],
    ['tries to join again', tally.rejoins],
    ['frames acknowledged', tally.frames],
    ['frames replayed and compared', tally.replayed],
    ['frames shown twice', tally.twice],
    ['frames missing', tally.missing],
    ['frames out of order or unknown', tally.wrong],
    ['sessions miscounted', tally.miscounted],
    ['merged blocks', tally.mergedBlocks],
    ['time', `${Math.round(seconds)} s`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
