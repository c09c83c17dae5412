import { decodeBlock, partitionOf, toOffset } from '@playhead/schemas';
import { aDomKeyframe, anUploadOf, aSessionStarted, jpegOf } from '@playhead/testkit';
import { decompressPiece } from '@playhead/uploads';
import { afterEach, describe, expect, test } from 'vitest';
import { matchesEtag, parseRange } from '../src/read-api/range.ts';
import { EPOCH_MS, GatewayWorld, SESSION } from './gateway-world.ts';

let world: GatewayWorld;
afterEach(() => world?.close());

interface BlockList {
  readonly chainEnd: number;
  readonly blocks: readonly {
    readonly id: string;
    readonly bytes: number;
    readonly frames: readonly { readonly position: string; readonly href?: string; readonly width: number }[];
  }[];
}

/** A session with a block of three pictures and one of a page. */
async function recorded(): Promise<BlockList> {
  world = await GatewayWorld.open();
  await world.start();
  await world.pictures(0, 3);
  await world.flush();
  const { body } = anUploadOf([aDomKeyframe(EPOCH_MS)]);
  await world.append({ counter: 1, body, windowId: 'w2' });
  await world.flush();
  await world.apply();
  return (await (await world.get(`/v1/sessions/${SESSION}/blocks`)).json()) as BlockList;
}

