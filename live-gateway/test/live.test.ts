import { CLOSE_CODES, formatPosition, toOffset } from '@playhead/schemas';
import { aSessionStarted, jpegOf } from '@playhead/testkit';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { EPOCH_MS, GatewayWorld, SESSION } from './gateway-world.ts';
import type { WsClient } from './ws-client.ts';

let world: GatewayWorld;
afterEach(() => world.close());

describe('a join', () => {
  test('[LH1] [LH11] gets blocks, then the log, then live, in one order', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await world.pictures(1);
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    await world.pictures(2);
    await viewer.until(() => viewer.positions.length === 6);
    expect(viewer.positions).toEqual(['0.0', '0.1', '1.0', '1.1', '2.0', '2.1']);
    expect(viewer.story).toEqual(['welcome', 'replaying', 'live']);
    expect(Buffer.from(viewer.frames[5]?.payload ?? [])).toEqual(Buffer.from(jpegOf({ shade: 15, comment: '2.1' })));
  });

  test('[LH11] is not called live before what was in the log at the join', async () => {
    world = await GatewayWorld.open({
      wrapLog: (log) => ({
        ...log,
        // A log that takes its time before the first batch.
        async *read(...asked) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          yield* log.read(...asked);
        },
      }),
    });
    await world.start();
    for (let i = 0; i < 60; i++) await world.pictures(i, 1, { bytesMin: 100_000 });
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    const at = viewer.heard.findIndex((one) => 'control' in one && one.control.type === 'state' && one.control.state === 'live');
    expect(viewer.heard.slice(0, at).filter((one) => 'frames' in one)).toHaveLength(60);
  });

  test('[LH2] leaves out what was sent before, also across the end of the chain', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0);
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await world.pictures(0);
    await world.pictures(1);
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    await world.pictures(1);
    await world.pictures(2);
    await viewer.until(() => viewer.positions.includes('5.1'));
    expect(viewer.positions).toEqual(['0.0', '0.1', '3.0', '3.1', '5.0', '5.1']);
  });

  test('[LH4] continues behind a position in the middle of an upload', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0, 3);
    await world.flush();
    await world.apply();
    await world.pictures(1, 3);
    const inBlock = world.join('0.1');
    const inLog = world.join('1.0');
    await inBlock.until(() => inBlock.story.includes('live'));
    await inLog.until(() => inLog.story.includes('live'));
    expect(inBlock.positions).toEqual(['0.2', '1.0', '1.1', '1.2']);
    expect(inLog.positions).toEqual(['1.1', '1.2']);
  });

  test('[LH18] behind a position that the log has never given out is refused before anything is said', async () => {
    world = await GatewayWorld.open({ partitions: 1 });
    await world.start();
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await world.pictures(1);
    const [last, beyond, far] = [world.join('1.1'), world.join('2.0'), world.join('9000000000.0')];
    for (const viewer of [beyond, far]) {
      await viewer.until(() => viewer.closed !== null);
      expect(viewer.closed).toEqual({ code: 4410, reason: 'position_gone' });
      expect(viewer.heard).toEqual([]);
    }
    await last.until(() => last.story.includes('live'));
    await world.pictures(2, 1);
    await last.until(() => last.positions.length === 1);
    expect(last.positions).toEqual(['2.0']);
  });

  test('[LH18] a position that was trimmed since is none of those', async () => {
    world = await GatewayWorld.open({ partitions: 1 });
    await world.start();
    await world.pictures(0);
    await world.pictures(1);
    await world.flush();
    await world.apply();
    await world.trim();
    const viewer = world.join('1.0');
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.positions).toEqual(['1.1']);
  });

  test('[LH19] is let in as soon as the start of its session is in the log, also by a gateway that has not read it yet', async () => {
    let slow = false;
    world = await GatewayWorld.open({
      wrapLog: (log) => ({
        ...log,
        async *read(topic, ...asked) {
          for await (const batch of log.read(topic, ...asked)) {
            if (slow && topic === 'playhead.sessions') await new Promise((resolve) => setTimeout(resolve, 100));
            yield batch;
          }
        },
      }),
    });
    await world.start();
    slow = true;
    await world.fact(aSessionStarted({ projectId: 'shop', sessionId: 'session-0002', startedAtMs: EPOCH_MS }));
    const viewer = world.join('start', { session: 'session-0002' });
    await viewer.until(() => viewer.story.includes('live') || viewer.closed !== null);
    expect(viewer.closed).toBeNull();
  });

  test('[LH19] is refused for a moment, not for good, while what the gateway had to forget of its session is not in the catalog', async () => {
    world = await GatewayWorld.open({ partitions: 1, settings: { directorySessionsMax: 1 } });
    const facts = ['session-0001', 'session-0002'].map((sessionId) => aSessionStarted({ sessionId, startedAtMs: EPOCH_MS }));
    for (const fact of facts) await world.fact(fact);
    await world.known('session-0002');
    const early = world.join('start', { session: 'session-0001' });
    await early.until(() => early.closed !== null);
    expect(early.closed?.code).toBe(CLOSE_CODES.internal);
    await world.catalog.applyFacts(
      0,
      facts.map((fact, i) => ({ offset: toOffset(i), fact })),
      toOffset(2),
    );
    const late = world.join('start', { session: 'session-0001' });
    await late.until(() => late.story.includes('live') || late.closed !== null);
    expect(late.closed).toBeNull();
  });

  test('[LH5] at keyframe begins with the last picture of the blocks', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0, 3);
    await world.pictures(1, 3);
    await world.flush();
    await world.apply();
    await world.pictures(2, 1);
    const viewer = world.join('keyframe');
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.positions).toEqual(['1.2', '2.0']);
  });

  test('[LH6] shows the whole frames of a damaged upload, the same live as from blocks', async () => {
    world = await GatewayWorld.open();
    await world.start();
    const body = Buffer.concat([Buffer.alloc(8), Buffer.from([0, 0, 0, 4]), Buffer.from([0xff, 0xd8, 0xff, 0xe0])]);
    const live = world.join();
    await live.until(() => live.story.includes('live'));
    await world.append({
      counter: 0,
      track: 'image',
      format: 'frame-bundle',
      epochMs: 1_750_000_000_000,
      body: Buffer.concat([body, body.subarray(0, 14)]),
    });
    await world.pictures(1);
    await live.until(() => live.positions.includes('1.1'));
    await world.flush();
    await world.apply();
    const late = world.join();
    await late.until(() => late.story.includes('live'));
    expect(late.positions).toEqual(live.positions);
  });

  test('[LH7] never shows the uploads of another project under the same session id', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0, 1, { projectId: 'other' });
    await world.pictures(0, 1, { sessionId: 'session-0002' });
    await world.pictures(0, 1);
    const viewer = world.join();
    await viewer.until(() => viewer.positions.length > 0);
    await world.pictures(1, 1, { projectId: 'other' });
    await world.pictures(1, 1);
    await viewer.until(() => viewer.positions.length === 2);
    expect(viewer.positions).toEqual(await world.acknowledged());
  });

  test('[LH8] waits for a catalog that lags behind a log that was trimmed', async () => {
    world = await GatewayWorld.open({ partitions: 1 });
    await world.start();
    await world.pictures(0);
    await world.pictures(1);
    const expected = await world.acknowledged();
    await world.flush();
    await world.trim();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('replaying'));
    await world.pictures(2, 1);
    await world.apply();
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.positions).toEqual([...expected, '2.0']);
    expect(viewer.story).not.toContain('gap');
  });

  test('[LH9] tells what is lost and goes on', async () => {
    world = await GatewayWorld.open({ partitions: 1 });
    await world.start();
    await world.pictures(0);
    await world.pictures(1);
    await world.lose();
    await world.pictures(2, 1);
    const viewer = world.join();
    await viewer.until(() => viewer.positions.length === 1);
    expect(viewer.story.slice(0, 3)).toEqual(['welcome', 'replaying', 'gap']);
    expect(viewer.controls.find(({ type }) => type === 'gap')).toEqual({ type: 'gap', firstOffset: 0, lastOffset: 1, reason: 'trimmed' });
    expect(viewer.positions).toEqual(['2.0']);
  });

  test('[LH8] [LH9] tells what is lost also where the last offset of the flushes is one without a record', async () => {
    world = await GatewayWorld.open({ partitions: 1, holeEvery: 1, settings: { endGraceMs: 50 } });
    await world.start();
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await world.pictures(1);
    await world.lose();
    await world.pictures(2, 1);
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('gap'));
    await viewer.until(() => viewer.positions.at(-1) === '4.0');
    expect(viewer.controls.find(({ type }) => type === 'gap')).toMatchObject({ lastOffset: 3, reason: 'trimmed' });
  });

  test('[LH10] passes a block whose object is gone', async () => {
    world = await GatewayWorld.open({ partitions: 1 });
    await world.start();
    await world.pictures(0);
    await world.flush();
    await world.pictures(1, 1);
    await world.flush();
    await world.apply();
    await world.blocks.delete('uploads/0/0-0');
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    expect(viewer.story).toEqual(['welcome', 'replaying', 'gap', 'live']);
    expect(viewer.positions).toEqual(['1.0']);
  });

  test.each([1, 2, 3, 5, 8, 9])(
    '[LH1] [LH10] gets every frame once when blocks are merged and their objects removed before read %i',
    async (before) => {
      let reads = 0;
      world = await GatewayWorld.open({
        partitions: 1,
        // A frame a read.
        settings: { messageBytesMax: 1 },
        wrapBlocks: (blocks) => ({
          ...blocks,
          async get(...asked) {
            if (++reads === before) {
              await world.merge();
              await world.sweep();
            }
            return blocks.get(...asked);
          },
        }),
      });
      await world.start();
      for (const counter of [0, 1, 2]) {
        await world.pictures(counter, 3);
        // A duplicate: the marks of all blocks have to be in the merged one.
        if (counter > 0) await world.pictures(counter - 1, 3);
        await world.flush();
      }
      await world.apply();
      const viewer = world.join();
      await viewer.until(() => viewer.story.includes('live'));
      await world.pictures(2, 3);
      await world.pictures(3, 1);
      await viewer.until(() => viewer.positions.length === 10);
      expect(viewer.positions).toEqual(await world.acknowledged());
      expect(viewer.story).toEqual(['welcome', 'replaying', 'live']);
      const kept: string[] = [];
      for await (const { key } of world.blocks.list('')) kept.push(key);
      expect(kept).toEqual(['merged/0/1']);
    },
  );

  test('[LH12] hears of the end behind everything before it, and gets late uploads', async () => {
    world = await GatewayWorld.open();
    await world.start();
    const viewer = world.join();
    await viewer.until(() => viewer.story.includes('live'));
    for (let i = 0; i < 20; i++) await world.pictures(i, 1);
    await world.end();
    await viewer.until(() => viewer.story.includes('ended'));
    const at = viewer.heard.findIndex((one) => 'control' in one && one.control.type === 'ended');
    expect(viewer.heard.slice(0, at).filter((one) => 'frames' in one)).toHaveLength(20);
    await world.pictures(20, 1);
    await viewer.until(() => viewer.positions.length === 21);
    expect(viewer.story).toEqual(['welcome', 'replaying', 'live', 'ended', 'ended']);
    expect(viewer.controls.find(({ type }) => type === 'ended')).toMatchObject({ reason: 'told' });
  });

  test('[LH12] of an ended session replays it, then says so; offsets without a record keep nobody waiting for ever', async () => {
    world = await GatewayWorld.open({ holeEvery: 1, settings: { endGraceMs: 20 } });
    await world.start();
    await world.pictures(0);
    await world.end();
    const viewer = world.join();
    await viewer.until(() => viewer.story.filter((one) => one === 'ended').length === 2);
    expect(viewer.positions).toEqual(['0.0', '0.1']);
  });
});

