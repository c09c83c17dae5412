import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionInfo } from '@playhead/schemas';
import type { Phone } from '../phone-load.ts';
import { expectReplayable, expectWhole, startPhone } from '../phone-load.ts';
import type { ViewerClient } from '../viewer-client.ts';
import { joinSession } from '../viewer-client.ts';
import type { Said } from './log-lines.ts';
import { said } from './log-lines.ts';
import { forgetPeak, peakMb } from './memory.ts';

/** A process that is looked at. */
export interface Watched {
  /** Its role, or what else it is called. */
  readonly name: string;
  readonly url: string;
  readonly pid: number | undefined;
  /** What it has written to stderr, in JSON lines. */
  log(): string;
}

/** What a store is taken away from. */
export interface OutageTarget {
  readonly url: string;
  readonly writeKey: string;
  readonly token: string;
  readonly partitions: number;
  readonly processes: readonly Watched[];
  /** Takes the store away, and gives it back; giving back what is there is harmless. */
  readonly store: { pause(): Promise<void>; unpause(): Promise<void> };
}

export interface OutageOptions {
  readonly awayMs: number;
  /** Pause of an ordinary phone after each acknowledgement. The hot one pauses as long as makes its traffic about a hundredfold. */
  readonly intervalMs: number;
  /** Load before the store goes away, to compare memory with. */
  readonly beforeMs: number;
}

/** Three stretches of a run: before the store was away, while, and from then until everything was replayed. */
type Phases<T> = { readonly before: T; readonly away: T; readonly after: T };

export interface ProcessReport {
  readonly name: string;
  readonly peakMb: Phases<number | undefined>;
  /** While the store was away. */
  readonly said: Said;
  /** Each answer of `/readyz` while the store was away, and how often. */
  readonly readyz: Readonly<Record<string, number>>;
  /** The last of `/healthz` while the store was away. */
  readonly healthz: unknown;
}

export interface OutageReport {
  readonly awayMs: number;
  readonly acknowledged: Phases<number>;
  /** Of those, by the session with the hundredfold traffic. */
  readonly acknowledgedHot: number;
  /** By status, or `cut`: in all. */
  readonly refused: Readonly<Record<string, number>>;
  /** From when the store was back until everything acknowledged by then was in blocks and catalog. */
  readonly storedAfterMs: number;
  /** ... until those who watched all the while had seen it. */
  readonly seenAfterMs: number;
  /** Pictures that were compared by hash, each replayed once and in order, at those who watched and at who joined afterwards. */
  readonly replayed: number;
  readonly processes: readonly ProcessReport[];
}

/**
 * Takes a store away under load, gives it back, and compares everything acknowledged with everything replayable. The load is one
 * phone a partition, and one more with about a hundred times the traffic, each with a viewer from its start.
 */
export async function outage(target: OutageTarget, options: OutageOptions): Promise<OutageReport> {
  const { url, writeKey, token, partitions, store } = target;
  const { awayMs, intervalMs, beforeMs } = options;
  const common = { doors: [url], writeKey, patienceMs: awayMs + 120_000 };
  const ordinary = Array.from({ length: partitions }, (_, partition) => startPhone({ ...common, intervalMs }, partition, partitions));
  const hot = await startPhone({ ...common, intervalMs: intervalMs / HOT_SHARE }, 0, partitions);
  const phones = [...(await Promise.all(ordinary)), hot];
  const watches = watchProcesses(target.processes);
  const viewers: ViewerClient[] = [];
  try {
    for (const { sessionId } of phones) viewers.push(await joinSession(url, token, sessionId, 'start', { rejoins: true }));
    await watches.begin('before');
    await sleep(beforeMs);
    const before = bundlesOf(phones);

    await watches.begin('away');
    const awayAtMs = Date.now();
    await store.pause();
    await sleep(awayMs);
    await watches.end('away');
    await store.unpause();
    const backAtMs = Date.now();
    const away = bundlesOf(phones) - before;
    await watches.begin('after');
    const goals = phones.map(({ acknowledged }) => acknowledged.length);
    const seen = Promise.all(viewers.map((viewer, at) => viewer.until(({ frames }) => frames.length >= (goals[at] ?? 0))));
    const seenAfterMs = seen.then(() => Date.now() - backAtMs);
    // Looked at below.
    seenAfterMs.catch(() => undefined);
    await untilStored(target, phones, goals);
    const storedAfterMs = Date.now() - backAtMs;

    await Promise.all(phones.map((phone) => phone.stop()));
    let replayed = 0;
    for (const [at, phone] of phones.entries()) {
      const viewer = viewers[at];
      if (viewer) await expectWhole(viewer, phone);
      await expectReplayable([url], token, phone);
      replayed += phone.acknowledged.length;
    }
    await watches.end('after');
    return {
      awayMs,
      acknowledged: { before, away, after: bundlesOf(phones) - before - away },
      acknowledgedHot: bundlesOf([hot]),
      refused: refusedBy(phones),
      storedAfterMs,
      seenAfterMs: await seenAfterMs,
      replayed,
      processes: watches.report(awayAtMs, backAtMs),
    };
  } finally {
    await store.unpause();
    await watches.close();
    for (const viewer of viewers) viewer.close();
    await Promise.allSettled(phones.map((phone) => phone.stop()));
  }
}

