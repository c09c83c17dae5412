import { setTimeout as sleep } from 'node:timers/promises';
import type { PositionedFrame, SessionCounts, SessionInfo } from '@playhead/schemas';
import { comparePositions, decodeBlock, formatPosition, partitionOf } from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import type { ViewerClient } from '../viewer-client.ts';
import type { Audience } from './audience.ts';
import { joinWhenOpen } from './audience.ts';
import type { Difference, ShownFrame } from './core/compare.ts';
import { differences, differencesFromWhole } from './core/compare.ts';
import { countsOf, digestOfAll, shownFrame } from './frames.ts';
import type { Recorder } from './recorder.ts';
import type { Tally } from './tally.ts';
import type { CrashTarget, Stores } from './target.ts';
import { PARTITIONS } from './target.ts';

/** Something that must not be, and where it showed. */
export interface Finding {
  readonly sessionId: string;
  readonly reader: string;
  readonly what: string;
}

/** What is kept of a session that was compared: enough to see that it stays as it is. */
export interface Verified {
  readonly projectId: string;
  readonly sessionId: string;
  readonly digest: string;
  readonly counts: SessionCounts;
  readonly signals: readonly string[];
}

/** Pause between two looks at what is not there yet. */
const ASK_MS = 1000;

export interface Verification {
  readonly target: CrashTarget;
  readonly tally: Tally;
  /** How long a reader may get nothing new before what it has is all that it gets, ms. */
  readonly patienceMs: number;
  readonly found: (finding: Finding) => void;
}

/** Compares what all readers of a session that is over got with what was sent. */
export async function verifySession(verification: Verification, recorder: Recorder, audience: Audience): Promise<Verified> {
  const { target, tally, patienceMs, found } = verification;
  const { sessionId, sent } = recorder;
  const note = (reader: string, difference: Difference): void => {
    if (difference.kind === 'twice') tally.twice += difference.frames;
    else if (difference.kind === 'missing') tally.missing += difference.frames;
    else tally.wrong += difference.frames;
    found({ sessionId, reader, what: `${difference.kind}: ${difference.what}` });
  };
  const last = sent.at(-1)?.frames.at(-1);
  const untilAll = async (reader: string, viewer: ViewerClient): Promise<ShownFrame[]> => {
    const isOver = ({ frames, control }: ViewerClient): boolean => {
      const newest = frames.at(-1);
      return newest !== undefined && control.some(({ type }) => type === 'ended') && shownFramesHave(frames, last);
    };
    let had = viewer.frames.length;
    for (let sinceMs = Date.now(); ; ) {
      const late = await viewer.until(isOver).then(
        () => '',
        (error: unknown) => (error instanceof Error ? error.message : 'it waited in vain'),
      );
      if (late === '') break;
      if (viewer.frames.length > had) [had, sinceMs] = [viewer.frames.length, Date.now()];
      else if (Date.now() - sinceMs > patienceMs) {
        // What it has is compared all the same: that tells what is missing.
        found({ sessionId, reader, what: late });
        break;
      }
    }
    return viewer.frames.map(shownFrame);
  };

  const wholes: ShownFrame[][] = [];
  for (const url of target.gateways) {
    const reader = `who joined afterwards at ${url}`;
    const fresh = await joinWhenOpen({ ...target, url, sessionId }, 'start');
    tally.viewers++;
    const shown = await untilAll(reader, fresh).finally(() => fresh.close());
    for (const difference of differences(sent, shown)) note(reader, difference);
    tally.replayed += shown.length;
    wholes.push(shown);
  }
  const [whole = []] = wholes;
  for (const [index, other] of wholes.entries())
    for (const difference of differencesFromWhole(whole, other, 'start')) note(`the gateway ${index}`, difference);

  await audience.settle();
  for (const { name, from, viewer } of audience.spectators) {
    const shown = await untilAll(name, viewer);
    for (const difference of differencesFromWhole(whole, shown, from, viewer.resumedBehind)) note(name, difference);
    if (from === 'start') for (const difference of differences(sent, shown)) note(name, difference);
    tally.replayed += shown.length;
  }

  const stored = await framesInBlocks(verification, sessionId, last);
  const shown = stored.map(shownFrame);
  for (const difference of differences(sent, shown)) note('the blocks', difference);
  for (const difference of differencesFromWhole(whole, shown, 'start')) note('the blocks', difference);
  tally.replayed += shown.length;

  const counts = countsOf(stored);
  const info = await countedInfo(verification, sessionId, counts);
  const miscounted = countsThatDiffer(counts, info.counts);
  if (miscounted !== '') {
    tally.miscounted++;
    found({ sessionId, reader: 'the catalog', what: miscounted });
  }
  return { projectId: info.projectId, sessionId, digest: digestOfAll(shown), counts, signals: signalsOf(stored) };
}

