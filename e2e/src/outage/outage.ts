import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionInfo } from '@playhead/schemas';
import type { Cluster, Role } from '../cluster.ts';
import { CLUSTER_TOKEN, CLUSTER_WRITE_KEY, ROLES } from '../cluster.ts';
import type { Phone } from '../phone-load.ts';
import { expectReplayable, expectWhole, startPhone } from '../phone-load.ts';
import type { ViewerClient } from '../viewer-client.ts';
import { joinSession } from '../viewer-client.ts';
import type { Said } from './log-lines.ts';
import { said } from './log-lines.ts';
import { forgetPeak, peakMb } from './memory.ts';

/** What may be away. */
export const STORES = ['s3', 'clickhouse', 'log'] as const;
export type Store = (typeof STORES)[number];

export interface OutageOptions {
  readonly of: Store;
  readonly awayMs: number;
  readonly partitions: number;
  /** Pause of an ordinary phone after each acknowledgement. The hot one pauses as long as makes its traffic about a hundredfold. */
  readonly intervalMs: number;
  /** Load before the store goes away, to compare memory with. */
  readonly beforeMs: number;
}

/** Three stretches of a run: before the store was away, while, and from then until everything was replayed. */
type Phases<T> = { readonly before: T; readonly away: T; readonly after: T };

export interface RoleReport {
  readonly role: Role;
  readonly peakMb: Phases<number | undefined>;
  /** While the store was away. */
  readonly said: Said;
  /** Each answer of `/readyz` while the store was away, and how often. */
  readonly readyz: Readonly<Record<string, number>>;
  /** The last of `/healthz` while the store was away. */
  readonly healthz: unknown;
}

export interface OutageReport {
  readonly of: Store;
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
  readonly roles: readonly RoleReport[];
}

/**
 * Takes a store away from a cluster under load, gives it back, and compares everything acknowledged with everything replayable. The load is one
 * phone a partition, and one more with about a hundred times the traffic, each with a viewer from its start.
 */
export async function outage(cluster: Cluster, options: OutageOptions): Promise<OutageReport> {
  const { of, awayMs, partitions, intervalMs, beforeMs } = options;
  const common = { doors: [cluster.url], writeKey: CLUSTER_WRITE_KEY, patienceMs: awayMs + 120_000 };
  const ordinary = Array.from({ length: partitions }, (_, partition) => startPhone({ ...common, intervalMs }, partition, partitions));
  const hot = await startPhone({ ...common, intervalMs: intervalMs / HOT_SHARE }, 0, partitions);
  const phones = [...(await Promise.all(ordinary)), hot];
  const store = { s3: cluster.engines.s3, clickhouse: cluster.engines.clickhouse, log: cluster.engines.kafka }[of];
  const watches = await watchRoles(cluster);
  const viewers: ViewerClient[] = [];
  try {
    for (const { sessionId } of phones) viewers.push(await joinSession(cluster.url, CLUSTER_TOKEN, sessionId, 'start', { rejoins: true }));
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
    await untilStored(cluster, phones, goals);
    const storedAfterMs = Date.now() - backAtMs;

    await Promise.all(phones.map((phone) => phone.stop()));
    let replayed = 0;
    for (const [at, phone] of phones.entries()) {
      const viewer = viewers[at];
      if (viewer) await expectWhole(viewer, phone);
      await expectReplayable([cluster.url], CLUSTER_TOKEN, phone);
      replayed += phone.acknowledged.length;
    }
    await watches.end('after');
    return {
      of,
      awayMs,
      acknowledged: { before, away, after: bundlesOf(phones) - before - away },
      acknowledgedHot: bundlesOf([hot]),
      refused: refusedBy(phones),
      storedAfterMs,
      seenAfterMs: await seenAfterMs,
      replayed,
      roles: watches.report(awayAtMs, backAtMs),
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
async function untilStored(cluster: Cluster, phones: readonly Phone[], goals: readonly number[]): Promise<void> {
  for (const [at, { sessionId }] of phones.entries()) {
    const url = `${cluster.url}/v1/sessions/${sessionId}`;
    for (;;) {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${CLUSTER_TOKEN}` } }).catch(() => undefined);
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
  report(awayAtMs: number, backAtMs: number): readonly RoleReport[];
  close(): Promise<void>;
}

/** Looks at the first process of every role: its memory, and what it says of itself. */
async function watchRoles(cluster: Cluster): Promise<Watches> {
  const members = ROLES.flatMap((role) =>
    cluster
      .members(role)
      .filter(({ runs }) => runs)
      .slice(0, 1),
  );
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
        role: member.role,
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
