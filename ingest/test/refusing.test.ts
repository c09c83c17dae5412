import { gzipSync } from 'node:zlib';
import { encodeFrameBundle, encodeFrames, LIMITS, uuidv7 } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, jpegOf } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import type { Door } from './door.ts';
import { aBody, KEY, NOW_MS, openDoor, queryOf, SESSION } from './door.ts';

const START = `/v1/sessions?key=${KEY}`;
const EPOCH = { format: 'frame-bundle', epochMs: NOW_MS - 60_000 };

async function refused(answer: Awaited<ReturnType<Door['upload']>>, status: number, code: string): Promise<Record<string, unknown>> {
  expect({ status: answer.statusCode, code: answer.json().error?.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  return answer.json().error.details ?? {};
}

function paths(details: Record<string, unknown>): string[] {
  return (details['problems'] as { path: string }[]).map(({ path }) => path);
}

describe('the write key', () => {
  test.each(['', '?key=wrong', `?key=${KEY}&key=${KEY}`, '?key='])('[IN7] "%s" is refused with 401 on every route', async (query) => {
    const door = await openDoor();
    for (const path of ['', `/${SESSION}/uploads`, `/${SESSION}/end`]) {
      const answer = await door.post(`/v1/sessions${path}${query}`, aBody(), { headers: { 'content-type': 'text/plain' } });
      await refused(answer, 401, 'unauthorized');
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expect(door.log.appends).toBe(0);
  });

  test('[IN7] it may be a bearer token, of which one that differs from ?key= is refused', async () => {
    const door = await openDoor();
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/octet-stream' };
    const path = `/v1/sessions/${SESSION}/uploads?${queryOf({ key: '' })}`;
    expect((await door.post(path, aBody(), { headers })).statusCode).toBe(204);
    await refused(await door.post(`${path}&key=key-of-the-bank`, aBody(), { headers }), 401, 'unauthorized');
  });

  test('[IN7] the project is that of the key', async () => {
    const door = await openDoor();
    await door.upload(aBody(), { key: 'key-of-the-bank' });
    expect(await door.uploads()).toMatchObject([{ projectId: 'bank' }]);
  });
});

describe('session ids', () => {
  test.each(['short', '-session-id', 'a'.repeat(65), 'with%20space', 'caf%C3%A9-session'])('[IN11] %s is refused with 422', async (id) => {
    const door = await openDoor();
    expect(paths(await refused(await door.upload(aBody(), {}, id), 422, 'invalid_request'))).toEqual(['sessionId']);
    expect(paths(await refused(await door.post(START, { sessionId: decodeURIComponent(id) }), 422, 'invalid_request'))).toEqual([
      'sessionId',
    ]);
  });

  test('[IN11] a UUIDv7 older than the horizon is refused with 410, one inside of it is not', async () => {
    const door = await openDoor();
    const old = uuidv7(NOW_MS - LIMITS.dedupeHorizonMs - 1, new Uint8Array(10));
    await refused(await door.upload(aBody(), {}, old), 410, 'session_expired');
    await refused(await door.post(START, { sessionId: old }), 410, 'session_expired');
    await refused(await door.post(`/v1/sessions/${old}/end?key=${KEY}`), 410, 'session_expired');
    expect(door.log.appends).toBe(0);
    const young = uuidv7(NOW_MS - LIMITS.dedupeHorizonMs, new Uint8Array(10));
    expect((await door.upload(aBody(), {}, young)).statusCode).toBe(204);
  });
});

describe('wrong shapes', () => {
  const long = 'x'.repeat(LIMITS.factCharsMax + 1);
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: LIMITS.factsMax + 1 }, (_, i) => [`fact${i}`, ''])));

  test.each<[string, Record<string, string | number>, string[]]>([
    ['no window', { window: '' }, ['window']],
    ['no window and no upload', { window: '', upload: '' }, ['window', 'upload']],
    ['a window of a wrong shape', { window: 'a b' }, ['window']],
    ['a negative counter', { counter: -1 }, ['counter']],
    ['a counter that is no number', { counter: '1e3' }, ['counter']],
    ['a counter beyond 2^53', { counter: '9007199254740993' }, ['counter']],
    ['an unknown format', { format: 'zip' }, ['format']],
    ['an unknown codec', { codec: 'br' }, ['codec']],
    ['an unknown goodbye', { goodbye: 'yes' }, ['goodbye']],
    ['facts that are not JSON', { facts: '{' }, ['facts']],
    ['facts that are a list', { facts: '[]' }, ['facts']],
    ['facts that are no texts', { facts: '{"url":1,"b":null}' }, ['facts.url', 'facts.b']],
    ['a fact without a name', { facts: '{"":"x"}' }, ['facts.']],
    ['a fact that is too long', { facts: JSON.stringify({ url: long }) }, ['facts.url']],
    ['too many facts', { facts: many }, ['facts']],
    ['everything wrong at once', { window: '!', counter: 'x', facts: '1', goodbye: 2 }, ['window', 'counter', 'goodbye', 'facts']],
  ])('[IN12] an upload with %s: 422, and where', async (_, query, expected) => {
    const door = await openDoor();
    const details = await refused(await door.upload(aBody(), query), 422, 'invalid_request');
    expect(paths(details)).toEqual(expected);
    expect(door.log.appends).toBe(0);
  });

  test('[IN12] an upload with a parameter given twice', async () => {
    const door = await openDoor();
    const answer = await door.post(`/v1/sessions/${SESSION}/uploads?${queryOf()}&window=other`, aBody());
    expect(paths(await refused(answer, 422, 'invalid_request'))).toEqual(['window']);
  });

  test.each<[string, string | object, string[]]>([
    ['no JSON', '{', ['body']],
    ['a list', '[]', ['body']],
    ['null', 'null', ['body']],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), ['body']],
    ['a user that is a number', { userId: 1 }, ['userId']],
    ['a user that is too long', { userId: long }, ['userId']],
    ['a source of a wrong shape', { source: 'my phone' }, ['source']],
    ['facts that are a text', { facts: 'x' }, ['facts']],
    ['several things wrong', { windowId: '', startedAtMs: 'now', facts: { a: {} } }, ['windowId', 'startedAtMs', 'facts.a']],
  ])('[IN12] a start that is %s: 422, and where', async (_, body, expected) => {
    const door = await openDoor();
    const details = await refused(await door.post(START, body, { headers: { 'content-type': 'text/plain' } }), 422, 'invalid_request');
    expect(paths(details).toSorted()).toEqual(expected.toSorted());
    expect(door.log.appends).toBe(0);
  });

  const wrongTimes: [string, number | string][] = [
    ['in seconds', Math.floor(NOW_MS / 1000)],
    ['far ahead', NOW_MS + LIMITS.timestampAheadMaxMs + 1],
    ['before 2000', LIMITS.timestampMinMs - 1],
    ['negative', -5],
    ['a fraction', '1.5'],
  ];
  test.each(wrongTimes)('[IN13] a time that is %s is refused wherever it stands', async (_, ms) => {
    const door = await openDoor();
    expect(paths(await refused(await door.upload(aBody(), { sentAtMs: ms }), 422, 'invalid_request'))).toEqual(['sentAtMs']);
    expect(paths(await refused(await door.upload(aBody(), { epochMs: ms }), 422, 'invalid_request'))).toEqual(['epochMs']);
    expect(paths(await refused(await door.post(START, { startedAtMs: Number(ms) }), 422, 'invalid_request'))).toEqual(['startedAtMs']);
  });

  test('[IN13] a frame-bundle without epochMs is refused, also when the format was sniffed', async () => {
    const door = await openDoor();
    const bundle = encodeFrameBundle([{ offsetMs: 0, jpeg: jpegOf() }]);
    for (const format of ['frame-bundle', 'auto']) {
      expect(paths(await refused(await door.upload(bundle, { format }), 422, 'invalid_request'))).toEqual(['epochMs']);
    }
  });
});

