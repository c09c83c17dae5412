import { gzipSync } from 'node:zlib';
import { encodeFrameBundle, encodeFrames, encodeOutline, LIMITS, PlayheadError, uuidv7 } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, aSignalFrame, jpegOf } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { aBody, held, KEY, NOW_MS, openDoor, queryOf, SESSION } from './door.ts';

describe('starting a session', () => {
  test('[IN1] answers a new UUIDv7, the time and the configuration, and the log has the start', async () => {
    const door = await openDoor({ recorder: { flushMs: 2_000 } });
    const answer = await door.post(`/v1/sessions?key=${KEY}`, { userId: 'ada', facts: { url: 'https://shop.example/' } });
    expect(answer.statusCode).toBe(201);
    const { sessionId, serverTimeMs, config } = answer.json();
    expect(sessionId).toBe(uuidv7(NOW_MS, new Uint8Array(10).fill(1)));
    expect(serverTimeMs).toBe(NOW_MS);
    expect(config).toEqual({
      flushMs: 2_000,
      batchBytesMax: LIMITS.recorderBatchBytesMax,
      heartbeatMs: LIMITS.recorderHeartbeatMs,
      bufferBytesMax: LIMITS.recorderBufferBytesMax,
      sessionSilenceMs: LIMITS.sessionSilenceMs,
      sessionDurationMaxMs: LIMITS.sessionDurationMaxMs,
    });
    expect(await door.log.records('playhead.sessions')).toEqual([
      {
        kind: 'started',
        projectId: 'shop',
        sessionId,
        startedAtMs: NOW_MS,
        source: 'web',
        userId: 'ada',
        facts: { url: 'https://shop.example/' },
      },
    ]);
  });

  test("[IN1] takes over the recorder's own id, source and time", async () => {
    const door = await openDoor();
    const start = { sessionId: 'phone-session-1', source: 'phone', startedAtMs: NOW_MS - 5_000, windowId: 'w1' };
    const answer = await door.post(`/v1/sessions?key=${KEY}`, start);
    expect(answer.json().sessionId).toBe('phone-session-1');
    const [started] = await door.log.records('playhead.sessions');
    expect(started).toMatchObject({ sessionId: 'phone-session-1', source: 'phone', startedAtMs: NOW_MS - 5_000 });
  });

  test('[IN1] an empty body starts a session with defaults', async () => {
    const door = await openDoor();
    expect((await door.post(`/v1/sessions?key=${KEY}`)).statusCode).toBe(201);
    expect(await door.log.records('playhead.sessions')).toMatchObject([{ source: 'web', userId: '', startedAtMs: NOW_MS }]);
  });

  test('[IN10] JSON sent as text/plain starts a session', async () => {
    const door = await openDoor();
    const headers = { 'content-type': 'text/plain;charset=UTF-8' };
    const answer = await door.post(`/v1/sessions?key=${KEY}`, '{"sessionId":"beacon-session"}', { headers });
    expect(answer.json().sessionId).toBe('beacon-session');
  });
});

describe('acknowledging an upload', () => {
  test('[IN2] the log has the body as received, with what the URL said', async () => {
    const door = await openDoor();
    const body = aBody();
    const facts = JSON.stringify({ url: 'https://shop.example/basket' });
    const answer = await door.upload(body, { counter: 3, sentAtMs: NOW_MS - 40, goodbye: 1, facts });
    expect(answer.statusCode).toBe(204);
    expect(answer.body).toBe('');
    const [upload] = await door.uploads();
    expect({ ...upload, body: undefined, outline: undefined }).toEqual({
      projectId: 'shop',
      sessionId: SESSION,
      windowId: 'window-1',
      uploadId: 'upload-1',
      counter: 3,
      track: null,
      format: 'frames',
      codec: 'gzip',
      sentAtMs: NOW_MS - 40,
      receivedAtMs: NOW_MS,
      epochMs: 0,
      goodbye: true,
      facts: { url: 'https://shop.example/basket' },
      body: undefined,
      outline: undefined,
    });
    expect(Buffer.from(upload?.body ?? []).equals(body)).toBe(true);
  });

  test('[IN30] a body that a block can keep has its outline in the log', async () => {
    const door = await openDoor();
    const frames = [aDomKeyframe(NOW_MS), aSignalFrame(NOW_MS)];
    await door.upload(gzipSync(encodeFrames(frames)));
    expect(await door.uploads()).toMatchObject([{ outline: encodeOutline(frames) }]);
  });

  test('[IN30] a body that is plain, damaged, empty or a bundle has none', async () => {
    const door = await openDoor();
    const frames = [aDomKeyframe(NOW_MS), aDomChange(NOW_MS)];
    const whole = encodeFrames(frames);
    const bundle = gzipSync(encodeFrameBundle([{ offsetMs: 0, jpeg: jpegOf() }]));
    for (const body of [whole, gzipSync(whole.subarray(0, -1)), gzipSync(whole).subarray(0, -1), gzipSync(encodeFrames([]))]) {
      expect((await door.upload(body)).statusCode).toBe(204);
    }
    expect((await door.upload(bundle, { format: 'auto', epochMs: NOW_MS })).statusCode).toBe(204);
    expect((await door.uploads()).map(({ outline }) => outline.length)).toEqual([0, 0, 0, 0, 0]);
  });

  test('[IN2] there is no answer before the append has resolved', async () => {
    const door = await openDoor();
    const appending = held();
    const append = held();
    door.log.beforeAppend = (topic) => {
      if (topic !== 'playhead.uploads') return undefined;
      appending.resolve();
      return append.promise;
    };
    let answered = false;
    const answer = door.upload(aBody()).finally(() => {
      answered = true;
    });
    await appending.promise;
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    append.resolve();
    expect((await answer).statusCode).toBe(204);
  });

  test('[IN10] text/plain bytes arrive unchanged', async () => {
    const door = await openDoor();
    const body = aBody('ünïcode 🎬');
    const headers = { 'content-type': 'text/plain;charset=UTF-8' };
    expect((await door.post(`/v1/sessions/${SESSION}/uploads?${queryOf()}`, body, { headers })).statusCode).toBe(204);
    const [upload] = await door.uploads();
    expect(Buffer.from(upload?.body ?? []).equals(body)).toBe(true);
  });

  test('[IN5] an upload that is sent twice is in the log twice', async () => {
    const door = await openDoor();
    const statuses = [await door.upload(aBody(), { counter: 0 }), await door.upload(aBody(), { counter: 0 })].map((a) => a.statusCode);
    expect(statuses).toEqual([204, 204]);
    expect(await door.uploads()).toHaveLength(2);
  });
});

