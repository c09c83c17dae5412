import type { Catalog, EventLog } from '@playhead/ports';
import { pause, systemClock } from '@playhead/ports';
import type { SessionFact } from '@playhead/schemas';
import { PlayheadError, toOffset } from '@playhead/schemas';
import { anUpload, aSessionEnded, aSessionStarted, memoryBlocks, memoryCatalog, memoryLog, silentLogger } from '@playhead/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import type { ViewerSocket } from '../src/index.ts';
import { GatewayParts } from '../src/index.ts';

const PROJECT = 'shop';
const [A, B, C, D] = ['session-aaaa', 'session-bbbb', 'session-cccc', 'session-dddd'];

const open: GatewayParts[] = [];
afterEach(async () => {
  for (const parts of open.splice(0)) await parts.close();
});

/** A gateway of one partition on these ports, and the log that facts are told to. */
function aGateway(ports: { readonly log?: EventLog; readonly catalog?: Catalog } = {}, directorySessionsMax = 1_000) {
  const { log = memoryLog({ partitions: 1 }), catalog = memoryCatalog() } = ports;
  const parts = new GatewayParts({
    log,
    catalog,
    blocks: memoryBlocks(),
    projects: { projectOfWriteKey: () => undefined, viewerOfToken: () => undefined },
    clock: systemClock,
    randomBytes: (count) => new Uint8Array(count),
    logger: silentLogger,
    settings: { retryMs: 5, directoryWaitMs: 100, endGraceMs: 50, directorySessionsMax },
  });
  open.push(parts);
  parts.start();
  return parts;
}

async function tell(log: EventLog, ...facts: SessionFact[]): Promise<void> {
  for (const fact of facts) await log.append('playhead.sessions', 0, fact.sessionId, fact);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(systemClock, 2, new AbortController().signal);
}

