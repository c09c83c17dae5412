import type { BlockStore, Catalog, Clock, EventLog, Logger } from '@playhead/ports';
import type { CatalogEnd, CheckedFlush, PartitionClaim } from '@playhead/processors';
import { checkMerges, claimPartitions, DEFAULT_SETTINGS, GivenUp, ObjectTally, rebuildObjects, replayCatalog } from '@playhead/processors';
import type { Offset } from '@playhead/schemas';
import { NO_OFFSET } from '@playhead/schemas';
import type { Engines } from '../engines.ts';

/** What is asked for. */
export interface RebuildPlan {
  /** `rebuild`: objects that are missing or damaged are made again; `check`: they are only read; `skip`: only where the catalog needs it. */
  readonly objects: 'rebuild' | 'check' | 'skip';
  readonly catalog: boolean;
  /** Drop the catalog also where it alone knows something. */
  readonly acceptLoss: boolean;
}

export interface RebuildDeps {
  readonly engines: Engines;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Takes a line for the operator. */
  readonly print: (line: string) => void;
  /** Ends the work where it is. */
  readonly signal: AbortSignal;
}

/** Nothing was changed: the reason is for the operator, as it is. */
export class RebuildRefused extends Error {
  override readonly name = 'RebuildRefused';
}

/** A dead processor's partitions are given on after 10 s. */
const CLAIM_WAIT_MS = 20_000;
const PROGRESS_MS = 5_000;
/** Objects that are named in each partition; more are only counted. */
const NAMED_MAX = 10;

/**
 * Makes objects and catalog again from the log.
 *
 * The catalog is dropped only when all partitions are ours and nothing is known there that log and blocks do not know.
 *
 * @returns true when nothing is lost
 * @throws {RebuildRefused | ProcessorsAtWork} before anything was dropped
 * @throws {GivenUp} when `signal` aborts, or processors were started meanwhile
 */
export async function rebuild(deps: RebuildDeps, plan: RebuildPlan): Promise<boolean> {
  const { engines, clock, print } = deps;
  const log = await engines.log();
  const blocks = await engines.blocks();
  if (!plan.catalog) {
    const tallies = await goThroughObjects({ ...deps, log, blocks }, plan.objects === 'rebuild', []);
    return tallies.every(({ lost }) => lost === 0);
  }
  const claim = await claimed(log, clock, print);
  try {
    const signal = AbortSignal.any([deps.signal, claim.lost]);
    return await withCatalog({ ...deps, log, blocks, catalog: await engines.catalog(), signal }, plan);
  } catch (error) {
    if (error instanceof GivenUp && claim.lost.aborted) throw new GivenUp('processors were started', { cause: error });
    throw error;
  } finally {
    await claim.release();
  }
}

interface Stores {
  readonly log: EventLog;
  readonly blocks: BlockStore;
}

async function claimed(log: EventLog, clock: Clock, print: RebuildDeps['print']): Promise<PartitionClaim> {
  const cancel = clock.setTimer(PROGRESS_MS, () => print('Waiting for all partitions: no processor may work.'));
  try {
    return await claimPartitions(log, clock, CLAIM_WAIT_MS);
  } finally {
    cancel();
  }
}

async function withCatalog(deps: RebuildDeps & Stores & { readonly catalog: Catalog }, plan: RebuildPlan): Promise<boolean> {
  const { log, catalog, print } = deps;
  const known = await Promise.all(partitionsOf(log).map((partition) => catalog.progress(partition)));
  const isEmpty = known.every(
    ({ chainEnd, mergeNumber, sessionsNext }) => chainEnd === NO_OFFSET && mergeNumber === 0 && sessionsNext === 0,
  );
  let isWhole = true;
  const wantsObjects = plan.objects !== 'skip';
  if (wantsObjects || !(isEmpty || plan.acceptLoss)) {
    if (!wantsObjects) print('The catalog is about to be dropped, so the objects that its signals come from are read first.');
    const tallies = await goThroughObjects(deps, plan.objects === 'rebuild', known);
    isWhole = tallies.every(({ lost }) => lost === 0);
    if (!plan.acceptLoss) await refuseLoss(log, known, tallies);
  }
  await fillCatalog(deps);
  return isWhole;
}

/** @throws {RebuildRefused} where the catalog knows more than a new one would */
async function refuseLoss(
  log: EventLog,
  known: readonly (CatalogEnd & { readonly sessionsNext: Offset })[],
  tallies: readonly ObjectTally[],
): Promise<void> {
  const accept = 'Nothing was dropped. --accept-loss makes the catalog again without it.';
  for (const [partition, { chainEnd, mergeNumber, sessionsNext }] of known.entries()) {
    const { next } = await log.bounds('playhead.sessions', partition);
    const tally = tallies[partition] ?? new ObjectTally();
    if (chainEnd <= tally.chainEnd && mergeNumber <= tally.mergeNumber && sessionsNext <= next) continue;
    throw new RebuildRefused(
      `Partition ${partition}: the catalog knows more than the log has. Is it the right log, and was it restored whole? ${accept}`,
    );
  }
  const signals = tallies.reduce((sum, { signalsInCatalogOnly }) => sum + signalsInCatalogOnly, 0);
  if (signals > 0) throw new RebuildRefused(`The catalog alone knows ${signals} signals, of blocks that cannot be read. ${accept}`);
}

