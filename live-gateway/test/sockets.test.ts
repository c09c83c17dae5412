import type { SessionView } from '@playhead/ports';
import type { Watch } from '@playhead/schemas';
import { isSessionId, partitionOf } from '@playhead/schemas';
import { manualClock } from '@playhead/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { GatewayWorld, SESSION } from './gateway-world.ts';
import type { WsClient } from './ws-client.ts';

let world: GatewayWorld;
afterEach(() => world.close());

/** The first viewer that is not turned away: where there is room for one, a sign that the one before is gone. */
async function admitted(): Promise<WsClient> {
  for (;;) {
    const viewer = world.join();
    await viewer.until(() => viewer.closed !== null || viewer.story.includes('live'));
    if (viewer.closed === null) return viewer;
  }
}

describe('who may watch', () => {
  test.each([
    ['no token', { token: '' }, 4401, 'unauthorized'],
    ['an unknown token', { token: 'nobody' }, 4401, 'unauthorized'],
    ['a token of another project', { token: 'eve' }, 4404, 'session_not_found'],
    ['a session that does not exist', { session: 'session-none' }, 4404, 'session_not_found'],
    ['a page of another origin', { headers: { origin: 'https://evil.example' } }, 4403, 'forbidden'],
    ['a sandboxed page', { headers: { origin: 'null' } }, 4403, 'forbidden'],
  ])('%s is refused', async (_, options, code, reason) => {
    world = await GatewayWorld.open();
    await world.start();
    const viewer = world.join('start', options);
    await viewer.until(() => viewer.closed !== null);
    expect(viewer.closed).toEqual({ code, reason });
    expect(viewer.heard).toEqual([]);
  });

  test.each(['end', '1', '1.x', '-2.0', ''])('from=%s is refused', async (from) => {
    world = await GatewayWorld.open();
    await world.start();
    const viewer = world.join(from);
    await viewer.until(() => viewer.closed !== null);
    expect(viewer.closed).toEqual({ code: 4400, reason: 'invalid_request' });
  });

  test('our own pages with the cookie may', async () => {
    world = await GatewayWorld.open();
    await world.start();
    const viewer = world.join('start', { token: '', headers: { cookie: 'playhead_token=ada', origin: `http://127.0.0.1:${world.port}` } });
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.status).toBe(101);
  });

  test('no more than the limit, and again when one has left', async () => {
    world = await GatewayWorld.open({ settings: { viewersMax: 1 } });
    await world.start();
    const first = world.join();
    await first.until(() => first.story.includes('live'));
    const second = world.join();
    await second.until(() => second.closed !== null);
    expect(second.closed).toEqual({ code: 4503, reason: 'overloaded' });
    first.drop();
    await admitted();
  });

  test('who watched is recorded', async () => {
    const views: unknown[] = [];
    world = await GatewayWorld.open({ wrapCatalog: (catalog) => ({ ...catalog, recordView: async (view) => void views.push(view) }) });
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    expect(views).toEqual([expect.objectContaining({ projectId: 'shop', sessionId: SESSION, viewer: 'Ada' })]);
  });

  test('people who watch a live session at the same time are recorded each', async () => {
    const views: SessionView[] = [];
    world = await GatewayWorld.open({ wrapCatalog: (catalog) => ({ ...catalog, recordView: async (view) => void views.push(view) }) });
    await world.start();
    for (const token of ['ada', 'bob']) {
      const viewer = world.join('start', { token });
      await viewer.until(() => viewer.story.includes('live'));
    }
    expect(views.map(({ viewer }) => viewer)).toEqual(['Ada', 'Bob']);
    expect(new Set(views.map(({ watchId }) => watchId)).size).toBe(2);
  });

  test('who opens a second connection beside the first watches once, also when the session is over', async () => {
    const watches: string[] = [];
    world = await GatewayWorld.open({
      wrapCatalog: (catalog) => ({ ...catalog, recordView: async ({ watchId }) => void watches.push(watchId) }),
    });
    await world.start();
    await world.end();
    const first = world.join();
    await first.until(() => first.story.includes('ended'));
    const second = world.join();
    await second.until(() => second.story.includes('ended'));
    expect(watches).toHaveLength(2);
    expect(new Set(watches).size).toBe(1);
    first.drop();
    second.drop();
    // Who comes later watches once more.
    await vi.waitFor(async () => {
      const later = world.join();
      await later.until(() => later.story.includes('ended'));
      later.drop();
      expect(new Set(watches).size).toBe(2);
    });
  });

  test('an address that speaks WebSocket says so to others', async () => {
    world = await GatewayWorld.open();
    expect((await world.get(`/v1/sessions/${SESSION}/live`)).status).toBe(422);
  });
});