function shownFramesHave(frames: readonly PositionedFrame[], digest: string | undefined): boolean {
  // It is near the end.
  return frames.slice(-LAST_FRAMES).some((frame) => shownFrame(frame).digest === digest);
}
const LAST_FRAMES = 8;

function signalsOf(frames: readonly PositionedFrame[]): string[] {
  return frames.filter(({ track }) => track === 'signal').map(({ position }) => formatPosition(position));
}

async function api<T>({ url, token }: CrashTarget, path: string, read: (answer: Response) => Promise<T>): Promise<T | undefined> {
  const answer = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${token}` } }).catch(() => undefined);
  if (answer?.ok) return read(answer);
  await answer?.arrayBuffer();
  return undefined;
}

/** What the read API says that blocks hold, when they hold the last upload or nothing more comes. */
async function framesInBlocks(
  { target, patienceMs }: Verification,
  sessionId: string,
  last: string | undefined,
): Promise<PositionedFrame[]> {
  const deadline = Date.now() + patienceMs;
  const blocks = new Map<string, PositionedFrame[]>();
  for (;;) {
    const path = `/v1/sessions/${sessionId}/blocks`;
    const list = await api(
      target,
      path,
      async (answer) => (await answer.json()) as { readonly blocks: readonly { readonly id: string }[] },
    );
    for (const { id } of list?.blocks ?? []) {
      if (blocks.has(id)) continue;
      const bytes = await api(target, `${path}/${id}`, async (answer) => new Uint8Array(await answer.arrayBuffer()));
      if (bytes !== undefined) blocks.set(id, decodeBlock(bytes, decompressPiece));
    }
    // In the order of the list, whichever was read first. One that is not there may have been merged since: then the next list tells.
    const isWhole = list?.blocks.every(({ id }) => blocks.has(id)) ?? false;
    const frames = (list?.blocks ?? []).flatMap(({ id }) => blocks.get(id) ?? []);
    if ((isWhole && frames.some((frame) => shownFrame(frame).digest === last)) || Date.now() > deadline) return frames;
    await sleep(ASK_MS);
  }
}

/** The session as the list shows it, when its counts are `counts` or do not become so. */
async function countedInfo({ target, patienceMs }: Verification, sessionId: string, counts: SessionCounts): Promise<SessionInfo> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const info = await api(target, `/v1/sessions/${sessionId}`, async (answer) => (await answer.json()) as SessionInfo);
    if (info !== undefined && (countsThatDiffer(counts, info.counts) === '' || Date.now() > deadline)) return info;
    if (Date.now() > deadline) throw new Error(`the list does not know ${sessionId}`);
    await sleep(ASK_MS);
  }
}

function countsThatDiffer(expected: SessionCounts, actual: SessionCounts): string {
  return Object.entries(expected)
    .filter(([name, value]) => actual[name as keyof SessionCounts] !== value)
    .map(([name, value]) => `${name} ${actual[name as keyof SessionCounts]} instead of ${value}`)
    .join(', ');
}

/** Reads sessions that were compared once more, past the API: the catalog's rows and the bytes that they point to. */
export async function verifyStores(
  stores: Stores,
  sessions: readonly Verified[],
  tally: Tally,
  found: (finding: Finding) => void,
): Promise<void> {
  for (const { projectId, sessionId, digest, counts, signals } of sessions) {
    const note = (reader: string, what: string): void => {
      tally.miscounted++;
      found({ sessionId, reader, what });
    };
    const { blocks } = await stores.catalog.blocks(projectId, sessionId, partitionOf(sessionId, PARTITIONS));
    const frames: PositionedFrame[] = [];
    for (const { objectKey, blockOffset, blockLength, merged } of blocks) {
      if (merged) tally.mergedBlocks++;
      if (blockLength === 0) continue;
      const bytes = await stores.blocks.get(objectKey, { offset: blockOffset, length: blockLength });
      frames.push(...decodeBlock(bytes, decompressPiece));
    }
    if (digestOfAll(frames.map(shownFrame)) !== digest) note('the objects', `not what was replayed: ${frames.length} frames`);
    const info = await stores.catalog.session(projectId, sessionId);
    const miscounted = info === null ? 'unknown' : countsThatDiffer(counts, info.counts);
    if (miscounted !== '') note('the catalog', miscounted);
    const rows = (await stores.catalog.signals(projectId, sessionId)).map(({ position }) => position).toSorted(comparePositions);
    if (rows.map(formatPosition).join() !== signals.join()) note('the signals', `${rows.length} rows instead of ${signals.length}`);
  }
}