describe('ranges', () => {
  test.each([
    [undefined, 'whole'],
    ['bytes=0-3', { first: 0, last: 3 }],
    ['bytes=4-', { first: 4, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-30', { first: 0, last: 9 }],
    ['bytes=8-300', { first: 8, last: 9 }],
    ['BYTES=0-0', { first: 0, last: 0 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=0-1,4-5', 'whole'],
    ['bytes=5-2', 'whole'],
    ['bytes=-', 'whole'],
    ['lines=0-1', 'whole'],
    ['bytes=a-b', 'whole'],
  ])('%s of ten bytes', (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });

  test('of nothing cannot be satisfied', () => {
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
    expect(parseRange('bytes=-1', 0)).toBe('unsatisfiable');
  });

  test('If-None-Match compares weakly, in a list, and knows the star', () => {
    expect(matchesEtag('"x", W/"a"', '"a"')).toBe(true);
    expect(matchesEtag('*', '"a"')).toBe(true);
    expect(matchesEtag('"b"', '"a"')).toBe(false);
    expect(matchesEtag(undefined, '"a"')).toBe(false);
  });
});

describe('blocks', () => {
  test('are listed with their frames; pictures have an address', async () => {
    const list = await recorded();
    expect(list.chainEnd).toBe(1);
    expect(list.blocks.map(({ id }) => id)).toEqual(['0', '1']);
    expect(list.blocks[0]?.frames[2]).toMatchObject({
      position: '0.2',
      href: `/v1/sessions/${SESSION}/frames/0.2`,
      width: 16,
      track: 'image',
    });
    expect(list.blocks[1]?.frames[0]).not.toHaveProperty('href');
  });

  test('are listed with what is missing between them', async () => {
    await recorded();
    const gap = { firstOffset: toOffset(2), lastOffset: toOffset(5) };
    const partition = partitionOf(SESSION, world.log.partitions);
    const empty = {
      partition,
      prevLastOffset: toOffset(1),
      objectKey: '',
      objectBytes: 0,
      createdAtMs: EPOCH_MS,
      writer: 'test',
      blocks: [],
    };
    await world.catalog.applyFlush({ ...empty, ...gap, gap }, toOffset(3), []);
    expect(await (await world.get(`/v1/sessions/${SESSION}/blocks`)).json()).toMatchObject({ chainEnd: 5, gaps: [gap] });
  });

  test('are served whole, in ranges, and not again to who has them', async () => {
    const list = await recorded();
    const path = `/v1/sessions/${SESSION}/blocks/0`;
    const whole = await world.get(path);
    const bytes = new Uint8Array(await whole.arrayBuffer());
    expect(whole.status).toBe(200);
    expect(bytes).toHaveLength(list.blocks[0]?.bytes ?? 0);
    expect(decodeBlock(bytes, decompressPiece)).toHaveLength(3);
    expect(whole.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
    expect(whole.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]+"$/);

    const part = await world.get(path, { range: 'bytes=3-6' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 3-6/${bytes.length}`);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(3, 7));

    const outside = await world.get(path, { range: `bytes=${bytes.length}-` });
    expect(outside.status).toBe(416);
    expect(outside.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
    expect(await outside.json()).toMatchObject({ error: { code: 'range_not_satisfiable' } });

    expect((await world.get(path, { 'if-none-match': etag })).status).toBe(304);
    expect((await world.get(path, { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await world.get(path, { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
    expect((await world.get(path, { range: 'bytes=0-1,3-4' })).status).toBe(200);

    const head = await world.get(path, {}, 'HEAD');
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(bytes.length));
    expect(head.headers.get('etag')).toBe(etag);
  });

  test('that were merged have an id of their own, so that no id ever means other bytes', async () => {
    await recorded();
    const path = `/v1/sessions/${SESSION}/blocks`;
    const before = new Uint8Array(await (await world.get(`${path}/1`)).arrayBuffer());
    await world.merge();
    // Whoever has the list of before gets what it names, as long as that is there.
    expect(new Uint8Array(await (await world.get(`${path}/1`)).arrayBuffer())).toEqual(before);
    await world.sweep();
    expect((await world.get(`${path}/1`)).status).toBe(404);
    await world.pictures(2, 1);
    await world.flush();
    await world.apply();

    const list = (await (await world.get(path)).json()) as BlockList;
    expect(list.blocks.map(({ id, frames }) => [id, frames.map(({ position }) => position)])).toEqual([
      ['m1', ['0.0', '0.1', '0.2', '1.0']],
      ['2', ['2.0']],
    ]);
    const merged = new Uint8Array(await (await world.get(`${path}/m1`)).arrayBuffer());
    expect(decodeBlock(merged, decompressPiece)).toHaveLength(4);
    for (const id of ['0', 'm0', 'm2', '01']) expect((await world.get(`${path}/${id}`)).status).toBe(404);
    for (const id of ['m', 'M1', 'mm1', '1m']) expect((await world.get(`${path}/${id}`)).status).toBe(422);
  });

  test('that do not exist are not found', async () => {
    await recorded();
    expect((await world.get(`/v1/sessions/${SESSION}/blocks/7`)).status).toBe(404);
    expect((await world.get(`/v1/sessions/${SESSION}/blocks/x`)).status).toBe(422);
    expect((await world.get('/v1/sessions/session-none/blocks')).status).toBe(404);
  });
});

describe('frames', () => {
  test('pictures come with their type, by a range of the object and never the whole', async () => {
    const asked: number[] = [];
    world = await GatewayWorld.open({
      wrapBlocks: (blocks) => ({
        ...blocks,
        get: (key, range) => (asked.push(range?.length ?? Number.POSITIVE_INFINITY), blocks.get(key, range)),
      }),
    });
    await world.start();
    await world.pictures(0, 3);
    await world.flush();
    await world.apply();
    const picture = await world.get(`/v1/sessions/${SESSION}/frames/0.1`);
    const expected = jpegOf({ shade: 1, comment: '0.1' });
    expect(picture.headers.get('content-type')).toBe('image/jpeg');
    expect(new Uint8Array(await picture.arrayBuffer())).toEqual(new Uint8Array(expected));
    expect(Math.max(...asked)).toBe(expected.length);
    const part = await world.get(`/v1/sessions/${SESSION}/frames/0.1`, { range: 'bytes=0-1' });
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(Uint8Array.of(0xff, 0xd8));
  });

  test('of a page come as JSON; what is in no block is not found', async () => {
    await recorded();
    const page = await world.get(`/v1/sessions/${SESSION}/frames/1.0`);
    expect(page.headers.get('content-type')).toContain('application/json');
    expect(await page.json()).toHaveLength(2);
    expect((await world.get(`/v1/sessions/${SESSION}/frames/1.1`)).status).toBe(404);
    expect((await world.get(`/v1/sessions/${SESSION}/frames/1`)).status).toBe(422);
    expect((await world.get(`/v1/sessions/${SESSION}/frames/0.0`, {}, 'HEAD')).headers.get('content-type')).toBe('image/jpeg');
  });

  test('are the same bytes at the same address after their blocks were merged and the objects removed', async () => {
    const list = await recorded();
    const paths = list.blocks.flatMap(({ frames }) => frames.map(({ position }) => `/v1/sessions/${SESSION}/frames/${position}`));
    const read = async (path: string) => Buffer.from(await (await world.get(path)).arrayBuffer()).toString('hex');
    const before = await Promise.all(paths.map(read));
    await world.merge();
    await world.sweep();
    expect(await Promise.all(paths.map(read))).toEqual(before);
    // A picture is in a piece now.
    for (const method of ['GET', 'HEAD']) {
      const picture = await world.get(paths[0] ?? '', {}, method);
      expect([picture.headers.get('content-type'), picture.headers.get('content-length')]).toEqual([
        'image/jpeg',
        String((before[0]?.length ?? 0) / 2),
      ]);
    }
    const part = await world.get(paths[0] ?? '', { range: 'bytes=0-1' });
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(Uint8Array.of(0xff, 0xd8));
  });

  test('are found in blocks that came after the list was kept', async () => {
    await recorded();
    await world.pictures(2, 1);
    expect((await world.get(`/v1/sessions/${SESSION}/frames/2.0`)).status).toBe(404);
    await world.flush();
    await world.apply();
    expect((await world.get(`/v1/sessions/${SESSION}/frames/2.0`)).status).toBe(200);
  });
});

describe('sessions', () => {
  test('are known as soon as they have started, before any flush, newest first', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.fact(aSessionStarted({ sessionId: 'session-0002', startedAtMs: EPOCH_MS + 10 }));
    await world.fact(aSessionStarted({ sessionId: 'session-0003', startedAtMs: EPOCH_MS + 5, projectId: 'other' }));
    for (;;) {
      const page = (await (await world.get('/v1/sessions')).json()) as { sessions: { sessionId: string }[]; next: number | null };
      if (page.sessions.length < 2) continue;
      expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual(['session-0002', SESSION]);
      expect(page.next).toBeNull();
      break;
    }
    const first = (await (await world.get('/v1/sessions?limit=1')).json()) as { sessions: { sessionId: string }[]; next: number };
    expect(first.sessions.map(({ sessionId }) => sessionId)).toEqual(['session-0002']);
    const second = (await (await world.get(`/v1/sessions?limit=1&before=${first.next}`)).json()) as {
      sessions: { sessionId: string }[];
      next: null;
    };
    expect(second.sessions.map(({ sessionId }) => sessionId)).toEqual([SESSION]);
    expect(second.next).toBeNull();
  });

  test('are merged with the catalog: its counts, and the end that it has not heard of', async () => {
    world = await GatewayWorld.open();
    await world.start();
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await world.end();
    for (;;) {
      const info = (await (await world.get(`/v1/sessions/${SESSION}`)).json()) as {
        live: boolean;
        endReason: string;
        counts: { frames: number };
      };
      if (info.live) continue;
      expect(info).toMatchObject({ endReason: 'told', endedAtMs: EPOCH_MS + 5000, counts: { frames: 3 } });
      break;
    }
    const live = (await (await world.get('/v1/sessions?live=true')).json()) as { sessions: unknown[] };
    expect(live.sessions).toEqual([]);
    const ended = (await (await world.get('/v1/sessions?live=false')).json()) as { sessions: { counts: { frames: number } }[] };
    expect(ended.sessions.map(({ counts }) => counts.frames)).toEqual([3]);
  });

  test('the feed tells starts, ends and changes of the own project, and beats', async () => {
    world = await GatewayWorld.open({ settings: { feedRefreshMs: 20, feedHeartbeatMs: 30 } });
    const answer = await world.get('/v1/sessions/feed');
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) text += (await reader?.read())?.value ?? '';
    };
    await world.fact(aSessionStarted({ sessionId: 'session-0009', projectId: 'other' }));
    await world.start();
    await until(() => text.includes('event: session'));
    await world.pictures(0);
    await world.flush();
    await world.apply();
    await until(() => text.includes('"frames":3'));
    await world.end();
    await until(() => text.includes('"live":false') && text.includes(': alive'));
    expect(text).not.toContain('session-0009');
    await reader?.cancel();
  });

  test('the feed has a bounded number of listeners', async () => {
    world = await GatewayWorld.open({ settings: { feedListenersMax: 1 } });
    const first = await world.get('/v1/sessions/feed');
    expect((await world.get('/v1/sessions/feed')).status).toBe(503);
    await first.body?.cancel();
  });
});

test('an open feed does not keep the gateway from closing', async () => {
  world = await GatewayWorld.open();
  const answer = await world.get('/v1/sessions/feed');
  await world.app.close();
  expect(await answer.text()).toContain('welcome');
});

describe('who may read', () => {
  const paths = [
    '/v1/sessions',
    '/v1/sessions/feed',
    `/v1/sessions/${SESSION}`,
    `/v1/sessions/${SESSION}/blocks`,
    `/v1/sessions/${SESSION}/blocks/0`,
    `/v1/sessions/${SESSION}/frames/0.0`,
  ];

  test.each(paths)('nobody without a token: %s', async (path) => {
    world = await GatewayWorld.open();
    for (const headers of [{ authorization: '' }, { authorization: 'Bearer nobody' }]) {
      const answer = await world.get(path, headers);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ error: { code: 'unauthorized' } });
    }
  });

  test('the token may come as a cookie, a header or in the address', async () => {
    world = await GatewayWorld.open();
    await world.start();
    const path = `/v1/sessions/${SESSION}`;
    expect((await world.get(path)).status).toBe(200);
    expect((await world.get(path, { authorization: '', cookie: 'playhead_token=ada' })).status).toBe(200);
    expect((await world.get(`${path}?token=ada`, { authorization: '' })).status).toBe(200);
  });

  test('another project sees nothing of a session', async () => {
    await recorded();
    const eve = { authorization: 'Bearer eve' };
    for (const path of paths.slice(2)) expect((await world.get(path, eve)).status).toBe(404);
    expect(await (await world.get('/v1/sessions', eve)).json()).toEqual({ sessions: [], next: null });
  });

  test('no other origin is allowed in', async () => {
    await recorded();
    const answer = await world.get('/v1/sessions', { origin: 'https://evil.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});
