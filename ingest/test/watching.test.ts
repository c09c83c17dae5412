import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { LIMITS } from '@playhead/schemas';
import { aSessionEnded, aWatch } from '@playhead/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import type { IngestConfig } from '../src/index.ts';
import { DEFAULTS } from '../src/settings.ts';
import type { Door } from './door.ts';
import { aBody, KEY, NOW_MS, openDoor, SESSION } from './door.ts';

/** Watch requests: held until there is something to hear. */

const open: Door[] = [];
afterEach(async () => {
  for (const door of open.splice(0)) {
    door.app.server.closeAllConnections();
    await door.app.close();
  }
});

/** A door whose readers of the log are there: what is put into the log from now on is seen. */
async function watching(config: IngestConfig = {}): Promise<Door> {
  const door = await openDoor(config);
  open.push(door);
  return door;
}

const watched = { 'playhead-flush-ms': '250', 'playhead-keyframe': 'watch-1' };
const lease = (sessionId = SESSION) => aWatch({ sessionId, watchId: 'watch-1', expiresAtMs: NOW_MS + 2 * LIMITS.watchPollMs });

/** The request and whether it was answered yet; it is held when this resolves. */
async function holding(door: Door, sessionId = SESSION) {
  const { waiting } = door.clock;
  let answered = false;
  const answer = door.watch(sessionId).finally(() => {
    answered = true;
  });
  await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
  return { answer, isAnswered: () => answered };
}

/** Timers that wait, without those of injected requests: they never count as read to the end, so each of their answers lingers. */
function timersOf(door: Door): number {
  door.clock.advance(DEFAULTS.lingerMs);
  return door.clock.waiting;
}

/** Puts the record again until it was heard: readers of the log may not be there yet. */
async function putUntil(put: () => Promise<void>, heard: () => boolean | Promise<boolean>): Promise<void> {
  await expect
    .poll(async () => {
      await put();
      return heard();
    })
    .toBe(true);
}

describe('a watch request', () => {
  test('[IN27] is held, and answered when the session is watched; no other session is', async () => {
    const door = await watching();
    const waiting = timersOf(door);
    const [mine, also, other] = [await holding(door), await holding(door), await holding(door, 'another-session')];
    await putUntil(() => door.log.put('playhead.watches', lease()), mine.isAnswered);
    for (const { answer } of [mine, also]) {
      const { statusCode, headers, body } = await answer;
      expect([statusCode, body]).toEqual([204, '']);
      expect(headers).toMatchObject({ ...watched, 'cache-control': 'no-store' });
      expect(headers).not.toHaveProperty('playhead-session');
    }
    expect(other.isAnswered()).toBe(false);
    // Nothing is left behind but the timer of the one that is held.
    expect(timersOf(door)).toBe(waiting + 1);
  });

  test('[IN27] is answered at once when the session is watched already, and held again when the watch is over', async () => {
    const door = await watching();
    const first = await holding(door);
    await putUntil(() => door.log.put('playhead.watches', lease()), first.isAnswered);
    const waiting = timersOf(door);
    expect((await door.watch()).headers).toMatchObject(watched);
    expect((await door.upload(aBody())).headers).toMatchObject(watched);
    expect(timersOf(door)).toBe(waiting);
    door.clock.advance(2 * LIMITS.watchLeaseMs);
    const again = await holding(door);
    expect(again.isAnswered()).toBe(false);
  });

  test('[IN27] is answered without headers when its time is up', async () => {
    const door = await watching();
    const { answer, isAnswered } = await holding(door);
    door.clock.advance(LIMITS.watchPollMs - 1);
    await door.watch(SESSION, 'key=wrong');
    expect(isAnswered()).toBe(false);
    door.clock.advance(1);
    const { statusCode, headers } = await answer;
    expect(statusCode).toBe(204);
    expect(Object.keys(headers).filter((name) => name.startsWith('playhead-'))).toEqual([]);
  });

  test('[IN27] a lease that is given back answers nobody', async () => {
    const door = await watching();
    const { isAnswered } = await holding(door);
    const signal = await holding(door, 'session-beside');
    const ended = { ...lease(), expiresAtMs: 0 };
    // What is put in one partition is read in order; the other session is answered behind.
    await putUntil(async () => {
      await door.log.put('playhead.watches', ended);
      await door.log.put('playhead.watches', lease('session-beside'));
    }, signal.isAnswered);
    expect(isAnswered()).toBe(false);
  });

  test('[IN27] is answered when the session ends, here or by another process, and at once when it has ended', async () => {
    const door = await watching();
    const here = await holding(door);
    await door.post(`/v1/sessions/${SESSION}/end?key=${KEY}`);
    expect((await here.answer).headers).toMatchObject({ 'playhead-session': 'ended' });
    const there = await holding(door, 'another-session');
    await putUntil(() => door.log.put('playhead.sessions', aSessionEnded({ sessionId: 'another-session' })), there.isAnswered);
    expect((await there.answer).headers).toMatchObject({ 'playhead-session': 'ended' });
    expect((await door.watch()).headers).toMatchObject({ 'playhead-session': 'ended' });
  });

  test('[IN27] of the same session id in another project hears nothing of it', async () => {
    const door = await watching();
    const mine = await holding(door);
    const { waiting } = door.clock;
    let answered = false;
    void door.watch(SESSION, 'key=key-of-the-bank').then(() => {
      answered = true;
    });
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    await putUntil(() => door.log.put('playhead.watches', lease()), mine.isAnswered);
    await door.watch();
    expect(answered).toBe(false);
  });

  test('[IN7] [IN11] without a key, with a wrong session id or one that is too old it is refused and not held', async () => {
    const door = await watching({ watchPollsMax: 1 });
    expect((await door.watch(SESSION, '')).statusCode).toBe(401);
    expect((await door.watch('x')).statusCode).toBe(422);
    expect((await door.watch('00c5a2e5-8a00-7000-8000-000000000000')).statusCode).toBe(410);
    expect((await door.app.inject({ method: 'HEAD', url: `/v1/sessions/${SESSION}/watch?key=${KEY}` })).statusCode).toBe(404);
    await holding(door);
  });

  test('[IN28] beyond the bound is 503 with Retry-After; who has something to hear is answered all the same; an answer frees a place', async () => {
    const door = await watching({ watchPollsMax: 2 });
    await door.post(`/v1/sessions/session-over/end?key=${KEY}`);
    const held = [await holding(door), await holding(door, 'another-session')];
    const refused = await door.watch();
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json()).toMatchObject({ error: { code: 'overloaded' } });
    expect((await door.watch('session-over')).statusCode).toBe(204);
    door.clock.advance(LIMITS.watchPollMs);
    await Promise.all(held.map(({ answer }) => answer));
    await holding(door);
    await holding(door);
    expect((await door.watch()).statusCode).toBe(503);
  });

  test('[IN29] closing the app answers it', async () => {
    const door = await openDoor();
    const { answer } = await holding(door);
    await door.app.close();
    expect((await answer).statusCode).toBe(204);
    expect(timersOf(door)).toBe(0);
  });
});