describe('[LH19] whether a session exists', () => {
  test('is not known by a gateway that closes, and nobody is told that it does not', async () => {
    const log = memoryLog({ partitions: 1 });
    const slow: EventLog = {
      ...log,
      async *read(topic, partition, from, options) {
        // Nothing comes until it is closed.
        if (topic === 'playhead.sessions') await new Promise((resolve) => options.signal.addEventListener('abort', resolve));
        yield* log.read(topic, partition, from, options);
      },
    };
    const parts = aGateway({ log: slow });
    await tell(log, aSessionStarted({ sessionId: A }));
    const asked = parts.directory.session(PROJECT, A);
    asked.catch(() => undefined);
    await pause(systemClock, 2, new AbortController().signal);
    await parts.close();
    await expect(asked).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  test('is not known while the facts of sessions cannot be read, and nobody is told that it does not', async () => {
    const log = memoryLog({ partitions: 1 });
    let isBroken = false;
    const { directory } = aGateway({
      log: {
        ...log,
        async *read(topic, ...asked) {
          for await (const batch of log.read(topic, ...asked)) {
            if (isBroken && topic === 'playhead.sessions') throw new PlayheadError('log_unavailable');
            yield batch;
          }
        },
      },
    });
    await tell(log, aSessionStarted({ sessionId: A }));
    expect(await directory.session(PROJECT, A)).toMatchObject({ sessionId: A });
    isBroken = true;
    await tell(log, aSessionStarted({ sessionId: B }));
    await expect(directory.session(PROJECT, B)).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  test('is not known where its end alone is remembered and the catalog has neither', async () => {
    const log = memoryLog({ partitions: 1 });
    const { directory } = aGateway({ log }, 1);
    await tell(log, aSessionStarted({ sessionId: A }), aSessionStarted({ sessionId: B }), aSessionEnded({ sessionId: A }));
    await until(() => directory.endOf(PROJECT, A) !== null);
    await expect(directory.session(PROJECT, A)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('is not said to be unknown when its start is forgotten while the catalog, which has not got it yet, is asked', async () => {
    const log = memoryLog({ partitions: 1 });
    const catalog = memoryCatalog();
    const facts = [C, B, A].map((sessionId) => aSessionStarted({ sessionId }));
    let onSession = async (): Promise<void> => undefined;
    const asked: Catalog = {
      ...catalog,
      async session(projectId, sessionId) {
        const row = await catalog.session(projectId, sessionId);
        await onSession();
        return row;
      },
    };
    const { directory } = aGateway({ catalog: asked, log }, 1);
    await tell(log, ...facts);
    await directory.session(PROJECT, A).catch(() => undefined);
    await catalog.applyFacts(
      0,
      facts.slice(0, 2).map((fact, i) => ({ offset: toOffset(i), fact })),
      toOffset(2),
    );
    let questions = 0;
    onSession = async () => {
      if (++questions < 2) return;
      await tell(log, aSessionStarted({ sessionId: D }), aSessionEnded({ sessionId: D }));
      await until(() => directory.endOf(PROJECT, D) !== null);
    };
    await expect(directory.session(PROJECT, A)).rejects.toMatchObject({ code: 'unavailable' });
    expect(questions).toBe(2);
  });

  test('is asked of the catalog when the tail of facts has begun, so that what is told in between is heard', async () => {
    const log = memoryLog({ partitions: 1 });
    const catalog = memoryCatalog();
    const facts = [aSessionStarted({ sessionId: A }), aSessionEnded({ sessionId: A })];
    await tell(log, ...facts);
    const positioned = facts.map((fact, i) => ({ offset: toOffset(i), fact }));
    await catalog.applyFacts(0, positioned.slice(0, 1), toOffset(1));
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { directory } = aGateway({
      catalog: { ...catalog, progress: async (partition) => (await held, catalog.progress(partition)) },
      log,
    });
    const answer = directory.session(PROJECT, A);
    await pause(systemClock, 20, new AbortController().signal);
    await catalog.applyFacts(0, positioned.slice(1), toOffset(2));
    letGo();
    expect(await answer).toMatchObject({ live: false });
  });
});

test('[LH12] the end of a session that comes while a viewer is let in is told', async () => {
  const log = memoryLog({ partitions: 1 });
  let onBounds = async (): Promise<void> => undefined;
  const parts = aGateway(
    {
      log: {
        ...log,
        async bounds(topic, partition) {
          const bounds = await log.bounds(topic, partition);
          if (topic === 'playhead.uploads') await onBounds();
          return bounds;
        },
      },
    },
    2,
  );
  await tell(log, aSessionStarted({ sessionId: A }));
  expect(await parts.directory.session(PROJECT, A)).toMatchObject({ live: true });
  onBounds = async () => {
    onBounds = async () => undefined;
    // ... and is forgotten again at once.
    await tell(log, aSessionEnded({ sessionId: A }), aSessionStarted({ sessionId: B }), aSessionStarted({ sessionId: C }));
    await until(() => parts.directory.endOf(PROJECT, A) === null);
    await parts.gateway.catalog.applyFacts(
      0,
      [aSessionStarted({ sessionId: A }), aSessionEnded({ sessionId: A })].map((fact, i) => ({ offset: toOffset(i), fact })),
      toOffset(4),
    );
  };
  const heard: string[] = [];
  const gone = new AbortController();
  const socket: ViewerSocket = {
    bufferedAmount: 0,
    send: (data, done) => {
      if (typeof data === 'string') heard.push((JSON.parse(data) as { type: string }).type);
      done();
    },
    close: (code) => void heard.push(`closed ${code}`),
    terminate: () => undefined,
    cork: () => undefined,
    uncork: () => undefined,
  };
  await log.append('playhead.uploads', 0, A, anUpload({ sessionId: A }));
  const serving = parts.admit({ projectId: PROJECT, viewer: 'Ada' }, A, { after: { offset: toOffset(0), index: 0 } }, socket, gone.signal);
  await until(() => heard.includes('ended') || heard.some((one) => one.startsWith('closed')));
  expect(heard).toContain('ended');
  gone.abort();
  await serving;
});