describe('slow viewers', () => {
  test('[LH13] [LH14] lag, delay nobody, and continue behind their last position', async () => {
    world = await GatewayWorld.open({ settings: { viewerBufferBytesMax: 64 * 1024 } });
    await world.start();
    const [slow, fast] = [world.join(), world.join()];
    await Promise.all([slow, fast].map((viewer) => viewer.until(() => viewer.story.includes('live'))));
    slow.pause();
    // More than what the kernel's buffers hold, so that the rest waits in the gateway.
    for (let i = 0; i < 200; i++) await world.pictures(i, 1, { bytesMin: 100_000 });
    await fast.until(() => fast.positions.length === 200);
    slow.resume();
    await slow.until(() => slow.positions.length >= 200 && slow.story.at(-1) === 'live');
    expect(slow.positions).toEqual(fast.positions);
    expect(slow.story).toContain('lagged');
    expect(slow.story[slow.story.indexOf('lagged') + 1]).toBe('catching-up');
  });

  test('[LH15] return to blocks when the window and the log have moved on', async () => {
    world = await GatewayWorld.open({ partitions: 1, settings: { viewerBufferBytesMax: 64 * 1024, windowBytesMax: 300_000 } });
    await world.start();
    const slow = world.join();
    await slow.until(() => slow.story.includes('live'));
    slow.pause();
    for (let i = 0; i < 150; i++) await world.pictures(i, 1, { bytesMin: 100_000 });
    const expected = await world.acknowledged();
    await world.flush();
    await world.apply();
    await world.trim();
    slow.resume();
    await slow.until(() => slow.positions.length >= 150 && slow.story.at(-1) === 'live');
    expect(slow.positions).toEqual(expected);
    expect(slow.story).not.toContain('gap');
  });
});