const DONE: Readonly<Record<CheckedFlush['outcome']['kind'], string>> = {
  none: '',
  replaced: '',
  whole: '',
  faulty: 'left as it is',
  rebuilt: 'made again from its uploads',
  trimmed: 'LOST: the log has not kept all of its uploads',
  different: 'NOT MADE AGAIN: its uploads give other bytes. Rebuild with the version of Playhead that wrote it',
};

const DONE_WITH_MERGE = 'LOST: what was merged is not made again';

/** @param catalogEnds up to where a catalog knows each partition; none without one */
async function goThroughObjects(
  deps: RebuildDeps & Stores,
  repair: boolean,
  catalogEnds: readonly CatalogEnd[],
): Promise<readonly ObjectTally[]> {
  const { log, clock, print, signal } = deps;
  print(`Objects: reading all that the log names${repair ? ', making again what is missing or damaged' : ''}.`);
  const tallies: ObjectTally[] = [];
  for (const partition of partitionsOf(log)) {
    const tally = new ObjectTally(catalogEnds[partition]);
    tallies.push(tally);
    const { next } = await log.bounds('playhead.flushes', partition);
    let saidAtMs = clock.now();
    let named = 0;
    const name = (objectKey: string, fault: string, done: string): void => {
      if (named++ < NAMED_MAX) print(`  ${objectKey} is ${fault}: ${done}`);
    };
    for await (const { flush, offset, outcome } of rebuildObjects({ ...deps, settings: DEFAULT_SETTINGS }, partition, { repair, signal })) {
      const isFaulty = 'fault' in outcome;
      tally.add(flush, outcome.kind, isFaulty ? outcome.unreadable : []);
      if (isFaulty) name(flush.objectKey, outcome.fault, DONE[outcome.kind]);
      if (clock.now() - saidAtMs < PROGRESS_MS) continue;
      saidAtMs = clock.now();
      print(`  partition ${partition}: at flush ${offset} of ${next}, ${megabytes(tally.bytes)} read`);
    }
    for await (const { merge, outcome } of checkMerges({ ...deps, settings: DEFAULT_SETTINGS }, partition, signal)) {
      const isFaulty = 'fault' in outcome;
      tally.addMerge(merge, outcome.kind, isFaulty ? outcome.unreadable : []);
      if (isFaulty) name(merge.objectKey, outcome.fault, DONE_WITH_MERGE);
    }
    if (named > NAMED_MAX) print(`  ... and ${named - NAMED_MAX} more in partition ${partition}`);
    print(`  partition ${partition}: ${summaryOf(tally)}`);
  }
  return tallies;
}

function summaryOf({ flushes, merges, bytes, objects, lost, unreadable }: ObjectTally): string {
  const { none, replaced } = objects;
  const parts = [`${flushes + merges - none - replaced} objects of ${flushes} flushes and ${merges} merges, ${megabytes(bytes)}`];
  if (objects.rebuilt > 0) parts.push(`${objects.rebuilt} made again`);
  parts.push(lost > 0 ? `${lost} missing or damaged (${unreadable} blocks)` : 'all whole');
  return parts.join(', ');
}

async function fillCatalog(deps: RebuildDeps & Stores): Promise<void> {
  const { engines, log, clock, print, signal } = deps;
  if (signal.aborted) throw new GivenUp('the time is over');
  print('Catalog: dropping what came from the log. Who watched what is kept.');
  const catalog = await engines.emptyCatalog();
  print('Catalog: filling it from the log.');
  const recordsTo = async (partition: number): Promise<number> => {
    const bounds = await Promise.all((['playhead.flushes', 'playhead.merges'] as const).map((topic) => log.bounds(topic, partition)));
    return bounds.reduce((sum, { next }) => sum + next, 0);
  };
  const ends = await Promise.all(partitionsOf(log).map(recordsTo));
  const replay = replayCatalog({ ...deps, catalog, settings: DEFAULT_SETTINGS }, signal);
  const say = (): void => {
    for (const { partition, projection } of replay.stats()) {
      const { flushes, merges, invalid, signals, facts } = projection;
      const of = ends[partition] ?? 0;
      print(
        `  partition ${partition}: ${flushes + merges + invalid} of ${of} flushes and merges, ${signals} signals, ${facts} facts of sessions`,
      );
    }
  };
  let cancel = (): void => undefined;
  const saySoon = (): void => {
    cancel = clock.setTimer(PROGRESS_MS, () => {
      say();
      saySoon();
    });
  };
  saySoon();
  await replay.done.finally(() => cancel());
  say();
}

function partitionsOf(log: EventLog): readonly number[] {
  return Array.from({ length: log.partitions }, (_, partition) => partition);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