const PICTURES_PER_BUNDLE = 3;
/** Most of the time goes to waiting for the acknowledgement. */
const HOT_SHARE = 1000;

function bundlesOf(phones: readonly Phone[]): number {
  return phones.reduce((sum, { acknowledged }) => sum + acknowledged.length / PICTURES_PER_BUNDLE, 0);
}

function refusedBy(phones: readonly Phone[]): Record<string, number> {
  const refused: Record<string, number> = {};
  for (const refusal of phones.flatMap(({ refusals }) => refusals)) {
    const status = / answered (\d+) /.exec(refusal)?.[1] ?? 'cut';
    refused[status] = (refused[status] ?? 0) + 1;
  }
  return refused;
}

/** Resolves when blocks and catalog have as many pictures of each phone as `goals` say. */
async function untilStored({ url, token }: OutageTarget, phones: readonly Phone[], goals: readonly number[]): Promise<void> {
  for (const [at, { sessionId }] of phones.entries()) {
    for (;;) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${url}/v1/sessions/${sessionId}`, { headers }).catch(() => undefined);
      const info = answer?.ok ? ((await answer.json()) as SessionInfo) : undefined;
      if (info && info.counts.frames >= (goals[at] ?? 0)) break;
      await sleep(250);
    }
  }
}

const ASK_EVERY_MS = 1000;

interface Watches {
  begin(phase: keyof Phases<unknown>): Promise<void>;
  end(phase: keyof Phases<unknown>): Promise<void>;
  report(awayAtMs: number, backAtMs: number): readonly ProcessReport[];
  close(): Promise<void>;
}

/** Looks at the memory of processes, and at what they say of themselves. */
function watchProcesses(members: readonly Watched[]): Watches {
  const peaks = members.map((): Partial<Record<keyof Phases<unknown>, number | undefined>> => ({}));
  const readyz = members.map((): Record<string, number> => ({}));
  const healthz: unknown[] = [];
  let phase: keyof Phases<unknown> | undefined;
  const closing = new AbortController();
  const asking = members.map(async ({ url }, at) => {
    while (!closing.signal.aborted) {
      await sleep(ASK_EVERY_MS);
      if (phase !== 'away') continue;
      const [ready, health] = await Promise.all(['readyz', 'healthz'].map((path) => fetch(`${url}/${path}`).catch(() => undefined)));
      const answer = `${ready?.status ?? 'none'} ${(await ready?.text()) ?? ''}`;
      const counts = readyz[at] as Record<string, number>;
      counts[answer] = (counts[answer] ?? 0) + 1;
      healthz[at] = await health?.json();
    }
  });
  const end = async (of: keyof Phases<unknown>): Promise<void> => {
    for (const [at, { pid }] of members.entries()) (peaks[at] as (typeof peaks)[number])[of] = await peakMb(pid);
    phase = undefined;
  };
  return {
    async begin(next) {
      if (phase) await end(phase);
      for (const { pid } of members) await forgetPeak(pid);
      phase = next;
    },
    end,
    report: (awayAtMs, backAtMs) =>
      members.map((member, at) => ({
        name: member.name,
        peakMb: { before: peaks[at]?.before, away: peaks[at]?.away, after: peaks[at]?.after },
        said: said(member.log(), awayAtMs, backAtMs),
        readyz: readyz[at] ?? {},
        healthz: healthz[at],
      })),
    async close() {
      closing.abort();
      await Promise.all(asking);
    },
  };
}