describe('a connection', () => {
  test('beats, and tells when the newest upload came', async () => {
    world = await GatewayWorld.open({ settings: { viewerHeartbeatMs: 10 } });
    await world.start();
    const offset = await world.pictures(0, 1, { receivedAtMs: 1_750_000_077_000 });
    expect(offset).toBe(0);
    const viewer = world.join();
    await viewer.until(() => viewer.controls.some((one) => one.type === 'heartbeat' && one.lastReceivedAtMs === 1_750_000_077_000));
  });

  test('is told when the gateway goes away', async () => {
    world = await GatewayWorld.open();
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    const closing = world.app.close();
    await viewer.until(() => viewer.closed !== null);
    expect(viewer.closed).toEqual({ code: 1001, reason: 'going_away' });
    await closing;
  });

  test('that does not read does not hold up the end', async () => {
    world = await GatewayWorld.open({ settings: { goodbyeMs: 50 } });
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    viewer.pause();
    for (let i = 0; i < 100; i++) await world.pictures(i, 1, { bytesMin: 100_000 });
    const startedMs = performance.now();
    await world.app.close();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('survives a catalog that fails for a while', async () => {
    let failures = 3;
    world = await GatewayWorld.open({
      wrapCatalog: (catalog) => ({
        ...catalog,
        blocks: (...asked) => (failures-- > 0 ? Promise.reject(new Error('the catalog is away')) : catalog.blocks(...asked)),
      }),
    });
    await world.start();
    await world.pictures(0, 1);
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.positions).toEqual(['0.0']);
  });

  test('that takes nothing for too long is cut', async () => {
    world = await GatewayWorld.open({
      settings: { viewersMax: 1, viewerBufferBytesMax: 64 * 1024, viewerHeartbeatMs: 10, viewerStallMs: 100 },
    });
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    viewer.pause();
    for (let i = 0; i < 100; i++) await world.pictures(i, 1, { bytesMin: 100_000 });
    expect((await admitted()).closed).toBeNull();
  });
});

describe('leases', () => {
  async function watchesOf(session = SESSION): Promise<Watch[]> {
    const stop = new AbortController();
    const watches: Watch[] = [];
    const partition = partitionOf(session, world.log.partitions);
    const reading = (async () => {
      for await (const batch of world.log.read('playhead.watches', partition, 0 as never, { signal: stop.signal })) {
        for (const { record } of batch.records) if (record !== null) watches.push(record);
      }
    })();
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await reading;
    return watches;
  }

  test('a watched session has one, renewed three times per lease, for all its viewers', async () => {
    const clock = manualClock();
    world = await GatewayWorld.open({ clock });
    await world.start();
    const first = world.join();
    await first.until(() => first.story.includes('live'));
    const second = world.join();
    await second.until(() => second.story.includes('live'));
    expect(await watchesOf()).toHaveLength(1);
    clock.advance(5_000);
    clock.advance(5_000);
    const watches = await watchesOf();
    expect(watches.map(({ expiresAtMs }) => expiresAtMs - clock.now())).toEqual([5_000, 10_000, 15_000]);
    expect(new Set(watches.map(({ watchId }) => watchId)).size).toBe(1);
    expect(
      watches.every(({ watchId, projectId, sessionId }) => isSessionId(watchId) && projectId === 'shop' && sessionId === SESSION),
    ).toBe(true);
  });

  test('it is not renewed when the last viewer has left; the next period has another id', async () => {
    const clock = manualClock();
    world = await GatewayWorld.open({ clock, settings: { viewersMax: 1 } });
    await world.start();
    const first = world.join();
    await first.until(() => first.story.includes('live'));
    first.drop();
    // With room for one, a second viewer is let in once the first is known to have left.
    const second = await admitted();
    second.drop();
    const watches = await watchesOf();
    expect(watches).toHaveLength(2);
    expect(watches[0]?.watchId).not.toBe(watches[1]?.watchId);
  });

  test('an ended session has none, and one that ends is not renewed', async () => {
    const clock = manualClock();
    world = await GatewayWorld.open({ clock });
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    await world.end();
    await viewer.until(() => viewer.story.includes('ended'));
    clock.advance(60_000);
    const late = world.join();
    await late.until(() => late.story.includes('ended'));
    expect(await watchesOf()).toHaveLength(1);
  });
});