describe('bodies', () => {
  test('[IN17] a truncated gzip with whole frames is accepted as received', async () => {
    const door = await openDoor();
    const frames = [aDomKeyframe(NOW_MS), ...Array.from({ length: 500 }, (_, i) => aDomChange(NOW_MS, `step ${Math.sin(i)}`))];
    const whole = gzipSync(encodeFrames(frames));
    const cut = whole.subarray(0, whole.length - 200);
    expect((await door.upload(cut)).statusCode).toBe(204);
    const [upload] = await door.uploads();
    expect(Buffer.from(upload?.body ?? []).equals(cut)).toBe(true);
  });

  test('[IN16] a truncated gzip without a whole frame is refused', async () => {
    const door = await openDoor();
    const details = await refused(await door.upload(aBody().subarray(0, 40)), 422, 'truncated_body');
    expect(details).toMatchObject({ frameIndex: 0, byteOffset: expect.any(Number) });
    expect(door.log.appends).toBe(0);
  });

  test('[IN16] a damaged gzip, and what is said to be gzip and is not, are refused', async () => {
    const door = await openDoor();
    const damaged = Uint8Array.from(aBody());
    damaged.fill(0xff, 10, 30);
    expect((await door.upload(damaged)).json().error.code).toMatch(/corrupt_codec|truncated_body/);
    await refused(await door.upload(encodeFrames([aDomKeyframe()]), { codec: 'gzip' }), 422, 'corrupt_codec');
    expect(door.log.appends).toBe(0);
  });

  test('[IN16] a length past the end, a length of zero, no picture, and times that cannot be: refused with what and where', async () => {
    const door = await openDoor();
    const jpeg = jpegOf();
    const good = encodeFrameBundle([{ offsetMs: 0, jpeg }]);
    const pastEnd = Uint8Array.from(good);
    new DataView(pastEnd.buffer).setUint32(8, jpeg.length + 1);
    const zero = Uint8Array.from(good);
    new DataView(zero.buffer).setUint32(8, 0);
    const text = encodeFrameBundle([{ offsetMs: 0, jpeg: new TextEncoder().encode('not a picture at all') }]);
    const late = encodeFrameBundle([{ offsetMs: LIMITS.sessionDurationMaxMs + 1, jpeg }]);
    for (const [body, code] of [
      [pastEnd, 'truncated_body'],
      [zero, 'frame_empty'],
      [text, 'frame_not_image'],
      [late, 'timestamp_out_of_range'],
    ] as const) {
      const details = await refused(await door.upload(body, EPOCH), 422, code);
      expect(details).toEqual({ byteOffset: 0, frameIndex: 0 });
    }
    expect(door.log.appends).toBe(0);
  });

  test.each([
    ['in seconds', Math.floor(NOW_MS / 1000)],
    ['far ahead', NOW_MS + 2 * LIMITS.timestampAheadMaxMs],
  ])('[IN16] a native frame whose time is %s is refused', async (_, timestampMs) => {
    const door = await openDoor();
    const details = await refused(await door.upload(encodeFrames([aDomKeyframe(timestampMs)])), 422, 'timestamp_out_of_range');
    expect(details).toMatchObject({ frameIndex: 0 });
  });

  test('[IN17] a whole frame before the fault is enough', async () => {
    const door = await openDoor();
    const first = encodeFrameBundle([{ offsetMs: 0, jpeg: jpegOf() }]);
    expect((await door.upload(Buffer.concat([first, Buffer.from('rest')]), EPOCH)).statusCode).toBe(204);
    expect(await door.uploads()).toMatchObject([{ track: 'image', format: 'frame-bundle', codec: 'identity', epochMs: EPOCH.epochMs }]);
  });

  test('[IN17] a native body without frames is a heartbeat', async () => {
    const door = await openDoor();
    expect((await door.upload(encodeFrames([]))).statusCode).toBe(204);
    expect((await door.upload(gzipSync(encodeFrames([])))).statusCode).toBe(204);
  });

  test('[IN18] auto finds gzip and the phones format', async () => {
    const door = await openDoor();
    const bundle = gzipSync(encodeFrameBundle([{ offsetMs: 5, jpeg: jpegOf() }]));
    expect((await door.upload(bundle, { format: 'auto', epochMs: EPOCH.epochMs })).statusCode).toBe(204);
    expect((await door.upload(aBody(), { format: 'auto' })).statusCode).toBe(204);
    const found = (await door.uploads()).map(({ format, codec, track }) => ({ format, codec, track }));
    expect(found).toEqual([
      { format: 'frame-bundle', codec: 'gzip', track: 'image' },
      { format: 'frames', codec: 'gzip', track: null },
    ]);
  });

  test('[IN18] what is none of the formats is refused', async () => {
    const door = await openDoor();
    for (const body of [new Uint8Array(), Buffer.from('hello'), gzipSync('hello')]) {
      const details = await refused(await door.upload(body, { format: 'auto' }), 422, 'invalid_body');
      expect(details).toEqual({ byteOffset: 0, frameIndex: 0 });
    }
  });

  test('[IN15] a bomb is refused with 413, also when it begins with a whole frame, and its memory does not add up', async () => {
    const door = await openDoor();
    const zeros = Buffer.alloc(LIMITS.uploadInflatedBytesMax + 1);
    const bomb = gzipSync(Buffer.concat([encodeFrames([aDomKeyframe(NOW_MS)]), zeros]));
    expect(bomb.length).toBeLessThan(100_000);
    const rssBefore = process.memoryUsage().rss;
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => door.upload(bomb, { upload: `bomb-${n}` })));
    for (const answer of answers) await refused(answer, 413, 'inflated_too_large');
    // Twelve at once would be 768 MiB and more; four are inflated at a time.
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(700 * 1024 * 1024);
    expect(door.log.appends).toBe(0);
  }, 60_000);

  test('[IN14] a body that says that it is too large is refused before it is read', async () => {
    const door = await openDoor({ uploadBytesMax: 1_000 });
    expect(await refused(await door.upload(new Uint8Array(1_001)), 413, 'too_large')).toEqual({ bytesMax: 1_000 });
    expect((await door.post(START, `{"userId":"${' '.repeat(900_000)}"}`)).statusCode).toBe(413);
    const headers = { 'content-type': 'text/plain' };
    expect((await door.post(`/v1/sessions/${SESSION}/end?key=${KEY}`, 'x'.repeat(900_000), { headers })).statusCode).toBe(413);
  });
});

