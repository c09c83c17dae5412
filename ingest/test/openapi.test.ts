import { encodeFrames, LIMITS, uuidv7 } from '@playhead/schemas';
import { aWatch } from '@playhead/testkit';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { LightMyRequestResponse } from 'fastify';
import { describe, expect, test } from 'vitest';
import { aBody, KEY, NOW_MS, openDoor, queryOf, SESSION } from './door.ts';

interface Described {
  readonly headers?: Record<string, { readonly schema: object }>;
  readonly content?: Record<string, { readonly schema: object }>;
}
interface Description {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<string, { readonly responses: Record<string, Described>; readonly parameters?: { name: string }[] }>
  >;
  readonly components: { readonly schemas: Record<string, object> };
}

/** Headers that HTTP and CORS bring along, which no description lists. */
const COMMON_HEADERS = /^(access-control-|cache-control|connection|content-length|content-type|date|keep-alive|vary|www-authenticate)/;

/** Answers what is wrong with an answer, as a list that should be empty. */
function checker(description: Description): (path: string, answer: LightMyRequestResponse, method?: 'get' | 'post') => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ $id: 'description', components: description.components });
  const faultsOf = (schema: object, value: unknown): string[] => {
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"description#/components')) as object);
    return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
  return (path, answer, method = 'post') => {
    const template = templateOf(path);
    const response = description.paths[template]?.[method]?.responses[answer.statusCode];
    if (!response) return [`${template} ${answer.statusCode} is not described`];
    const faults: string[] = [];
    const json = response.content?.['application/json'];
    if (json) {
      if (!String(answer.headers['content-type']).startsWith('application/json')) faults.push('the content type is not JSON');
      faults.push(...faultsOf(json.schema, answer.json()));
    } else if (answer.body !== '') faults.push('there is a body');
    for (const [name, value] of Object.entries(answer.headers)) {
      if (COMMON_HEADERS.test(name)) continue;
      const header = response.headers?.[name];
      faults.push(...(header ? faultsOf(header.schema, value) : [`header ${name} is not described`]));
    }
    return faults.map((fault) => `${template} ${answer.statusCode}: ${fault}`);
  };
}

function templateOf(path: string): string {
  return path.replace(/(sessions\/)[^/]+/, '$1{sessionId}');
}

describe('the description', () => {
  test('[IN26] is OpenAPI 3.1, has the four routes and all parameters, and is served to everybody', async () => {
    const door = await openDoor();
    const answer = await door.app.inject({ method: 'GET', url: '/openapi.json' });
    const description = answer.json<Description>();
    expect(answer.statusCode).toBe(200);
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths).toSorted()).toEqual([
      '/v1/sessions',
      '/v1/sessions/{sessionId}/end',
      '/v1/sessions/{sessionId}/uploads',
      '/v1/sessions/{sessionId}/watch',
    ]);
    const names = description.paths['/v1/sessions/{sessionId}/uploads']?.['post']?.parameters?.map(({ name }) => name);
    expect(names?.toSorted()).toEqual(
      ['codec', 'counter', 'epochMs', 'facts', 'format', 'goodbye', 'sentAtMs', 'sessionId', 'upload', 'window'].toSorted(),
    );
    expect(Object.keys(description.components.schemas).toSorted()).toEqual(['ErrorBody', 'StartAnswer', 'StartRequest']);
  });

  test('[IN26] every route answers every described status as described', async () => {
    const door = await openDoor({ uploadBytesMax: 100_000, inFlightBytesMax: 200_000, watchPollsMax: 1 });
    const { clock } = door;
    const old = uuidv7(1_000_000_000_000, new Uint8Array(10));
    const routes = ['/v1/sessions', `/v1/sessions/${SESSION}/uploads`, `/v1/sessions/${SESSION}/end`];
    const query = `?${queryOf()}`;

    await door.post(`/v1/sessions?key=${KEY}`, { sessionId: SESSION, facts: { url: 'https://shop.example/' } });
    await expect
      .poll(async () => {
        await door.log.put('playhead.watches', aWatch({ sessionId: SESSION, expiresAtMs: NOW_MS + 10_000 }));
        return (await door.upload(aBody())).headers['playhead-keyframe'];
      })
      .toBe('watch-1');
    await door.post(`${routes[2]}${query}`);
    expect((await door.upload(aBody())).headers['playhead-session']).toBe('ended');
    await door.upload(encodeFrames([]).subarray(0, 2));
    await door.upload(aBody(), { window: '!', counter: 'x' });

    const large = new Uint8Array(900_000);
    const headers = { 'content-type': 'application/octet-stream' };
    for (const route of routes) {
      await door.post(route);
      await door.post(`${route}${query}`, large, { headers });
      await door.post(route === routes[0] ? `${route}${query}` : `${route.replace(SESSION, 'x')}${query}`, Buffer.from('[]'), { headers });
      await door.post(`${route.replace(SESSION, old)}${query}`, route === routes[0] ? { sessionId: old } : aBody());
      door.log.beforeAppend = () => Promise.reject(new Error('away'));
      await door.post(`${route}${query}`, route.endsWith('uploads') ? aBody() : undefined);
      door.log.beforeAppend = () => {};
      const now = clock.now.bind(clock);
      Object.assign(clock, {
        now: () => {
          throw new Error('no clock');
        },
      });
      await door.post(`${route}${query}`);
      Object.assign(clock, { now });
    }

    expect((await door.watch()).headers).toMatchObject({ 'playhead-keyframe': 'watch-1', 'playhead-session': 'ended' });
    const waiting = door.clock.waiting;
    const holds = door.watch('another-session');
    await expect.poll(() => door.clock.waiting).toBe(waiting + 1);
    await door.watch('one-more-session');
    door.clock.advance(LIMITS.watchPollMs);
    await holds;
    await door.watch(SESSION, '');
    await door.watch('x');
    await door.watch(old);
    Object.assign(clock, {
      now: () => {
        throw new Error('no clock');
      },
    });
    await door.watch();
    Object.assign(clock, { now: () => NOW_MS });

    const description = (await door.app.inject({ method: 'GET', url: '/openapi.json' })).json<Description>();
    const check = checker(description);
    const seen = new Set<string>();
    for (const { method, path, answer } of door.answers) {
      expect(check(path, answer, method)).toEqual([]);
      seen.add(`${method} ${templateOf(path)} ${answer.statusCode}`);
    }
    const described = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) => Object.keys(responses).map((status) => `${method} ${path} ${status}`)),
    );
    expect([...seen].toSorted()).toEqual(described.toSorted());
    await door.app.close();
  });

  test('[IN26] an answer that is not as described is noticed', async () => {
    const door = await openDoor();
    const check = checker((await door.app.inject({ method: 'GET', url: '/openapi.json' })).json<Description>());
    const answer = await door.post(`/v1/sessions?key=${KEY}`);
    const changed = { ...answer, json: () => ({ sessionId: SESSION }) } as LightMyRequestResponse;
    expect(check('/v1/sessions', changed)).toHaveLength(2);
    expect(check('/v1/sessions/x/end', answer)).toEqual(['/v1/sessions/{sessionId}/end 201 is not described']);
  });
});
