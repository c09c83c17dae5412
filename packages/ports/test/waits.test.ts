import { PlayheadError, toOffset } from '@playhead/schemas';
import { keepingLogger, manualClock, memoryBlocks, memoryLog } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import type { BlockStore } from '../src/index.ts';
import { Waits } from '../src/index.ts';

const START_MS = 1_000_000;

function aWorld() {
  const clock = manualClock(START_MS);
  const logger = keepingLogger();
  return { clock, logger, waits: new Waits(clock, logger) };
}

/** A block store that is away as long as `away` says so. */
function blocksThat(away: () => boolean): BlockStore {
  const blocks = memoryBlocks();
  return {
    ...blocks,
    put: (key, parts) => (away() ? Promise.reject(new PlayheadError('unavailable', 'S3 is away')) : blocks.put(key, parts)),
  };
}

/** Lets everything run that waits for nothing but its turn. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

async function itemsOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('an engine that is watched', () => {
  test('answers as it did, and while it does nothing is said', async () => {
    const { logger, waits } = aWorld();
    const blocks = waits.watched('blocks', memoryBlocks());
    expect(await blocks.put('a', [Uint8Array.of(1)])).toBe('created');
    expect(await blocks.get('a')).toEqual(Uint8Array.of(1));
    expect(await itemsOf(blocks.list(''))).toHaveLength(1);
    await expect(blocks.get('b')).rejects.toThrow(PlayheadError);
    expect(waits.report()).toEqual([]);
    expect(logger.lines).toEqual([]);
  });

  test('that fails is said at once, then every ten seconds however often it fails, and that it answers again', async () => {
    const { clock, logger, waits } = aWorld();
    let away = true;
    const blocks = waits.watched(
      'blocks',
      blocksThat(() => away),
    );
    for (let ms = 0; ms < 59_000; ms += 100) {
      await blocks.put('a', [new Uint8Array()]).catch(() => undefined);
      clock.advance(100);
    }
    away = false;
    await blocks.put('a', [new Uint8Array()]);
    expect(logger.lines.map(({ level, data }) => [level, (data as { readonly forMs: number }).forMs])).toEqual([
      ...[0, 10_000, 20_000, 30_000, 40_000, 50_000].map((forMs) => ['warn', forMs]),
      ['info', 59_000],
    ]);
    expect(logger.lines[5]?.data).toMatchObject({ engine: 'blocks', operation: 'put', calls: 0, failures: 500, error: 'S3 is away' });
    expect(logger.lines[6]?.message).toBe('an engine answers again');
    expect(waits.report()).toEqual([]);
  });

  test('that hangs is said after five seconds, with how many calls wait; then every ten seconds', async () => {
    const { clock, logger, waits } = aWorld();
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const blocks = waits.watched('blocks', { ...memoryBlocks(), get: (_key: string) => promise });
    const answers = [blocks.get('a'), blocks.get('b')];
    clock.advance(4_999);
    expect(logger.lines).toEqual([]);
    clock.advance(1);
    expect(waits.report()).toEqual([{ engine: 'blocks', operation: 'get', sinceMs: START_MS, calls: 2, failures: 0, error: '' }]);
    clock.advance(60_000);
    expect(logger.lines).toHaveLength(7);
    resolve(new Uint8Array());
    await Promise.all(answers);
    expect(logger.lines.at(-1)).toMatchObject({ message: 'an engine answers again' });
    clock.advance(60_000);
    expect(clock.waiting).toBe(0);
  });

  test('one kind of calls that works does not hide another that does not', async () => {
    const { waits } = aWorld();
    const blocks = waits.watched(
      'blocks',
      blocksThat(() => true),
    );
    await blocks.put('a', [new Uint8Array()]).catch(() => undefined);
    await blocks.size('a');
    expect(waits.report()).toMatchObject([{ operation: 'put', failures: 1 }]);
  });

  test('what failed and is not tried again is forgotten', async () => {
    const { clock, logger, waits } = aWorld();
    const blocks = waits.watched(
      'blocks',
      blocksThat(() => true),
    );
    await blocks.put('a', [new Uint8Array()]).catch(() => undefined);
    clock.advance(80_000);
    expect(waits.report()).toHaveLength(1);
    clock.advance(20_000);
    expect(waits.report()).toEqual([]);
    expect(logger.lines.at(-1)).toMatchObject({ level: 'info', message: 'nobody waits for an engine any more' });
    expect(clock.waiting).toBe(0);
  });

  test('a reader that stands at the end is not waited for; one that fails is, until the log answers anything', async () => {
    const { clock, waits } = aWorld();
    let away = true;
    const inner = memoryLog({ partitions: 1 });
    const log = waits.watched('log', {
      ...inner,
      // biome-ignore lint/correctness/useYield: it fails before
      async *read(...asked: Parameters<typeof inner.read>) {
        if (away) throw new PlayheadError('log_unavailable');
        yield* inner.read(...asked);
      },
    } as typeof inner);
    const stop = new AbortController();
    const read = async (): Promise<unknown> => itemsOf(log.read('playhead.uploads', 0, toOffset(0), { signal: stop.signal }));
    await expect(read()).rejects.toThrow(PlayheadError);
    expect(waits.report()).toMatchObject([{ engine: 'log', operation: 'read', failures: 1 }]);
    away = false;
    const reading = read();
    await log.bounds('playhead.uploads', 0);
    clock.advance(120_000);
    await settle();
    expect(waits.report()).toEqual([]);
    stop.abort();
    await reading;
  });
});