describe('answers', () => {
  test('[IN21] a POST to an unknown path, and a content type that cannot be, are answered in our shape', async () => {
    const door = await openDoor();
    await refused(await door.post(`/v1/sessions/${SESSION}/unknown?key=${KEY}`), 404, 'not_found');
    const headers = { 'content-type': '///' };
    await refused(await door.post(START, '{}', { headers }), 422, 'invalid_request');
    expect(door.log.appends).toBe(0);
  });

  test('[IN21] an unknown error is internal and says nothing', async () => {
    const door = await openDoor();
    const clock = door.clock as { now: () => number };
    clock.now = () => {
      throw new Error('secret');
    };
    const answer = await door.post(START, {});
    await refused(answer, 500, 'internal');
    expect(answer.body).not.toContain('secret');
    expect(door.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('[IN21] other routes keep their errors and body parsers', async () => {
    const door = await openDoor({}, (app) => {
      app.post('/other', (request, reply) => reply.send(request.body));
      app.get('/v1/sessions', async () => {
        throw new Error('theirs');
      });
    });
    expect((await door.app.inject({ method: 'POST', url: '/other', payload: { a: 1 } })).json()).toEqual({ a: 1 });
    expect((await door.app.inject({ method: 'GET', url: '/v1/sessions' })).json().message).toBe('theirs');
  });

  test('[IN8] a refused upload is one line with code and session, without key, facts or body', async () => {
    const door = await openDoor();
    await door.upload(Buffer.from('private body'), { facts: '{"secret":"private fact"}' });
    await door.upload(aBody(), { counter: 'x' });
    const lines = door.logger.lines.filter(({ level }) => level === 'info');
    expect(lines).toHaveLength(2);
    expect(lines[0]?.data).toMatchObject({ projectId: 'shop', sessionId: SESSION, windowId: 'window-1', uploadId: 'upload-1' });
    expect(JSON.stringify(door.logger.lines)).not.toMatch(/private|write-key/);
  });
});