describe('announcing a session', () => {
  test('[IN6] uploads that come together announce their session once, before they are appended', async () => {
    const door = await openDoor();
    const order: string[] = [];
    door.log.beforeAppend = (topic) => void order.push(topic);
    const facts = JSON.stringify({ source: 'phone', userId: 'ada' });
    await Promise.all([1, 2, 3].map((n) => door.upload(aBody(), { upload: `upload-${n}`, facts })));
    expect(order).toEqual(['playhead.sessions', 'playhead.uploads', 'playhead.uploads', 'playhead.uploads']);
    expect(await door.log.records('playhead.sessions')).toMatchObject([
      { kind: 'started', source: 'phone', userId: 'ada', startedAtMs: NOW_MS },
    ]);
  });

  test('[IN6] without a source it is unknown; the start is the best that is known', async () => {
    const door = await openDoor();
    await door.upload(aBody(), { sentAtMs: NOW_MS - 70 }, 'foreign-session');
    await door.upload(aBody(), {}, 'foreign-session-2');
    const starts = new Map((await door.log.records('playhead.sessions')).map((fact) => [fact.sessionId, fact]));
    expect(starts.get('foreign-session')).toMatchObject({ source: 'unknown', startedAtMs: NOW_MS - 70 });
    expect(starts.get('foreign-session-2')).toMatchObject({ source: 'unknown', startedAtMs: NOW_MS });
  });

  test('[IN6] a session that was started here is not announced again', async () => {
    const door = await openDoor();
    await door.post(`/v1/sessions?key=${KEY}`, { sessionId: SESSION });
    await door.upload(aBody());
    expect(await door.log.records('playhead.sessions')).toHaveLength(1);
  });

  test('[IN6] an announcement that failed is made by the next upload', async () => {
    const door = await openDoor();
    door.log.beforeAppend = (topic) => {
      if (topic === 'playhead.sessions') throw new Error('no quorum');
    };
    expect((await door.upload(aBody())).statusCode).toBe(503);
    expect(await door.uploads()).toHaveLength(0);
    door.log.beforeAppend = () => {};
    expect((await door.upload(aBody())).statusCode).toBe(204);
    expect(await door.log.records('playhead.sessions')).toHaveLength(1);
  });
});

describe('ending a session', () => {
  test('[IN3] the log has the end when it is acknowledged, also for a beacon with a body', async () => {
    const door = await openDoor();
    const headers = { 'content-type': 'text/plain' };
    const answer = await door.post(`/v1/sessions/${SESSION}/end?key=${KEY}`, 'bye', { headers });
    expect(answer.statusCode).toBe(204);
    expect(await door.log.records('playhead.sessions')).toEqual([
      { kind: 'ended', projectId: 'shop', sessionId: SESSION, endedAtMs: NOW_MS, reason: 'told' },
    ]);
  });
});

describe('a log that does not take records', () => {
  const paths = ['/v1/sessions', `/v1/sessions/${SESSION}/uploads`, `/v1/sessions/${SESSION}/end`];

  test.each(paths)('[IN4] POST %s: an append that rejects is 503 with Retry-After, and says nothing of the cause', async (path) => {
    for (const error of [new PlayheadError('log_unavailable'), new Error('secret broker name')]) {
      const door = await openDoor();
      door.log.beforeAppend = () => Promise.reject(error);
      const body = path.endsWith('uploads') ? aBody() : undefined;
      const answer = await door.post(`${path}?${queryOf()}`, body);
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['retry-after']).toMatch(/^\d+$/);
      expect(answer.json().error.code).toBe('log_unavailable');
      expect(answer.body).not.toContain('secret');
      expect(await door.uploads()).toHaveLength(0);
    }
  });

  test('[IN4] an append that does not settle in time is 503; its bytes are held until it does', async () => {
    const door = await openDoor({ appendTimeoutMs: 1_000, inFlightBytesMax: 100_000 });
    const appending = held();
    const append = held();
    door.log.beforeAppend = (topic) => {
      if (topic !== 'playhead.uploads') return undefined;
      appending.resolve();
      return append.promise;
    };
    const large = new Uint8Array(60_000);
    large.set(aBody());
    const first = door.upload(large, { codec: 'gzip' });
    await appending.promise;
    door.clock.advance(1_000);
    expect((await first).statusCode).toBe(503);
    expect((await door.upload(large, { codec: 'gzip' })).json().error.code).toBe('overloaded');
    append.resolve();
    door.log.beforeAppend = () => {};
    await expect.poll(async () => (await door.upload(large, { codec: 'gzip' })).statusCode).toBe(204);
  });
});
