import type { Catalog } from '@playhead/ports';
import { Waits } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { manualClock, memoryBlocks, memoryCatalog, memoryLog, silentLogger } from '@playhead/testkit';
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
    registerHealth(app.current, engines, () => options.draining ?? false, new Waits(manualClock(), silentLogger));
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
    expect(await ask('/healthz', { catalog })).toEqual([200, { status: 'ok', waiting: [] }]);
  });

  test('without block store and catalog needs only the log', async () => {
    app.current = Fastify();
    registerHealth(app.current, { log: memoryLog({ partitions: 1 }) }, () => false, new Waits(manualClock(), silentLogger));
    const answer = await app.current.inject('/readyz');
    expect(answer.json()).toEqual({ ready: true, draining: false, dependencies: { log: 'ok' } });
  });

  test('is not ready while it ends, although everything answers', async () => {
    expect(await ask('/readyz', { draining: true })).toMatchObject([503, { ready: false, draining: true }]);
  });

  test('says what it waits for, since when and after how many failures, and is alive', async () => {
    const clock = manualClock(5_000);
    const waits = new Waits(clock, silentLogger);
    const away = { ...memoryBlocks(), put: (_key: string) => Promise.reject(new PlayheadError('unavailable', 'S3 is away')) };
    const blocks = waits.watched('blocks', away);
    app.current = Fastify();
    registerHealth(app.current, { blocks }, () => false, waits);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(blocks.put('a')).rejects.toThrow('S3 is away');
      clock.advance(1_000);
    }
    const answer = await app.current.inject('/healthz');
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { status: 'ok', waiting: [{ engine: 'blocks', operation: 'put', sinceMs: 5_000, calls: 0, failures: 3, error: 'S3 is away' }] },
    ]);
  });

  test('tells what the thread of the processors waits for, and is not ready while that does not answer', async () => {
    const theirs = [{ engine: 'blocks', operation: 'put', sinceMs: 1, calls: 1, failures: 2, error: 'disk full' }];
    let answer: Promise<typeof theirs> = Promise.resolve(theirs);
    app.current = Fastify();
    registerHealth(
      app.current,
      { log: memoryLog({ partitions: 1 }) },
      () => false,
      new Waits(manualClock(), silentLogger),
      () => answer,
    );
    expect((await app.current.inject('/healthz')).json()).toEqual({ status: 'ok', waiting: theirs });
    expect((await app.current.inject('/readyz')).json()).toMatchObject({ ready: true, dependencies: { processors: 'ok' } });
    answer = new Promise(() => {});
    const [ready, health] = await Promise.all([app.current.inject('/readyz'), app.current.inject('/healthz')]);
    expect([ready.statusCode, ready.json()]).toMatchObject([
      503,
      { dependencies: { log: 'ok', processors: expect.stringContaining('no answer') } },
    ]);
    expect(health.statusCode).toBe(200);
  });

  test('asks a dependency that hangs one question, however often it is asked itself', async () => {
    let questions = 0;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    const blocks = {
      ...memoryBlocks(),
      size: () => {
        questions++;
        return promise;
      },
    };
    app.current = Fastify();
    registerHealth(app.current, { blocks }, () => false, new Waits(manualClock(), silentLogger));
    const answers = Promise.all(Array.from({ length: 20 }, () => app.current.inject('/readyz')));
    resolve(null);
    expect((await answers).map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(questions).toBe(1);
    await app.current.inject('/readyz');
    expect(questions).toBe(2);
  });
});
