import process from 'node:process';
import { noContainers } from '@playhead/containers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Cluster, Member, Role } from '../src/cluster.ts';
import { CLUSTER_TOKEN, CLUSTER_WRITE_KEY, openCluster, ROLES } from '../src/cluster.ts';
import type { Phone } from '../src/phone-load.ts';
import { expectReplayable, expectWhole, startPhone } from '../src/phone-load.ts';
import type { ViewerClient } from '../src/viewer-client.ts';
import { joinSession } from '../src/viewer-client.ts';
import { visitAll } from '../src/visits.ts';

const PARTITIONS = 4;
const INTERVAL_MS = 120;
/** Longer than the proxy takes to notice: it asks every 500 ms. */
const DRAIN_MS = 1200;
const FLAGS = ['--partitions', String(PARTITIONS), '--flush-age-ms', '500', '--drain-ms', String(DRAIN_MS), '--log-format', 'json'];
/** Bundles of each phone that show that the load goes on after something happened. */
const GOES_ON = 8;
const FROZEN_MS = 30_000;
/** Visitors of the shop at once: a page is cut off only when somebody asks for it at the wrong moment. */
const SHOPPERS = 5;

/** Lines of each process that are shown of a test that failed. */
const LAST_LINES = 40;

/** Sessions in every partition, each with somebody who has watched it from its start. */
interface Load {
  readonly phones: readonly Phone[];
  /** Of the same order. */
  readonly viewers: readonly ViewerClient[];
  /** Resolves when each phone has had `bundles` more acknowledged. */
  readonly more: (bundles: number) => Promise<void>;
}