describe('over a connection', () => {
  async function listening(config: IngestConfig = {}) {
    const door = await watching(config);
    await door.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = door.app.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/v1/sessions/${SESSION}/watch?key=${KEY}`;
    return { door, port, url };
  }

  test('[IN28] a client that goes away frees its place', async () => {
    const { door, port, url } = await listening({ watchPollsMax: 1 });
    const { waiting } = door.clock;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET /v1/sessions/${SESSION}/watch?key=${KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    expect((await fetch(url)).status).toBe(503);
    socket.destroy();
    await expect.poll(() => door.clock.waiting).toBe(waiting);
    const leave = new AbortController();
    const next = fetch(url, { signal: leave.signal }).catch(() => undefined);
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    leave.abort();
    await next;
    await expect.poll(() => door.clock.waiting).toBe(waiting);
    expect(door.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('[IN27] the answer is on its way as soon as the watch is read', async () => {
    const { door, url } = await listening();
    const first = await holding(door, 'session-before');
    // The readers of the log are there when this one has heard.
    await putUntil(() => door.log.put('playhead.watches', lease('session-before')), first.isAnswered);
    const { waiting } = door.clock;
    const answer = fetch(url);
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    const fromMs = performance.now();
    await door.log.put('playhead.watches', lease());
    const { status, headers } = await answer;
    expect(performance.now() - fromMs).toBeLessThan(LIMITS.watchPollMs / 2);
    expect([status, headers.get('playhead-keyframe')]).toEqual([204, 'watch-1']);
  });

  test('[IN29] closing the app answers what is held before connections are cut, and does not wait for kept ones', async () => {
    const { door, port } = await listening();
    const { waiting } = door.clock;
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /v1/sessions/${SESSION}/watch?key=${KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    const heard = once(socket, 'data');
    const cut = once(socket, 'close');
    await door.app.close();
    expect(String(await heard)).toMatch(/^HTTP\/1\.1 204 .*connection: close/s);
    socket.end();
    await cut;
  });
});
