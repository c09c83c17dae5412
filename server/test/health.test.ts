import type { Catalog } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { memoryBlocks, memoryCatalog, memoryLog } from '@playhead/testkit';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { registerHealth } from '../src/health.ts';

describe('a process asked how it is', () => {
  const app = { current: Fastify() };
  afterEach(() => app.current.close());

  async function ask(path: string, options: { readonly catalog?: Catalog; readonly draining?: boolean } = {}): Promise<[number, unknown]> {
    const engines = {
      log: memoryLog({ partitions: 1 }),
      blocks: memoryBlocks(),
      catalog: options.catalog ?? memoryCatalog(),
    };
    app.current = Fastify();
    registerHealth(app.current, engines, () => options.draining ?? false);
    const answer = await app.current.inject(path);
    return [answer.statusCode, answer.json()];
  }

  test('is ready when every dependency answers', async () => {
    expect(await ask('/readyz')).toEqual([200, { ready: true, draining: false, dependencies: { log: 'ok', blocks: 'ok', catalog: 'ok' } }]);
  });

  test('names the dependency that does not, and what it said; it is alive all the same', async () => {
    const catalog = { ...memoryCatalog(), progress: () => Promise.reject(new PlayheadError('unavailable', 'ClickHouse is away')) };
    expect(await ask('/readyz', { catalog })).toEqual([
      503,
      { ready: false, draining: false, dependencies: { log: 'ok', blocks: 'ok', catalog: 'ClickHouse is away' } },
    ]);
    expect(await ask('/healthz', { catalog })).toEqual([200, { status: 'ok' }]);
  });

  test('without block store and catalog needs only the log', async () => {
    app.current = Fastify();
    registerHealth(app.current, { log: memoryLog({ partitions: 1 }) }, () => false);
    const answer = await app.current.inject('/readyz');
    expect(answer.json()).toEqual({ ready: true, draining: false, dependencies: { log: 'ok' } });
  });

  test('is not ready while it ends, although everything answers', async () => {
    expect(await ask('/readyz', { draining: true })).toMatchObject([503, { ready: false, draining: true }]);
  });
});