/** One cluster for all; every test leaves it as it found it. */
describe.runIf(noContainers === '')(
  `a cluster: two processes of each role on Kafka, S3 and ClickHouse, behind one address${noContainers && ` (${noContainers})`}`,
  () => {
    vi.setConfig({ testTimeout: 300_000 });
    let cluster: Cluster;

    const running = (role: Role): readonly Member[] => cluster.members(role).filter((member) => member.runs);
    const urlsOf = (role: Role): string[] => running(role).map((member) => member.url);

    beforeAll(async () => {
      cluster = await openCluster(FLAGS);
    }, 240_000);

    /** Also after a test that failed in the middle: then what the processes said last is shown. */
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') process.stderr.write(lastWordsOf(cluster));
      for (const role of ROLES) {
        const [first, second, third] = cluster.members(role) as [Member, Member, Member];
        await Promise.all([first.start(), second.start(), third.kill()]);
      }
      await cluster.settled();
    }, 120_000);

    afterAll(async () => {
      await cluster?.close();
    }, 60_000);

    /**
     * Lets phones upload and viewers watch while `happens` runs. Afterwards every acknowledged picture was seen once, in order, by
     * those who watched, and is replayed so at every gateway.
     */
    async function underLoad(happens: (load: Load) => Promise<void>, doors = [cluster.url], watchAt = [cluster.url]): Promise<void> {
      const options = { doors, writeKey: CLUSTER_WRITE_KEY, intervalMs: INTERVAL_MS };
      const phones = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => startPhone(options, partition, PARTITIONS)));
      const watches = phones.flatMap((phone) => watchAt.map((url) => ({ phone, url })));
      const viewers: ViewerClient[] = [];
      try {
        for (const { phone, url } of watches) {
          viewers.push(await joinSession(url, CLUSTER_TOKEN, phone.sessionId, 'start', { rejoins: true }));
        }
        const more = async (bundles: number): Promise<void> => {
          await Promise.all(phones.map((phone) => phone.more(bundles)));
        };
        await more(GOES_ON);
        await happens({ phones, viewers, more });
        await more(GOES_ON);
        await Promise.all(phones.map((phone) => phone.stop()));
        for (const [index, { phone }] of watches.entries()) await expectWhole(viewers[index] as ViewerClient, phone);
        await Promise.all(phones.map((phone) => expectReplayable(urlsOf('live-gateway'), CLUSTER_TOKEN, phone)));
      } finally {
        for (const viewer of viewers) viewer.close();
        await Promise.allSettled(phones.map((phone) => phone.stop()));
      }
    }

    /** Resolves when everything that was acknowledged until now is in blocks: processors are at work on every partition. */
    async function untilInBlocks({ phones }: Load): Promise<void> {
      for (const { sessionId, acknowledged } of phones) {
        const frames = acknowledged.length;
        const url = `${cluster.url}/v1/sessions/${sessionId}/blocks`;
        await vi.waitFor(
          async () => {
            const answer = await fetch(url, { headers: { authorization: `Bearer ${CLUSTER_TOKEN}` } });
            const { blocks } = (await answer.json()) as { readonly blocks: readonly { readonly frames: readonly unknown[] }[] };
            expect(blocks.reduce((sum, block) => sum + block.frames.length, 0)).toBeGreaterThanOrEqual(frames);
          },
          { timeout: 120_000, interval: 200 },
        );
      }
    }

    const refusalsOf = ({ phones }: Load): string[] => phones.flatMap(({ refusals }) => refusals);

    test('every process is ready, and says what it needs for that', async () => {
      const needs = {
        ingest: { log: 'ok' },
        processors: { log: 'ok', blocks: 'ok', catalog: 'ok' },
        'live-gateway': { log: 'ok', blocks: 'ok', catalog: 'ok' },
        player: {},
      };
      for (const [role, dependencies] of Object.entries(needs)) {
        const urls = urlsOf(role as Role);
        expect(urls).toHaveLength(2);
        for (const url of urls) {
          const answer = await fetch(`${url}/readyz`);
          expect(await answer.json()).toEqual({ ready: true, draining: false, dependencies });
        }
      }
    });

    test('what one ingest or the other acknowledged is seen once, in order, at either gateway', async () => {
      await underLoad(
        async (load) => {
          await load.more(GOES_ON);
          expect(refusalsOf(load)).toEqual([]);
        },
        urlsOf('ingest'),
        urlsOf('live-gateway'),
      );
    });

    test('a processor and a gateway killed: its viewers go on at the other gateway', async () => {
      await underLoad(async (load) => {
        const [processor] = running('processors') as [Member];
        const [gateway] = running('live-gateway') as [Member];
        await Promise.all([processor.kill(), gateway.kill()]);
        await load.more(GOES_ON);
        expect(load.viewers.some(({ rejoins }) => rejoins > 0)).toBe(true);
        await Promise.all([processor.start(), gateway.start()]);
        await cluster.settled();
        expect(refusalsOf(load)).toEqual([]);
      });
    });

    test('processors become one, then three, then one', async () => {
      await underLoad(async (load) => {
        const [first, second, third] = cluster.members('processors') as [Member, Member, Member];
        const change = async (...changes: readonly Promise<unknown>[]): Promise<void> => {
          expect(await Promise.all(changes), 'ended cleanly').not.toContain(false);
          await load.more(GOES_ON);
          await untilInBlocks(load);
        };
        await change(second.stop());
        await change(second.start(), third.start());
        expect(running('processors')).toHaveLength(3);
        await change(first.stop(), third.stop());
        await change(first.start());
        expect(refusalsOf(load)).toEqual([]);
        expect(load.viewers.map(({ rejoins }) => rejoins)).toEqual([0, 0, 0, 0]);
      });
    });

    test('every process of every role restarted in turn: no request is refused, and a viewer joins again once for its gateway', async () => {
      await underLoad(async (load) => {
        const sessions = `${cluster.url}/v1/sessions`;
        const [asViewer, asRecorder] = [`token=${CLUSTER_TOKEN}`, `key=${CLUSTER_WRITE_KEY}`];
        const pages = [`${cluster.url}/`, `${sessions}?${asViewer}`, ...Array.from({ length: SHOPPERS }, () => cluster.shopUrl)];
        // Held for long, and answered when their process ends.
        const held = [`${sessions}/feed?${asViewer}`, `${sessions}/nobody-watches-it/watch?${asRecorder}`];
        const visits = visitAll([...pages, ...held]);
        try {
          for (const role of ROLES) {
            for (const member of running(role)) {
              const before = load.viewers.map(({ rejoins }) => rejoins);
              expect(await member.stop(), `${role} ended cleanly`).toBe(true);
              await member.start();
              await cluster.settled();
              await load.more(1);
              const rejoined = load.viewers.map(({ rejoins }, index) => rejoins - (before[index] ?? 0));
              expect(Math.max(...rejoined), `joined again for ${role}`).toBeLessThanOrEqual(role === 'live-gateway' ? 1 : 0);
            }
          }
        } finally {
          await visits.stop();
        }
        expect(load.viewers.some(({ rejoins }) => rejoins > 0)).toBe(true);
        expect(refusalsOf(load)).toEqual([]);
        expect(visits.refusals).toEqual([]);
      });
    });

    test('the broker restarted: no worse than 503 meanwhile, and what is repeated is taken', async () => {
      await underLoad(async (load) => {
        await cluster.engines.kafka.restart();
        await load.more(GOES_ON);
        await untilInBlocks(load);
        expect(refusalsOf(load).filter((refusal) => !refusal.includes('answered 503 '))).toEqual([]);
        await cluster.settled();
      });
    });

    test('S3 and ClickHouse frozen for half a minute: uploads are acknowledged and seen live all the while', async () => {
      await underLoad(async (load) => {
        const { s3, clickhouse } = cluster.engines;
        // Who joins asks ClickHouse once what there is; from then on the log is enough.
        for (const viewer of load.viewers) await viewer.until(({ frames }) => frames.length > 0);
        await Promise.all([s3.pause(), clickhouse.pause()]);
        const frozenAtMs = Date.now();
        const before = load.phones.map(({ acknowledged }) => acknowledged.length);
        try {
          while (Date.now() - frozenAtMs < FROZEN_MS) {
            await load.more(1);
            for (const url of urlsOf('ingest')) expect((await fetch(`${url}/readyz`)).status).toBe(200);
          }
          // What was acknowledged since is seen while nothing else answers.
          const goals = load.phones.map(({ acknowledged }) => acknowledged.length);
          for (const [index, viewer] of load.viewers.entries()) await viewer.until(({ frames }) => frames.length >= (goals[index] ?? 0));
          for (const [index, goal] of goals.entries()) expect(goal).toBeGreaterThan(before[index] ?? 0);
        } finally {
          await Promise.all([s3.unpause(), clickhouse.unpause()]);
        }
        await untilInBlocks(load);
        await cluster.settled();
        expect(refusalsOf(load)).toEqual([]);
        expect(load.viewers.map(({ rejoins }) => rejoins)).toEqual([0, 0, 0, 0]);
      });
    });
  },
);

function lastWordsOf(cluster: Cluster): string {
  const members = ROLES.flatMap((role) => cluster.members(role));
  const texts = members.map((member) => `-- ${member.role} at ${member.url}\n${member.log().split('\n').slice(-LAST_LINES).join('\n')}`);
  return `${texts.join('\n')}\n`;
}