const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('append' as const),
      counter: fc.nat(15),
      count: fc.integer({ min: 0, max: 3 }),
      bytesMin: fc.constantFrom(0, 20_000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ op: fc.constantFrom('other', 'flush', 'apply', 'trim', 'join', 'reconnect', 'turn' as const) }) },
);

describe('in any order', () => {
  test('[LH1] [LH2] [LH3] [LH4] every viewer gets exactly the acknowledged frames, in order, once', async () => {
    world = await GatewayWorld.open();
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 40 }), fc.boolean(), async (happenings, holes) => {
        await world.close();
        world = await GatewayWorld.open({
          partitions: 1,
          holeEvery: holes ? 3 : 0,
          settings: { windowBytesMax: 60_000, viewerBufferBytesMax: 30_000, messageBytesMax: 25_000 },
        });
        await world.start();
        const viewers: { before: string[]; client: WsClient }[] = [];
        // Kept by the test: the log may forget.
        const acknowledged = new Set<string>();
        const seen = new Set<number>();
        for (const one of happenings) {
          if (one.op === 'append') {
            const offset = await world.pictures(one.counter, one.count, { bytesMin: one.bytesMin });
            if (!seen.has(one.counter)) for (let i = 0; i < one.count; i++) acknowledged.add(`${offset}.${i}`);
            seen.add(one.counter);
          } else if (one.op === 'other') await world.pictures(0, 1, { sessionId: 'session-0002' });
          else if (one.op === 'flush') await world.flush();
          else if (one.op === 'apply') await world.apply(1);
          else if (one.op === 'trim') await world.trim();
          else if (one.op === 'turn') await new Promise((resolve) => setTimeout(resolve, 1));
          else if (one.op === 'join') viewers.push({ before: [], client: world.join() });
          else {
            const viewer = viewers[0];
            if (viewer === undefined) continue;
            viewer.client.drop();
            viewer.before.push(...viewer.client.positions);
            viewer.client = world.join(viewer.before.at(-1) ?? 'start');
          }
        }
        await world.apply();
        viewers.push({ before: [], client: world.join() });
        const expected = [...acknowledged];
        for (const { before, client } of viewers) {
          await client.until(() => before.length + client.positions.length >= expected.length && client.story.includes('live'));
          expect([...before, ...client.positions]).toEqual(expected);
          expect(client.story).not.toContain('gap');
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

test('positions of the stream are those of the blocks', async () => {
  world = await GatewayWorld.open();
  await world.start();
  await world.pictures(0);
  await world.flush();
  await world.apply();
  const viewer = world.join();
  await viewer.until(() => viewer.story.includes('live'));
  const list = (await (await world.get(`/v1/sessions/${SESSION}/blocks`)).json()) as { blocks: { frames: { position: string }[] }[] };
  expect(list.blocks.flatMap(({ frames }) => frames.map(({ position }) => position))).toEqual(
    viewer.frames.map((frame) => formatPosition(frame.position)),
  );
});
