import { Writable } from 'node:stream';
import { REPLY_HEADERS } from '@playhead/schemas';
import { keepingLogger, manualClock } from '@playhead/testkit';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { answerFrameworkError, answerNotFound, registerIngest, withoutQuery } from '../src/index.ts';
import { aBody, FaultyLog, KEY, openDoor, queryOf, SESSION } from './door.ts';

const ORIGIN = { origin: 'https://shop.example' };
const DOOR = ['/v1/sessions', `/v1/sessions/${SESSION}/uploads`, `/v1/sessions/${SESSION}/end`];

describe('other origins', () => {
  test.each(DOOR)('[IN9] a preflight of %s is allowed to anybody and may be kept', async (path) => {
    const door = await openDoor();
    const headers = { ...ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const answer = await door.app.inject({ method: 'OPTIONS', url: `${path}?key=${KEY}`, headers });
    expect(answer.statusCode).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-max-age': '86400',
    });
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test('[IN9] answers and refusals can be read, with the reply headers', async () => {
    const door = await openDoor();
    for (const key of [KEY, 'wrong']) {
      const answer = await door.post(`${DOOR[1]}?${queryOf({ key })}`, aBody(), { headers: ORIGIN });
      expect(answer.statusCode).toBe(key === KEY ? 204 : 401);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      const exposed = String(answer.headers['access-control-expose-headers']).split(', ');
      expect(exposed).toEqual(expect.arrayContaining(Object.values(REPLY_HEADERS)));
    }
  });

  test('[IN9] a watch request needs no preflight and its answer can be read; with the key in a header the preflight is allowed', async () => {
    const door = await openDoor();
    const url = `/v1/sessions/${SESSION}/watch`;
    await door.post(`/v1/sessions/${SESSION}/end?key=${KEY}`);
    for (const key of [KEY, 'wrong']) {
      const answer = await door.app.inject({ method: 'GET', url: `${url}?key=${key}`, headers: ORIGIN });
      expect(answer.statusCode).toBe(key === KEY ? 204 : 401);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(String(answer.headers['access-control-expose-headers']).split(', ')).toEqual(
        expect.arrayContaining([...Object.values(REPLY_HEADERS), 'retry-after']),
      );
    }
    const headers = { ...ORIGIN, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
    const preflight = await door.app.inject({ method: 'OPTIONS', url, headers });
    expect(preflight.headers).toMatchObject({ 'access-control-allow-origin': '*', 'access-control-allow-methods': 'GET' });
  });

  test('[IN9] the other paths of the app answer no other origin', async () => {
    const door = await openDoor({}, (app) => {
      app.get('/v1/sessions', async () => []);
      app.get('/v1/sessions/:sessionId', async () => ({}));
    });
    const headers = { ...ORIGIN, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
    for (const path of [`/v1/sessions/${SESSION}`, `/v1/sessions/${SESSION}/blocks`, '/v1/sessionsfoo', '/openapi.json']) {
      const preflight = await door.app.inject({ method: 'OPTIONS', url: path, headers });
      expect(preflight.statusCode).toBe(404);
      expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
    }
    for (const path of ['/v1/sessions', `/v1/sessions/${SESSION}`]) {
      const answer = await door.app.inject({ method: 'GET', url: path, headers: ORIGIN });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
  });
});

/** An app whose own logger writes everything it can. */
async function loggingApp() {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const app = Fastify({ logger: { level: 'trace', stream }, frameworkErrors: answerFrameworkError });
  app.setNotFoundHandler(answerNotFound);
  const logger = keepingLogger();
  const projects = { projectOfWriteKey: (key: string) => (key === KEY ? 'shop' : undefined), viewerOfToken: () => undefined };
  const log = new FaultyLog();
  await registerIngest(app, { log: log.log, projects, clock: manualClock(), randomBytes: (count) => new Uint8Array(count), logger });
  return { app, log, logged: () => text + JSON.stringify(logger.lines) };
}

describe('logs', () => {
  test('[IN8] no line of the app or of ingest holds a write key, however it is written, whatever the answer', async () => {
    const { app, log, logged } = await loggingApp();
    for (const path of [...DOOR, '/v1/sessions/x/unknown']) {
      for (const query of [queryOf(), `%6bey=${KEY}`, `key=wrong-${KEY}`]) {
        await app.inject({ method: 'POST', url: `${path}?${query}`, payload: Buffer.from(aBody()) });
        await app.inject({ method: 'OPTIONS', url: `${path}?${query}`, headers: { ...ORIGIN, 'access-control-request-method': 'POST' } });
      }
    }
    for (const query of [`%6bey=${KEY}`, `key=wrong-${KEY}`]) {
      // The session is ended by now: nothing is held.
      await app.inject({ method: 'GET', url: `/v1/sessions/${SESSION}/watch?${query}` });
    }
    log.beforeAppend = () => Promise.reject(new Error('away'));
    await app.inject({ method: 'POST', url: `${DOOR[1]}?${queryOf()}`, payload: Buffer.from(aBody()) });
    expect(logged()).toContain(`POST ${DOOR[1]}`);
    expect(logged()).not.toContain(KEY);
    await app.close();
  });

  test('[IN8] a URL for logs has no query', () => {
    expect(withoutQuery('/v1/sessions?key=a&b=c')).toBe('/v1/sessions');
    expect(withoutQuery('/v1/sessions')).toBe('/v1/sessions');
  });

  test('[IN21] errors from before routing have our shape when the app uses what is exported for it', async () => {
    const { app } = await loggingApp();
    const answers = await Promise.all([
      app.inject({ method: 'POST', url: '/v1/sessions/%ZZ/uploads' }),
      app.inject({ method: 'POST', url: `/v1/sessions/${'a'.repeat(500)}/uploads` }),
      app.inject({ method: 'GET', url: '/nowhere' }),
    ]);
    expect(answers.map((answer) => answer.json().error.code)).toEqual(['invalid_request', 'not_found', 'not_found']);
    expect(answers.map((answer) => answer.statusCode)).toEqual([422, 404, 404]);
    await app.close();
  });
});
